"""A socket whose time-out is what is left of a limit for many calls."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from mphttp.network.time_limit import TimeLimit

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_MOST_BYTES = 4096


class Hurried:
    """A connected socket for a while, until all that its limit is for is done.

    Args:
        sock: does the work.
        limit: for all calls together.

    Attributes:
        sock: the same.
    """

    def __init__(self, sock: socket.socket, limit: TimeLimit) -> None:
        self.sock = sock
        self._limit = limit

    def recv(self, size: int, *flags: int) -> bytes:
        """Return what comes, as a socket does.

        Raises:
            TimeoutError: nothing came in time.
        """
        self.sock.settimeout(self._limit.require())
        return self.sock.recv(size, *flags)

    def receive(self) -> bytes:
        """Return what comes of an answer of a few lines.

        Raises:
            TimeoutError: nothing came in time.
        """
        return self.recv(_MOST_BYTES)

    def sendall(self, data: ReadableBuffer) -> None:
        """Send all of it, as a socket does.

        Raises:
            TimeoutError: the peer took nothing more in time.
        """
        self.sock.settimeout(self._limit.require())
        self.sock.sendall(data)

    def settimeout(self, seconds: float | None) -> None:
        """Set the time-out of the socket itself, for when this isn't used any more."""
        self.sock.settimeout(seconds)

    def __getattr__(self, name: str) -> object:
        return getattr(self.sock, name)
