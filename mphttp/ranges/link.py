"""What a connection that brings parts can do; how it is made is the door's."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Protocol

from mphttp.kernel.values import Path, SocketAddress

from .resource import Refusal


class Refused(Exception):
    """The server gave another answer than the part that it was asked for.

    Args:
        refusal: what it was.
    """

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.what)
        self.refusal = refusal


class Ended(Exception):
    """The server ended a connection between two parts, as it may at any time."""


def words_of(error: BaseException) -> str:
    """Say what broke a connection, in the system's words where the reason is the system's."""
    for reason in (error, error.__cause__):
        if isinstance(reason, OSError) and reason.strerror:
            return reason.strerror
    return str(error) or type(error).__name__


class Link(Protocol):
    """A connection to the origin over one path, for one thread; `abort` is for any.

    `connect` makes it anew each time that it is called.
    """

    @property
    def sock(self) -> socket.socket | None:
        """The socket, once there is one."""

    def connect(self) -> None:
        """Connect, with TLS and through a proxy where the first response came so.

        Raises:
            OSError: it didn't work.
        """

    def ask(self, start: int, stop: int) -> None:
        """Ask for a part; parts come in the order in which they were asked for.

        Raises:
            OSError: the connection is broken.
        """

    def read(self) -> bytes:
        """Return the next bytes of the oldest part that isn't whole.

        Raises:
            Refused: the answer isn't that part.
            Ended: the server ended the connection before it.
            OSError: the connection is broken.
        """

    def close(self) -> None:
        """Release the socket."""

    def abort(self) -> None:
        """Wake whoever waits in one of the others: it fails."""


Linker = Callable[[Path, SocketAddress], Link]
"""Makes what connects over a path to an address of the server, or of the proxy before it."""
