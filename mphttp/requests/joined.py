"""The body of a first response, joined with what other connections bring, read as from a socket."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from mphttp.ranges.assembly import Assembly
from mphttp.ranges.reader import Reader, TooShortError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_READ = 64 * 1024
"""Bytes that are read at once."""
_NOWHERE = memoryview(bytearray())


class Joined:
    """Reads on in the first response, and takes what others brought.

    Args:
        sock: of the first response; its time-out is the caller's.
        assembly: what others bring.
        ahead: what of the body came with the head.
        hang_up: closes the first response's connection.
    """

    failures: tuple[type[Exception], ...] = (OSError,)

    def __init__(
        self, sock: socket.socket, assembly: Assembly, ahead: bytes, hang_up: Callable[[], None]
    ) -> None:
        self._sock = sock
        self._timeout = sock.gettimeout()
        self._reader = Reader(assembly, self._timeout)
        self._hang_up = hang_up
        self._given = memoryview(b"")
        self._left = assembly.resource.length - len(ahead)
        self._reader.came_before(ahead)
        self._target = _NOWHERE  # where the next bytes are wanted
        self._in_place: bytes | None = None  # those that are there already

    def receive(self, buffer: WriteableBuffer) -> int:
        """Do as `socket.recv_into`.

        Raises:
            OSError: nobody brings the rest, or not in time.
        """
        room = memoryview(buffer)
        if not self._given:
            given, in_place = self._next_into(room)
            if in_place:
                return len(given)
            self._given = memoryview(given)
        size = min(len(room), len(self._given))
        room[:size] = self._given[:size]
        self._given = self._given[size:]
        return size

    def _next_into(self, target: memoryview) -> tuple[bytes, bool]:
        """Return what comes next, and whether it was put into the target already."""
        self._target = target
        try:
            given = self._reader.next(self)
            return given, given is self._in_place
        except TooShortError:  # whoever reads knows how much is missing
            return b"", False
        finally:
            self._target, self._in_place = _NOWHERE, None  # whose memory is the caller's

    def read(self, seconds: float) -> bytes | None:
        """Read on in the first response (mphttp.ranges.reader)."""
        if self._sock.gettimeout() != seconds:
            self._sock.settimeout(seconds)
        try:
            if self._reader.assembly.passing:  # without a copy: a view is as good as bytes here
                size = self._sock.recv_into(self._target[: self._left])
                part = self._in_place = cast("bytes", self._target[:size])
            else:
                part = self._sock.recv(min(_READ, self._left))
        except TimeoutError:
            return None
        self._left -= len(part)
        return part

    def over(self) -> None:
        """Close the first response's connection: more would come of it."""
        self._hang_up()

    def end(self) -> None:
        """Let the connection be used again, if the first response was read to its end."""
        if self._reader.assembly.passing or self._reader.assembly.first.read_whole:
            self._sock.settimeout(self._timeout)
        else:
            self.over()
