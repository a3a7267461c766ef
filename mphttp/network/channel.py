"""Receiving and sending on a connected socket, each call with a limit of its own."""

from __future__ import annotations

import math
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from .tls import Hello

A = TypeVar("A")
T = TypeVar("T")

_TIMEVAL = struct.Struct("@ll")
_LEAST = 1e-6  # seconds; to the kernel, 0 means no limit


class Channel(Protocol):
    """A connected socket that blocks; time-outs are in seconds, None for no limit."""

    @property
    def sock(self) -> socket.socket:
        """The socket."""

    def receive(self, max_bytes: int, timeout: float | None) -> bytes:
        """Return what has come, at least a byte; b"" at the end.

        Raises:
            TimeoutError: nothing came in time.
            OSError: the connection is broken.
        """

    def send(self, data: bytes, timeout: float | None) -> None:
        """Send all of it.

        Raises:
            TimeoutError: the peer took nothing more in time.
            OSError: the connection is broken.
        """


class PlainChannel:
    """One without TLS.

    The kernel watches the limits (socket(7), SO_RCVTIMEO), so that each call is one alone: Python
    polls before each call on a socket that has a limit of its own.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(None)
        self.sock = sock
        self._receiving: float | None = None
        self._sending: float | None = None

    def receive(self, max_bytes: int, timeout: float | None) -> bytes:
        if timeout != self._receiving:
            self._limit(socket.SO_RCVTIMEO, timeout)
            self._receiving = timeout
        try:
            return self.sock.recv(max_bytes)
        except BlockingIOError as error:  # how the kernel says that time is over
            raise TimeoutError("timed out") from error

    def send(self, data: bytes, timeout: float | None) -> None:
        if timeout != self._sending:
            self._limit(socket.SO_SNDTIMEO, timeout)
            self._sending = timeout
        try:
            self.sock.sendall(data)
        except BlockingIOError as error:
            raise TimeoutError("timed out") from error

    def _limit(self, option: int, timeout: float | None) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, option, _timeval(timeout))


class TLSChannel:
    """One under TLS.

    OpenSSL wants one thread at a time, and two may be here: HTTP/2 sends for one response while it
    reads for another. So the socket doesn't block, and nobody waits inside the lock.

    Args:
        sock: connected, taken over by the channel.
        hello: how the handshake begins.
    """

    def __init__(self, sock: socket.socket, hello: Hello) -> None:
        sock.setblocking(False)
        self.sock = hello.on_socket(sock)
        self._lock = threading.Lock()

    def handshake(self, timeout: float | None) -> None:
        """Say hello and verify.

        Args:
            timeout: seconds for the whole of it, or None for no limit.

        Raises:
            TimeoutError: the peer was too slow.
            OSError: it isn't who it should be, speaks no TLS, or the connection is broken.
        """
        self._until_done(lambda _: self.sock.do_handshake(), None, timeout)

    def receive(self, max_bytes: int, timeout: float | None) -> bytes:
        return self._until_done(self.sock.recv, max_bytes, timeout)

    def send(self, data: bytes, timeout: float | None) -> None:
        left = memoryview(data)
        while left:
            left = left[self._until_done(self.sock.send, left, timeout) :]

    def _until_done(self, operation: Callable[[A], T], argument: A, timeout: float | None) -> T:
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            with self._lock:
                try:
                    return operation(argument)
                except ssl.SSLWantReadError:
                    wanted = select.POLLIN
                except ssl.SSLWantWriteError:
                    wanted = select.POLLOUT
            _wait(self.sock, wanted, end)


def _wait(sock: socket.socket, wanted: int, end: float | None) -> None:
    """Wait until a socket is ready, or raise TimeoutError at a time of `time.monotonic`."""
    poll = select.poll()  # one a call: no two threads may share it
    poll.register(sock, wanted)
    left = None if end is None else math.ceil(max(0.0, end - time.monotonic()) * 1000)
    if not poll.poll(left):
        raise TimeoutError("timed out")


def is_readable(sock: socket.socket) -> bool:
    """Tell whether something, if only the end, has come and was not read; a closed socket has."""
    descriptor = sock.fileno()
    if descriptor < 0:
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _timeval(timeout: float | None) -> bytes:
    """Write a struct timeval; all zeros stand for no limit."""
    fraction, whole = math.modf(0.0 if timeout is None else max(timeout, _LEAST))
    return _TIMEVAL.pack(int(whole), int(fraction * 1e6))
