"""Receiving and sending on a connected socket, without blocking an event loop."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from anyio.lowlevel import checkpoint

from .channel import receive_now, send_now
from .tls import Hello, is_cut

A = TypeVar("A")
T = TypeVar("T")

_OTHERS_AFTER = 0.002
"""Seconds after which other tasks have a turn, though there would be more to read at once."""


class AsyncChannel:
    """A connected socket, with or without TLS; time-outs are in seconds, None for no limit.

    Args:
        sock: connected, taken over by the channel.

    Attributes:
        taken: bytes that the kernel has taken to be sent.
        cut: whether the connection ended without TLS's word for it (RFC 8446, section 6.1).
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.taken = 0
        self.cut = False
        self._waited_at = time.monotonic()

    def wrap(self, hello: Hello) -> None:
        """Put all from here on under TLS; the handshake comes first.

        Args:
            hello: how it begins.
        """
        self.sock = hello.on_socket(self.sock)

    async def handshake(self, timeout: float | None) -> None:
        """Say hello and verify.

        Args:
            timeout: seconds for the whole of it, or None for no limit.

        Raises:
            TimeoutError: the peer was too slow.
            OSError: it isn't who it should be, speaks no TLS, or the connection is broken.
        """
        sock = self.sock
        assert isinstance(sock, ssl.SSLSocket)
        await self._until_done(lambda _: sock.do_handshake(), None, timeout)

    async def receive(self, max_bytes: int, timeout: float | None) -> bytes:
        """Return what has come, at least a byte; b"" at the end.

        Raises:
            TimeoutError: nothing came in time.
            OSError: the connection is broken.
        """
        await self.give_way()
        try:
            try:
                return self.sock.recv(max_bytes)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return await self._until_done(self.sock.recv, max_bytes, timeout)
        except ssl.SSLError as error:
            if not is_cut(error):
                raise
            self.cut = True
            return b""

    async def send(self, data: bytes, timeout: float | None) -> None:
        """Send all of it.

        Raises:
            TimeoutError: the peer took nothing more in time.
            OSError: the connection is broken.
        """
        left = memoryview(data)
        while left:
            size = await self._until_done(self.sock.send, left, timeout, writing=True)
            self.taken += size
            left = left[size:]

    def receive_now(self, max_bytes: int) -> bytes | None:
        """Return what is there, b"" at the end, or None where there is nothing.

        Raises:
            OSError: the connection is broken.
        """
        return receive_now(self.sock, max_bytes)

    def send_now(self, data: bytes | memoryview) -> int:
        """Send what can be sent without waiting; return how much of it that was.

        Data that were not sent come first the next time, as TLS asks.

        Raises:
            OSError: the connection is broken.
        """
        size = send_now(self.sock, data)
        self.taken += size
        return size

    async def give_way(self) -> None:
        """Let other tasks have a turn, if this one didn't wait for long."""
        if time.monotonic() - self._waited_at > _OTHERS_AFTER:
            await checkpoint()
            self._waited_at = time.monotonic()

    async def wait_until_ready(self, *, writing: bool) -> None:
        """Wait until there is something to read.

        Args:
            writing: wait no longer than until something can be sent.
        """
        if writing:
            async with anyio.create_task_group() as tasks:
                for wait in (anyio.wait_readable, anyio.wait_writable):
                    tasks.start_soon(self._first, wait, tasks.cancel_scope)
        else:
            await anyio.wait_readable(self.sock)
        self._waited_at = time.monotonic()

    async def _first(
        self, wait: Callable[[socket.socket], Awaitable[None]], others: anyio.CancelScope
    ) -> None:
        await wait(self.sock)
        others.cancel()

    async def _until_done(
        self,
        operation: Callable[[A], T],
        argument: A,
        timeout: float | None,
        *,
        writing: bool = False,
    ) -> T:
        with anyio.fail_after(timeout):
            while True:
                try:
                    return operation(argument)
                except ssl.SSLWantReadError:
                    wait = anyio.wait_readable
                except ssl.SSLWantWriteError:
                    wait = anyio.wait_writable
                except BlockingIOError:
                    wait = anyio.wait_writable if writing else anyio.wait_readable
                await wait(self.sock)
                self._waited_at = time.monotonic()
