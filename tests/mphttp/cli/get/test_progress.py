"""What live progress draws, read from a terminal of rich's own."""

from __future__ import annotations

import io
import threading
from types import SimpleNamespace

import httpx
from rich.console import Console

from mphttp.cli.environment import Environment
from mphttp.cli.get import progress
from mphttp.cli.get.bars import Bar, percent, progress_line, summary, time_left
from mphttp.cli.get.board import Board
from mphttp.cli.get.jobs import Job
from mphttp.cli.get.progress import listed, rendered
from mphttp.report import DeadlineReport, Report, SubflowReport

from ..conftest import Terminal


def report(**facts: object) -> Report:
    told = {
        "received": 5_000_000,
        "length": 10_000_000,
        "seconds": 3.5,
        "deadline": None,
        "protocol": "mptcp",
        "subflow_reports": (),
        "wait": lambda _: True,
    }
    return Report(SimpleNamespace(**told | facts))  # type: ignore[arg-type]


def drawn(*bars: Bar, width: int = 100, **facts: object) -> list[str]:
    out = io.StringIO()
    told = report(**facts)
    whole = told.length or told.bytes
    Console(file=out, width=width).print(rendered(list(bars), progress_line(told), whole, width))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_each_path_has_a_row_with_name_bytes_rate_and_state() -> None:
    wifi, lte, _ = drawn(Bar("wifi", "open", 4_000_000, 950_000), Bar("lte", "unused", 0, 0.0))
    assert wifi.startswith("wifi ")
    assert wifi.split()[-5:] == ["4.0", "MB", "7.6", "Mbit/s", "open"]
    assert lte.split()[-5:] == ["0", "B", "0.0", "kbit/s", "unused"]


def test_a_body_of_unknown_length_can_be_drawn() -> None:
    """Payload counts more than the body (its head, TLS), so a bar may be over full."""
    wifi, line = drawn(Bar("wifi", "open", 9_000_000, 0.0), length=None)
    assert wifi.startswith("wifi ")
    assert line == "5.0 MB, 3.5 s"


def test_an_interface_name_is_never_read_as_markup() -> None:
    (row, _) = drawn(Bar("wl[red]", "open", 1, 0.0))
    assert row.startswith("wl[red] ")


def test_the_countdown_and_what_follows_it() -> None:
    deadline = DeadlineReport(7.0, None)
    assert progress_line(report(deadline=deadline)).endswith("3.5 s, 3.5 s to the deadline")
    late = report(deadline=deadline, seconds=8.0)
    assert progress_line(late).endswith("8.0 s, deadline missed")


def test_the_closing_line_names_shares_protocol_and_deadline() -> None:
    subflow = SubflowReport(
        None, "lo", ("127.0.0.1", 1), ("127.0.0.1", 2), 0.0, 1.0, 5_000_500, True, False
    )
    line = summary(
        report(
            seconds=4.0,
            protocol="tcp",
            mechanism="none",
            deadline=DeadlineReport(7.0, True),
            subflow_reports=(subflow,),
        )
    )
    assert line == ("5.0 MB in 4.00 s (10.0 Mbit/s): lo 5.0 MB (plain TCP); deadline of 7 s met")


def test_nor_does_a_terminal_obey_it() -> None:
    (row, _) = drawn(Bar("\x1b[31m\x9b\u202e\udcff[/x]", "open", 1, 0.0))
    assert row.startswith("\\x1b[31m\\x9b\\u202e\\xff[/x] ")


def test_a_narrow_terminal_has_no_bars() -> None:
    bars = (Bar("wifi", "open", 4_000_000, 950_000), Bar("a-very-long-interface", "open", 1, 0.0))
    for width in (80, 40):
        rows = drawn(*bars, width=width)
        assert all(len(row) <= width for row in rows)
        assert len(rows) == 3
        assert ("━" in rows[0]) == (width == 80)
        assert rows[0].split()[-3:] == ["7.6", "Mbit/s", "open"]


def test_percentage_rate_and_time_left() -> None:
    assert progress_line(report(), 500_000.0) == (
        "5.0 MB of 10.0 MB (50%), 4.0 Mbit/s, 3.5 s, 0:10 left"
    )
    assert time_left(0, 1_000_000, 1_000.0) == "16:40"
    assert time_left(0, 10_000_000, 1_000.0) == "2:46:40"
    assert time_left(0, 10**12, 1_000.0) == ""
    assert time_left(5, None, 1_000.0) == ""
    assert percent(10, 0) == ""


def test_a_row_for_each_of_several_and_a_total() -> None:
    board = Board(5)
    board.ended(0)
    board.ended(7)
    half, unknown = report(seconds=1.0), report(seconds=1.0, length=None)
    url = httpx.URL("http://me:secret@a/x")
    jobs = [Job(SimpleNamespace(url=url), name, number=n) for n, name in enumerate(("film", "-"))]
    with board.shown(jobs[0], half), board.shown(jobs[1], unknown):
        for width, height, fits in ((80, 24, 3), (40, 24, 3), (80, 4, 3)):
            out = io.StringIO()
            drawn = listed(board.rows(), board.total(), width, height)
            Console(file=out, width=width).print(drawn)
            rows = [row.rstrip() for row in out.getvalue().splitlines()]
            assert all(len(row) <= width for row in rows)
            assert rows[0].startswith("film")
            assert " 50% " in rows[0]
            assert any("http://a/x"[:4] in row for row in rows) == (height == 24)
            assert ("and 1 more" in rows) == (height == 4)
            assert any(row.startswith("2 of 5 done, 1 failed") for row in rows)
            last = out.getvalue().splitlines()[-1]
            assert len(last) < width  # the terminal's ^C has room there
            assert len(rows) >= fits
    assert board.rows() == []
    assert "secret" not in out.getvalue()


def test_a_dumb_terminal_gets_a_line_now_and_then(monkeypatch) -> None:
    told = threading.Event()
    lines: list[str] = []

    def say(self, text: str) -> None:
        lines.append(text)
        told.set()

    monkeypatch.setattr(Environment, "say", say)
    monkeypatch.setattr(progress, "_NOW_AND_THEN", 0.01)
    environment = Environment(
        stdin=io.BytesIO(),
        stdout=io.BytesIO(),
        stderr=Terminal(),
        environ={"TERM": "dumb"},
        ask_secret=str,
    )
    with progress.shown(report(), environment):
        assert told.wait(10)
    assert lines[0].startswith("5.0 MB of 10.0 MB (50%)")
