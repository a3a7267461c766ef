"""Looking names up within a time limit.

`getaddrinfo` can't be interrupted, and a silent name server holds it for half a minute. So it runs
in a thread that may be left behind; how many there can be is bounded, and none keeps the process.
"""

from __future__ import annotations

import errno
import math
import os
import select
import socket
import threading
from collections import deque
from types import TracebackType
from typing import Self

from mphttp.kernel.addresses import packed

from .hosts import SYSTEM, Hosts
from .names import checked_port
from .socket_types import Found
from .time_limit import TimeLimit

MOST_THREADS = 32
"""Threads that look names up at the same time; further names wait for one."""


class Lookup:
    """A name that is being looked up; a context manager that leaves it to itself at the end.

    Args:
        host: a name.
        port: TCP port.
    """

    def __init__(self, host: str, port: int) -> None:
        self._asked = host, port
        self._lock = threading.Lock()
        self._found: Found | OSError = []
        self._event: int | None = None  # should there be no descriptor
        self._event = os.eventfd(0)

    def fileno(self) -> int:
        """Return a descriptor that can be read from once there is an answer."""
        assert self._event is not None
        return self._event

    @property
    def found(self) -> Found:
        """The answer.

        Raises:
            OSError: there is no such name, or nobody to ask.
        """
        if isinstance(self._found, OSError):
            raise self._found
        return self._found

    def run(self) -> None:
        """Look it up, in a thread that may take its time, unless nobody waits any more."""
        if self._event is None:
            return
        self._found = _asked(*self._asked)
        with self._lock:
            if self._event is not None:
                os.eventfd_write(self._event, 1)

    def __enter__(self) -> Self:
        _threads.take(self)
        return self

    def __exit__(
        self,
        _: type[BaseException] | None,
        __: BaseException | None,
        ___: TracebackType | None,
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        with self._lock:
            event, self._event = self._event, None
        if event is not None:
            os.close(event)

    def __del__(self) -> None:  # a signal's handler may raise before the block begins
        self._leave()


class _Threads:
    """The threads that look names up, as many as are needed and may be."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Lookup] = deque()
        self._running = 0

    def take(self, lookup: Lookup) -> None:
        """Let a thread look a name up, the next one that is free if there may be no more.

        Raises:
            OSError: no thread is to be had.
        """
        with self._lock:
            self._waiting.append(lookup)
            if self._running == MOST_THREADS:
                return
            self._running += 1
        try:
            threading.Thread(target=self._run, name="mphttp-resolve", daemon=True).start()
        except RuntimeError as error:
            with self._lock:
                self._running -= 1
                if self._running:  # another one takes it
                    return
                self._waiting.remove(lookup)
            raise OSError(errno.EAGAIN, f"no thread to look a name up: {error}") from error

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._running -= 1
                    return
                lookup = self._waiting.popleft()
            lookup.run()


_threads = _Threads()


def _after_fork() -> None:
    global _threads  # noqa: PLW0603  the parent's threads aren't here
    _threads = _Threads()


os.register_at_fork(after_in_child=_after_fork)


def look_up(host: str, port: int, limit: TimeLimit, hosts: Hosts = SYSTEM) -> Found:
    """Return the addresses of a host.

    Args:
        host: a name or an IP address, with a zone if need be.
        port: TCP port.
        limit: for how long to wait.
        hosts: what is known of them already, and which addresses count.

    Raises:
        OSError: there is no such name or port, nobody to ask, or no answer in time.
    """
    at_once = look_up_at_once(host, port, hosts)
    if at_once is not None:
        return at_once
    with Lookup(host, port) as lookup:
        poll = select.poll()
        poll.register(lookup, select.POLLIN)
        left = limit.left()
        if not poll.poll(None if left is None else math.ceil(left * 1000)):
            raise TimeoutError(f"the name {host} could not be resolved in time")
        return hosts.of_family(host, lookup.found)


def look_up_at_once(host: str, port: int, hosts: Hosts = SYSTEM) -> Found | None:
    """Return what needs no name server: an IP address as it is; None for a name.

    Raises:
        OSError: there is no such port, or no such zone, or no such address counts.
    """
    known = hosts.known(host, port)
    found = _numeric(host, port) if known is None else known
    return None if found is None else hosts.of_family(host, found)


def _numeric(host: str, port: int) -> Found | None:
    try:
        checked_port(port)
    except ValueError as error:
        raise OSError(errno.EADDRNOTAVAIL, str(error)) from None
    try:
        packed(host)
    except ValueError:
        return None
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)


def _asked(host: str, port: int) -> Found | OSError:
    """Ask the system for addresses; names below localhost are this machine's (RFC 6761, 6.3)."""
    if host.lower().removesuffix(".").endswith(".localhost"):
        host = "localhost"
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return error
    except ValueError as error:  # no name can be so: UnicodeError is one
        return socket.gaierror(socket.EAI_NONAME, f"no name of a host: {error}")
