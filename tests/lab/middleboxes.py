"""What a server or something before it does to further subflows, and what reports say of it."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mphttp import Report
from mphttp.lab import LabClient, names

REFUSING = {
    "resets MP_JOIN": ["input", "tcp option mptcp subtype 1 reject with tcp reset"],
    "strips MP_JOIN": ["prerouting", "tcp option mptcp subtype 1 reset tcp option mptcp"],
}
_JOINED = "tcp flags & (syn | ack) == syn tcp option mptcp subtype 1 ct mark set 1"


def killing(packets: int) -> list[str]:
    """Let each subflow that joins be reset after so many packets of the client's, and no other."""
    reset = f"ct mark 1 ct original packets > {packets} reject with tcp reset"
    return ["input", _JOINED, reset]


DROPPING = ["input", "tcp option mptcp subtype 1 tcp flags & (syn | ack) == syn drop"]
"""Nobody hears of a subflow that wants to join."""


def in_server(lab: LabClient, *command: str) -> None:
    """Run a command in the server's namespace."""
    assert lab.in_server(command, stdout=subprocess.DEVNULL).wait() == 0


@contextmanager
def middlebox(lab: LabClient, does: Sequence[str]) -> Iterator[None]:
    """Put something before the server that meddles with packets.

    Args:
        lab: the laboratory.
        does: the hook of netfilter's at which it does that, then its rules.
    """
    lines = (f"type filter hook {does[0]} priority -150", *does[1:])
    in_server(lab, "nft", "table inet box {\nchain meddles {\n" + "\n".join(lines) + "\n}\n}\n")
    try:
        yield
    finally:
        in_server(lab, "nft", "delete", "table", "inet", "box")


@contextmanager
def killer(lab: LabClient) -> Iterator[None]:
    """Let the server's side of LTE be reset again and again, whatever it is."""
    stop = threading.Event()

    def kill() -> None:
        command = ["ss", "--tcp", "--kill", "dst", names.client_address(1)]
        while not stop.wait(0.05):
            lab.in_server(command, stdout=subprocess.DEVNULL).wait()

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def hint_of(report: Report, words: str) -> str:
    """Return the one hint of the problems that have these words, for whatever reasons."""
    (hint,) = {problem.hint for problem in report.problems if words in problem.what}
    return hint
