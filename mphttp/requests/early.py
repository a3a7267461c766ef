"""Sending a request's body, unless its answer comes first and makes that needless."""

from __future__ import annotations

import contextlib
import math
import re
import select
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_INTERIM = re.compile(rb"HTTP/\d\.\d 1\d\d.*?\r?\n\r?\n", re.DOTALL)
_REFUSAL = re.compile(rb"HTTP/\d\.\d [45]\d\d")
_MOST = 65536
"""Bytes that are read before the request has left; an answer that is longer waits."""
_PART = 1 << 20
"""Bytes that are given to a socket at once."""


class Early:
    """What comes while a request's body leaves; under TLS it can't be looked at and left there."""

    def __init__(self) -> None:
        self._came = bytearray()

    def send(self, sock: socket.socket, data: bytes) -> None:
        """Send all of it, each part within the socket's time-out.

        Raises:
            BrokenPipeError: the server has said no, or takes nothing more, so that urllib3 goes on
                to its answer (RFC 9112, section 9.5).
            TimeoutError: it doesn't take any more in time.
        """
        timeout = sock.gettimeout()
        sock.settimeout(0)
        try:
            self._send(sock, memoryview(data).cast("B"), timeout)
        except OSError as error:
            if isinstance(error, TimeoutError) or not self._answered(sock):
                raise
            raise BrokenPipeError("the server has answered already") from error
        finally:
            sock.settimeout(timeout)

    def _send(self, sock: socket.socket, left: memoryview, timeout: float | None) -> None:
        poll, wait = select.poll(), None if timeout is None else math.ceil(timeout * 1000)
        while left:
            self._look(sock)
            wanted = select.POLLOUT
            try:
                left = left[sock.send(left[:_PART]) :]
                continue
            except ssl.SSLWantReadError:
                wanted = select.POLLIN
            except (BlockingIOError, ssl.SSLWantWriteError):
                if len(self._came) < _MOST:
                    wanted |= select.POLLIN
            poll.register(sock, wanted)
            if not poll.poll(wait):
                raise TimeoutError("timed out")

    def _answered(self, sock: socket.socket) -> bool:
        """Return whether anything came before the server took no more."""
        with contextlib.suppress(OSError):
            self._look(sock)
        return bool(self._came)

    def _look(self, sock: socket.socket) -> None:
        """Read what has come, which an answer may be."""
        if len(self._came) >= _MOST:
            return
        try:
            came = sock.recv(_MOST)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        self._came += came
        if not came or _refuses(self._came):
            raise BrokenPipeError("the server has answered already")

    def before(self, receive: Callable[[WriteableBuffer], int]) -> Callable[[WriteableBuffer], int]:
        """Return what gives first what came early, and then what `receive` gives."""

        def first(buffer: WriteableBuffer) -> int:
            if not self._came:
                return receive(buffer)
            room = memoryview(buffer)
            size = min(len(room), len(self._came))
            room[:size] = self._came[:size]
            del self._came[:size]
            return size

        return first


def _refuses(came: bytes | bytearray) -> bool:
    """Return whether an answer is an error, after any that are on the way to one."""
    at = 0
    while (interim := _INTERIM.match(came, at)) is not None:
        at = interim.end()
    return _REFUSAL.match(came, at) is not None


def chunk_size(data: bytes) -> int:
    """Return the bytes of the body in what urllib3 sends at once: a chunk, or the last one."""
    size, _, _ = bytes(data[:16]).partition(b"\r\n")
    try:
        return int(size, 16)
    except ValueError:  # no chunk: the caller's own framing
        return len(data)
