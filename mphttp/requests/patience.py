"""Waiting for what a response needs before it gets anywhere: no longer than one time-out in all."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Patience:
    """A time-out that only progress renews: heads, chunks' lines and trailers are none.

    Only the time counts in which something was waited for, not what the caller does meanwhile.

    Args:
        sock: its time-out is the one.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._full = self._left = sock.gettimeout()

    def receive(self, receive: Callable[[WriteableBuffer], int], buffer: WriteableBuffer) -> int:
        """Do as `receive` does.

        Raises:
            TimeoutError: what is left of the time-out is over.
        """
        if self._left is None or self._full is None:
            return receive(buffer)
        if self._left <= 0:
            raise TimeoutError("timed out")
        if self._left < self._full:
            self._sock.settimeout(self._left)
        began = time.monotonic()
        came = receive(buffer)
        self._left -= time.monotonic() - began
        return came

    def renew(self) -> None:
        """Begin anew: there was progress."""
        if self._left != self._full:
            self._left = self._full
            self._sock.settimeout(self._full)
