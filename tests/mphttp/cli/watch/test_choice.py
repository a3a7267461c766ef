"""Whose sockets they are: names that processes give themselves, and processes that come and go."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mphttp.cli.watch.choice import Owners
from mphttp.cli.watch.table import rendered
from mphttp.cli.watch.watcher import Moment

PROGRAM = """
import sys, socket, os
open("/proc/self/comm", "wb").write(bytes.fromhex(sys.argv[1]))
sock = socket.socket()
print(os.fstat(sock.fileno()).st_ino, flush=True)
sys.stdin.read()
"""


@contextmanager
def process(name: bytes) -> Iterator[tuple[int, int]]:
    """Run a process that calls itself so; yield its number, and the inode of its one socket."""
    command = [sys.executable, "-c", PROGRAM, name.hex()]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as child:  # type: ignore[call-overload]
        yield child.pid, int(child.stdout.readline())
        child.stdin.close()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"plain", "plain"),
        (b"\x1b]0;x\x07\x1b[2J", "\\x1b]0;x\\x07\\x1b[2J"),
        (b"\xff\xfe\x9b", "\\xff\\xfe\\x9b"),
        (b"a\nb\r\tc", "a\\nb\\x0d\tc"),
        ("a\u202eb\u200b".encode(), "a\\u202eb\\u200b"),
        (b"[red]x[/]", "[red]x[/]"),
    ],
)
def test_names_can_hold_any_byte(name: bytes, shown: str) -> None:
    owners = Owners()
    with process(name) as (number, inode), socket.socket() as own:
        mine = os.fstat(own.fileno()).st_ino
        told = owners.of([inode, mine])
        assert told[inode] == f"{shown}[{number}]".replace("\\n", "\\x0a")
        assert told[mine].endswith(f"[{os.getpid()}]")
    assert mine not in owners.of([inode])


def test_what_has_gone_is_asked_no_more() -> None:
    with process(b"gone") as (_, inode):
        pass
    assert Owners().of([inode, 2**63]) == {}


def test_a_terminal_obeys_no_line_of_the_table() -> None:
    """The last lines are events, which name interfaces."""
    drawn = rendered(Moment((), ()), ["12:00:00 \x1b[2J\u202e is up"], 40).plain
    assert "\\x1b[2J\\u202e is up" in drawn
    assert all(sign.isprintable() or sign == "\n" for sign in drawn)
