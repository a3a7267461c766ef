"""How long one call on a socket may take, at the least cost."""

from __future__ import annotations

import math
import socket
import ssl
import struct
from typing import Protocol

TimedOut = (TimeoutError, BlockingIOError)
"""What a call raises that took too long: Python's own limit, and the kernel's (EAGAIN)."""

_TIMEVAL = struct.Struct("@ll")
_LEAST = 1e-6  # seconds; to the kernel, 0 means no limit


class Timeouts(Protocol):
    """The limits of a socket's calls, in seconds; None for no limit."""

    def reading(self, timeout: float | None) -> None:
        """Limit what the next call that receives may take."""

    def writing(self, timeout: float | None) -> None:
        """Limit what the next call that sends may take."""


class KernelTimeouts:
    """Limits that the kernel watches (socket(7), SO_RCVTIMEO), so that each call is one alone.

    Python polls before each call on a socket that has a limit of its own.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(None)
        self._sock = sock
        self._reading: float | None = None
        self._writing: float | None = None

    def reading(self, timeout: float | None) -> None:
        if timeout != self._reading:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(timeout))
            self._reading = timeout

    def writing(self, timeout: float | None) -> None:
        if timeout != self._writing:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(timeout))
            self._writing = timeout


class PythonTimeouts:
    """Limits that Python watches, for TLS: where the kernel stops, Python's ssl tries again."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock
        self._timeout = sock.gettimeout()

    def reading(self, timeout: float | None) -> None:
        # Each settimeout is a system call (ioctl), even when nothing changes.
        if timeout != self._timeout:
            self._sock.settimeout(timeout)
            self._timeout = timeout

    writing = reading


def timeouts_of(sock: socket.socket) -> Timeouts:
    """Choose who watches the limits of a connected socket."""
    return PythonTimeouts(sock) if isinstance(sock, ssl.SSLSocket) else KernelTimeouts(sock)


def _timeval(timeout: float | None) -> bytes:
    """Write a struct timeval; all zeros stand for no limit."""
    fraction, whole = math.modf(0.0 if timeout is None else max(timeout, _LEAST))
    return _TIMEVAL.pack(int(whole), int(fraction * 1e6))
