"""What live progress draws, read from a terminal of rich's own."""

from __future__ import annotations

import io
from types import SimpleNamespace

from rich.console import Console

from mphttp.cli.get.bars import Bar, progress_line, summary
from mphttp.cli.get.progress import rendered
from mphttp.report import DeadlineReport, Report, SubflowReport


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


def drawn(*bars: Bar, **facts: object) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=100).print(rendered(list(bars), report(**facts)))
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
