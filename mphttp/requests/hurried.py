"""A socket whose time-out is what is left of a limit for many calls."""

from __future__ import annotations

from typing import Any

from mphttp.network.time_limit import TimeLimit

_MOST_BYTES = 4096


class Hurried:
    """A connected socket for a while, until all that its limit is for is done.

    Args:
        sock: does the work.
        limit: for all calls together.

    Attributes:
        sock: the same.
    """

    def __init__(self, sock: Any, limit: TimeLimit) -> None:
        self.sock = sock
        self._limit = limit

    def recv(self, size: int, *flags: int) -> bytes:
        """Return what comes, as a socket does.

        Raises:
            TimeoutError: nothing came in time.
        """
        self.sock.settimeout(self._limit.require())
        came: bytes = self.sock.recv(size, *flags)
        return came

    def receive(self) -> bytes:
        """Return what comes of an answer of a few lines.

        Raises:
            TimeoutError: nothing came in time.
        """
        return self.recv(_MOST_BYTES)

    def sendall(self, data: Any) -> None:
        """Send all of it, as a socket does.

        Raises:
            TimeoutError: the peer took nothing more in time.
        """
        self.sock.settimeout(self._limit.require())
        self.sock.sendall(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sock, name)
