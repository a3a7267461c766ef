"""What a process, and the network namespace around it, could be left with."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

# include/net/tcp_states.h
_CONNECTED = {"01", "02", "08"}  # established, SYN sent, close wait
_SILENT = {"06", "07", "0A"}  # time wait, closed, listening


def sockets() -> list[tuple[str, str]]:
    """List the TCP sockets of the lab's client that may still send: addresses, state."""
    lines = [
        line.split()
        for family in ("tcp", "tcp6")
        for line in Path("/proc/net", family).read_text().splitlines()[1:]
    ]
    found = ((" ".join(fields[1:3]), fields[3]) for fields in lines)
    return sorted((addresses, state) for addresses, state in found if state not in _SILENT)


def subflows() -> list[tuple[str, str]]:
    """List those on which data can still come."""
    return [(addresses, state) for addresses, state in sockets() if state in _CONNECTED]


def left_open() -> dict[str, object]:
    """Tell what is open now."""
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "subflows": subflows(),
    }


def eventually(state: Callable[[], object], wanted: object, *, within: float = 10) -> None:
    """Wait for what comes with the next packets, and of which nobody is told."""
    end = time.monotonic() + within
    while (now := state()) != wanted:
        assert time.monotonic() < end, f"{now}, not {wanted}"
        time.sleep(0.02)
