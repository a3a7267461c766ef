"""The command line over two real paths."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from mphttp.cli.exits import ExitCode
from mphttp.lab import LabClient, names
from mphttp.lab.content import sha256_of

pytestmark = pytest.mark.lab

SIZE = 600_000


@pytest.fixture
def origin(lab: LabClient) -> str:
    """The origin, where wifi needs 2.4 s for SIZE bytes and lte 0.4 s."""
    lab.change("wifi", rate="2mbit")
    return os.environ[names.ORIGIN]


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def test_a_deadline_in_danger_opens_the_second_path(run, origin, lab, tmp_path: Path) -> None:
    file = tmp_path / "file"
    result = run(
        "get", "--deadline", "1s", "-o", str(file), "--report", "-", f"{origin}/bytes/{SIZE}"
    )
    assert (result.code, result.err) == (0, "")
    assert digest(file.read_bytes()) == sha256_of(SIZE)
    assert [subflow["path"] for subflow in result.json["subflows"]] == ["wifi", "lte"]
    assert lab.counters()["lte"].up.syns > 0


def test_a_deadline_out_of_danger_leaves_the_second_path_alone(run, origin, lab) -> None:
    """Counted on the link itself: not one SYN leaves on it."""
    result = run("get", "--deadline", "60s", f"{origin}/bytes/{SIZE}")
    assert digest(result.out) == sha256_of(SIZE)
    assert lab.counters()["lte"].up.syns == 0


def test_the_first_path_named_is_where_the_connection_starts(run, origin, tmp_path: Path) -> None:
    options = ("--path", "lte", "--path", "wifi", "--strategy", "fullmesh", "-o", os.devnull)
    told = run("get", *options, "--report", "-", f"{origin}/bytes/{SIZE}").json
    assert [(s["path"], s["initial"]) for s in told["subflows"]] == [("lte", True), ("wifi", False)]


def test_a_path_that_is_not_named_is_not_used(run, origin, lab) -> None:
    options = ("--path", "wifi", "--strategy", "fullmesh")
    assert digest(run("get", *options, f"{origin}/bytes/{SIZE}").out) == sha256_of(SIZE)
    assert lab.counters()["lte"].up.syns == 0


def test_a_server_without_mptcp_is_a_warning_with_a_hint(run, lab) -> None:
    """Who asked for several paths is told why there was one; the body is whole all the same."""
    address = f"{os.environ[names.ORIGIN_PLAIN]}/chunked/{SIZE}"
    result = run("get", "--strategy", "fullmesh", address)
    assert digest(result.out) == sha256_of(SIZE)
    assert result.err.startswith("warning: ")
    assert "\nhint: " in result.err


def test_a_transfer_that_breaks_leaves_nothing(run, lab, tmp_path: Path) -> None:
    url = f"{os.environ[names.ORIGIN]}/abort/{SIZE}?at=100000"
    result = run("get", "--strategy", "fullmesh", "-o", str(tmp_path / "file"), url)
    assert result.code in {ExitCode.TRUNCATED, ExitCode.RECEIVE}
    assert list(tmp_path.iterdir()) == []


def test_a_slow_reader_opens_no_path(run, origin, lab, tmp_path: Path) -> None:
    """Deadline looks at what the network delivered; --limit-rate is not its fault, and is said.

    Of a shorter deadline more may have come than it takes to see that the reader is slow.
    """
    lab.change("wifi", rate="20mbit")
    told = tmp_path / "report.json"
    options = ("--deadline", "3s", "--limit-rate", "150kB", "--report", str(told))
    result = run("get", *options, f"{origin}/bytes/{SIZE}")
    assert digest(result.out) == sha256_of(SIZE)
    assert result.err == (
        "note: --limit-rate makes this take 4.0 s: the deadline of 3 s can't be met\n"
    )
    report = json.loads(told.read_text())
    assert [subflow["path"] for subflow in report["subflows"]] == ["wifi"]
    assert report["events"] == []


def test_limit_rate_holds_on_the_link(run, origin, lab) -> None:
    """While the reader waits, the kernel's window stops the sender: most stays there."""
    size = 40_000_000
    lab.change("wifi", rate="400mbit", delay="1ms")

    def wait_for_silence(_: float) -> None:
        before = -1
        while (now := lab.counters()["wifi"].down.bytes) != before:
            before = now
            time.sleep(0.3)
        raise KeyboardInterrupt

    result = run("get", "--limit-rate", "10k", f"{origin}/bytes/{size}", sleep=wait_for_silence)
    assert result.code == ExitCode.INTERRUPTED
    assert lab.counters()["wifi"].down.bytes < size / 2


