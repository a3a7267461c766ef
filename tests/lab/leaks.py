"""What a process may do, and what it, and the network namespace around it, could be left with."""

from __future__ import annotations

import gc
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from mphttp.engine import engine
from mphttp.engine.reach import known_paths

# include/net/tcp_states.h
_CONNECTED = {"01", "02", "08"}  # established, SYN sent, close wait
_SILENT = {"06", "07", "0A"}  # time wait, closed, listening


def sockets() -> set[tuple[str, str]]:
    """List the TCP sockets of the lab's client that may still send: addresses in hex, state."""
    lines = [
        line.split()
        for family in ("tcp", "tcp6")
        for line in Path("/proc/net", family).read_text().splitlines()[1:]
    ]
    found = ((" ".join(fields[1:3]), fields[3]) for fields in lines)
    return {(addresses, state) for addresses, state in found if state not in _SILENT}


def sockets_at(host: str) -> set[tuple[str, str]]:
    """List those at one IPv4 address."""
    local = socket.inet_aton(host)[::-1].hex().upper()
    return {(addresses, state) for addresses, state in sockets() if addresses.startswith(local)}


def capabilities() -> int:
    """Tell which capabilities this process has, a bit for each (capabilities(7))."""
    status = Path("/proc/self/status").read_text().splitlines()
    (told,) = (line.split()[1] for line in status if line.startswith("CapEff:"))
    return int(told, 16)


def threads() -> int:
    """Count threads, but for those that trio keeps for a while, idle: they have its name again."""
    return sum(not thread.name.startswith("Trio thread ") for thread in threading.enumerate())


def start() -> None:
    """Make what a process has for good: the engine, and what tells it of changed routes."""
    engine.start()
    known_paths.listen()


class Opened:
    """What has been opened since this was made, and is open still."""

    def __init__(self) -> None:
        gc.collect()
        self._before = sockets()
        self._descriptors = len(os.listdir("/proc/self/fd"))
        self._threads = threads()

    def subflows(self) -> int:
        """Count the subflows on which data can come."""
        return sum(state in _CONNECTED for _, state in sockets() - self._before)

    def own(self) -> dict[str, int]:
        """Count what is the process's own; a temporary file has a descriptor and no name."""
        return {
            "descriptors": max(0, len(os.listdir("/proc/self/fd")) - self._descriptors),
            "threads": max(0, threads() - self._threads),  # what another test left may end, too
        }

    def everything(self) -> dict[str, int]:
        """Count all of it."""
        return {**self.own(), "subflows": self.subflows()}


def eventually(state: Callable[[], object], wanted: object, *, within: float = 10) -> None:
    """Wait for what comes with the next packets, and of which nobody is told."""
    end = time.monotonic() + within
    while (now := state()) != wanted:
        assert time.monotonic() < end, f"{now}, not {wanted}"
        time.sleep(0.02)
