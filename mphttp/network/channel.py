"""Receiving and sending on a connected socket, each call with a limit of its own."""

from __future__ import annotations

import io
import math
import os
import select
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

from .time_limit import TimeLimit
from .tls import Hello, is_cut

A = TypeVar("A")
T = TypeVar("T")

_LONGEST = 2**31 - 1
"""Milliseconds for which poll(2) can wait."""


class Channel(Protocol):
    """A connected socket that blocks; time-outs are in seconds, None for no limit.

    Attributes:
        taken: bytes that the kernel has taken to be sent.
        cut: whether the connection ended without TLS's word for it (RFC 8446, section 6.1).
    """

    taken: int
    cut: bool

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

    def receive_now(self, max_bytes: int) -> bytes | None:
        """Return what is there, b"" at the end, or None where there is nothing.

        Raises:
            OSError: the connection is broken.
        """

    def send_now(self, data: bytes | memoryview) -> int:
        """Send what can be sent without waiting; return how much of it that was.

        Data that were not sent come first the next time, as TLS asks.

        Raises:
            OSError: the connection is broken.
        """


class PlainChannel:
    """One without TLS, for any number of threads.

    The socket doesn't block: what is there is read by one system call, and the end of a wait is
    computed once. With SO_RCVTIMEO, each signal would begin the wait anew (PEP 475).

    Args:
        sock: connected, taken over by the channel.
    """

    cut = False

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.taken = 0

    def receive(self, max_bytes: int, timeout: float | None) -> bytes:
        try:
            return self.sock.recv(max_bytes)
        except BlockingIOError:
            return self._until_done(self.sock.recv, max_bytes, timeout, select.POLLIN)

    def send(self, data: bytes, timeout: float | None) -> None:
        left = memoryview(data)
        while left:
            size = self._until_done(self.sock.send, left, timeout, select.POLLOUT)
            self.taken += size
            left = left[size:]

    def receive_now(self, max_bytes: int) -> bytes | None:
        return receive_now(self.sock, max_bytes)

    def send_now(self, data: bytes | memoryview) -> int:
        size = send_now(self.sock, data)
        self.taken += size
        return size

    def _until_done(
        self, operation: Callable[[A], T], argument: A, timeout: float | None, wanted: int
    ) -> T:
        limit = TimeLimit(timeout)
        while True:
            try:
                return operation(argument)
            except BlockingIOError:
                wait_for(self.sock, wanted, limit)


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
        self.taken = 0
        self.cut = False
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
        try:
            return self._until_done(self.sock.recv, max_bytes, timeout)
        except ssl.SSLError as error:
            if not is_cut(error):
                raise
            self.cut = True
            return b""

    def send(self, data: bytes, timeout: float | None) -> None:
        left = memoryview(data)
        while left:
            size = self._until_done(self.sock.send, left, timeout)
            self.taken += size
            left = left[size:]

    def receive_now(self, max_bytes: int) -> bytes | None:
        with self._lock:
            return receive_now(self.sock, max_bytes)

    def send_now(self, data: bytes | memoryview) -> int:
        with self._lock:
            size = send_now(self.sock, data)
            self.taken += size
            return size

    def _until_done(self, operation: Callable[[A], T], argument: A, timeout: float | None) -> T:
        limit = TimeLimit(timeout)
        while True:
            with self._lock:
                try:
                    return operation(argument)
                except ssl.SSLWantReadError:
                    wanted = select.POLLIN
                except ssl.SSLWantWriteError:
                    wanted = select.POLLOUT
            wait_for(self.sock, wanted, limit)


def wait_for(sock: socket.socket, wanted: int, limit: TimeLimit) -> None:
    """Wait until a socket is ready, or raise TimeoutError."""
    poll = select.poll()  # one a call: no two threads may share it
    poll.register(sock, wanted)
    left = limit.left()
    if not poll.poll(None if left is None else math.ceil(left * 1000)):
        raise TimeoutError("timed out")


def receive_now(sock: socket.socket, max_bytes: int) -> bytes | None:
    """Read from a socket that doesn't block: b"" at the end, None where there is nothing."""
    try:
        return sock.recv(max_bytes)
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return None
    except ssl.SSLError as error:
        if not is_cut(error):
            raise
        return b""  # the peer left without a word; what needs one asks for it elsewhere


def send_now(sock: socket.socket, data: bytes | memoryview) -> int:
    """Send what a socket that doesn't block takes; return how much that is."""
    try:
        return sock.send(data)
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return 0


class Waker:
    """Lets one thread end another's wait."""

    def __init__(self) -> None:
        self._event = io.FileIO(os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK))

    def fileno(self) -> int:
        """Return a descriptor that can be read from once somebody wants the wait to end."""
        return self._event.fileno()

    def wake(self) -> None:
        """End the wait, or the next one."""
        os.eventfd_write(self.fileno(), 1)

    def close(self) -> None:
        """Give the descriptor back."""
        self._event.close()


def wait_until_ready(
    sock: socket.socket, timeout: float | None, waker: Waker, *, writing: bool
) -> None:
    """Wait until a socket can be read from, or somebody ends the wait, or time is over.

    Args:
        sock: the socket.
        timeout: seconds, or None for no limit.
        waker: ends it.
        writing: wait no longer than until it can be written to.
    """
    poll = select.poll()
    poll.register(sock, select.POLLIN | (select.POLLOUT if writing else 0))
    poll.register(waker, select.POLLIN)
    ready = poll.poll(None if timeout is None else min(math.ceil(timeout * 1000), _LONGEST))
    if any(descriptor == waker.fileno() for descriptor, _ in ready):
        os.eventfd_read(waker.fileno())


def is_readable(sock: socket.socket) -> bool:
    """Return whether something, if only the end, has come and was not read; a closed socket has."""
    descriptor = sock.fileno()
    if descriptor < 0:
        return True
    if isinstance(sock, ssl.SSLSocket) and sock.pending():  # the rest of a record that was begun
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