def test_tls_over_both_paths(run, lab) -> None:
    options = ("--cacert", os.environ[names.CA], "--strategy", "fullmesh")
    result = run("get", *options, f"{os.environ[names.ORIGIN_TLS]}/bytes/{SIZE}")
    assert digest(result.out) == sha256_of(SIZE)
    assert lab.counters()["lte"].down.bytes > 0


def test_doctor_finds_full_control_and_both_paths(run, lab) -> None:
    result = run("doctor", "--json", os.environ[names.ORIGIN])
    assert result.code == 0
    told = [(e["path"], e["protocol"], e["join"]["ok"]) for e in result.json["server"]]
    assert told == [("wifi", "mptcp", True), ("lte", "mptcp", True)]
    assert result.json["auto"] == "subflows"


def test_doctor_sees_that_a_link_is_cut(run, lab) -> None:
    lab.cut("lte")
    told = run("doctor", "--json", os.environ[names.ORIGIN]).json
    assert [entry["path"] for entry in told["server"]] == ["wifi"]


def test_doctor_knows_a_server_without_mptcp(run, lab) -> None:
    result = run("doctor", f"{os.environ[names.ORIGIN_PLAIN]}/chunked/{SIZE}")
    assert result.code == ExitCode.MISSING
    assert "wifi: 10.78.0.1 port 8080 answers over plain TCP" in result.out.decode()
    assert "can't be had in parts: the response doesn't tell its length" in result.out.decode()


def test_doctor_knows_that_parts_do_without_mptcp(run, lab) -> None:
    told = run("doctor", "--json", f"{os.environ[names.ORIGIN_PLAIN]}/bytes/{SIZE}")
    assert (told.code, told.json["in_parts"], told.json["healthy"]) == (0, True, True)


def test_parts_come_over_both_paths(run, lab, tmp_path) -> None:
    """From a server without MPTCP, into a file in which each part has its place."""
    options = ("--strategy", "fullmesh", "-o", str(tmp_path / "body"), "--report", "-")
    told = run("get", *options, f"{os.environ[names.ORIGIN_PLAIN]}/bytes/{SIZE}").json
    assert (told["protocol"], told["mechanism"], told["problems"]) == ("tcp", "ranges", [])
    assert [subflow["path"] for subflow in told["subflows"]] == ["wifi", "lte"]
    assert digest((tmp_path / "body").read_bytes()) == sha256_of(SIZE)
    assert [file.name for file in tmp_path.iterdir()] == ["body"]


def test_multipath_off_is_one_tcp_connection(run, lab) -> None:
    options = ("--strategy", "fullmesh", "--multipath", "off", "-o", os.devnull, "--report", "-")
    told = run("get", *options, f"{os.environ[names.ORIGIN]}/bytes/{SIZE}").json
    assert (told["protocol"], told["mechanism"], told["problems"]) == ("tcp", "none", [])
    assert lab.counters()["lte"].up.syns == 0


def test_a_terminal_shows_a_bar_for_each_path(origin) -> None:
    """A real terminal: bars while it runs, nothing of them afterwards, and a closing line."""
    told = on_terminal("--strategy", "fullmesh", "-o", os.devnull, f"{origin}/bytes/{SIZE}")
    during, closing = told.rsplit("\x1b[2K", 1)
    for words in ("wifi", "lte", "open", "━", f"of {SIZE / 1000} kB"):
        assert words in during
    assert closing.startswith("200 OK, 600.0 kB in ")
    assert "wifi" in closing
    assert "lte" in closing


def on_terminal(*arguments: str) -> str:
    """Run `mphttp get` with stderr on a terminal; return all that it wrote there."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    command = [sys.executable, "-m", "mphttp", "get", *arguments]
    environment = os.environ | {"TERM": "xterm"}
    with subprocess.Popen(command, stderr=slave, env=environment) as process:
        os.close(slave)
        with open(master, "rb", buffering=0) as terminal:
            told = b""
            try:
                while data := terminal.read(4096):
                    told += data
            except OSError:  # EIO: the last writer has gone
                pass
    assert process.returncode == 0
    return told.decode()
