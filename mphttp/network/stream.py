"""Streams under HTTP: sockets whose connections the engine knows, in the shape that httpcore asks.

`unread` gives back what was read too far; that is how a body goes past the parser of its head.
"""

from __future__ import annotations

import select
import ssl
from collections.abc import Callable
from typing import Any, TypeVar

import anyio

from mphttp.engine import Connection, Exchange
from mphttp.engine.request import current_request

from .channel import (
    Channel,
    TLSChannel,
    Waker,
    is_readable,
    wait_for,
    wait_until_ready,
)
from .channel_async import AsyncChannel
from .dialogue import Dialogue, hold, hold_async
from .errors import StreamErrors
from .time_limit import TimeLimit
from .tls import Hello, nothing_unread
from .tls_in_tls import InnerTLS

T = TypeVar("T")

_EARLY = 65536
"""Bytes that are read at once of what comes while a request leaves."""
_RECORDS = 65536
"""Bytes that are read at once for the inner of two layers of TLS."""


class _Socketed:
    """What both kinds of stream answer about their socket."""

    _channel: Channel | AsyncChannel
    _connection: Connection | None
    _errors: StreamErrors
    _inner: InnerTLS | None = None
    _ahead = b""

    def unread(self, data: bytes) -> None:
        """Give back what the next read is to return first."""
        self._ahead = data + self._ahead

    @property
    def ahead(self) -> bool:
        """Whether something was given back and not read again."""
        return bool(self._ahead)

    def _take_ahead(self, max_bytes: int) -> bytes:
        taken, self._ahead = self._ahead[:max_bytes], self._ahead[max_bytes:]
        return taken

    def begin(self) -> Exchange | None:
        """Record that the current request is about to leave; return its transfer, if it has one.

        Raises:
            StrategyProblem: its strategy is strict, and something doesn't work.
        """
        request = current_request()
        if request is None or self._connection is None:
            return None
        return self._connection.begin(request)

    def _sent(self) -> None:
        if self._connection is not None:
            self._connection.sent()

    def _wrapped(self) -> None:
        if self._connection is not None:  # it looks at the socket, and resets one that is given up
            self._connection.replace_socket(self._channel.sock)

    def _close(self) -> None:
        if self._connection is None:
            self._channel.sock.close()
        else:
            self._connection.close(self._channel.sock.close)

    def read_now(self, max_bytes: int) -> bytes | None:
        """Return what is there, b"" at the end, or None where there is nothing; never wait."""
        if self._ahead:
            return self._take_ahead(max_bytes)
        try:
            return self._channel.receive_now(max_bytes)
        except OSError as error:
            raise self._errors.ReadError(str(error)) from error

    def write_now(self, data: bytes | memoryview) -> int:
        """Send what can be sent without waiting; return how much of it that was."""
        self._sent()
        try:
            size = self._channel.send_now(data)
        except OSError as error:
            raise self._errors.WriteError(str(error)) from error
        if size:
            self._sent()
        return size

    def _came_early(self) -> bytes | None:
        """Return what has come while the peer takes no more of a request."""
        return self.read_now(_EARLY) if self.is_readable() else None

    @property
    def inside(self) -> bool:
        """Whether this is TLS within TLS, which `read_now` and `write_now` don't undo."""
        return self._inner is not None

    def close_now(self) -> None:
        """Close the socket."""
        self._close()

    def is_readable(self) -> bool:
        """Return whether something, if only the end, has come and was not read."""
        within = self._inner is not None and self._inner.unread
        return within or is_readable(self._channel.sock)

    @property
    def cut(self) -> bool:
        """Whether it ended without TLS's word for it: whatever came may not be all."""
        return self._channel.cut if self._inner is None else self._inner.cut

    @property
    def taken(self) -> int:
        """Bytes that the kernel has taken to be sent."""
        return self._channel.taken

    def is_stranded(self) -> bool:
        """Return whether no subflow is left that could carry a next request."""
        return self._connection is not None and self._connection.stranded

    def get_extra_info(self, info: str) -> Any:
        """Answer what httpcore asks of a stream, and "connection": what the engine knows it by."""
        if info == "connection":
            return self._connection
        sock = self._channel.sock
        answers: dict[str, Callable[[], Any]] = {
            "is_readable": self.is_readable,
            "ssl_object": self._ssl_object,
            "socket": lambda: sock,
            "client_addr": sock.getsockname,
            "server_addr": sock.getpeername,
        }
        return answers[info]() if info in answers else None

    def _ssl_object(self) -> ssl.SSLObject | ssl.SSLSocket | None:
        """Return what answers as an SSLObject does: an SSLSocket, too, knows what was agreed on."""
        sock = self._channel.sock
        if self._inner is not None:
            return self._inner.ssl_object
        return sock if isinstance(sock, ssl.SSLSocket) else None


class MultipathStream(_Socketed):
    """A connected socket that blocks.

    Args:
        channel: the socket.
        connection: what the engine knows it by; None for a Unix socket, which has one path.
        errors: the exceptions that are raised.
    """

    def __init__(
        self, channel: Channel, connection: Connection | None, errors: StreamErrors
    ) -> None:
        self._channel: Channel = channel
        self._connection = connection
        self._errors = errors

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._ahead:
            return self._take_ahead(max_bytes)
        try:
            if self._inner is not None:
                return self._within(self._inner.read(max_bytes), TimeLimit(timeout))
            return self._channel.receive(max_bytes, timeout)
        except TimeoutError as error:
            raise self._errors.ReadTimeout("timed out") from error
        except OSError as error:
            raise self._errors.ReadError(str(error)) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._sent()
        try:
            if self._inner is not None:
                self._within(self._inner.write(buffer), TimeLimit(timeout))
            else:
                self._channel.send(buffer, timeout)
        except TimeoutError as error:
            raise self._errors.WriteTimeout("timed out") from error
        except OSError as error:
            raise self._errors.WriteError(str(error)) from error
        self._sent()

    def write_some(self, left: memoryview, timeout: float | None) -> tuple[int, bytes | None]:
        """Send a part of this; return how much, and what came meanwhile, which an answer may be.

        Nothing comes is None, and the end is b"". Of TLS within TLS, nothing is seen to come.
        """
        if self._inner is not None:
            self.write(bytes(left), timeout)
            return len(left), None
        limit = TimeLimit(timeout)
        while True:
            size = self.write_now(left)
            came = self._came_early() if size < len(left) else None
            if size or came is not None:
                return size, came
            try:
                wait_for(self._channel.sock, select.POLLIN | select.POLLOUT, limit)
            except TimeoutError as error:
                raise self._errors.WriteTimeout("timed out") from error

    def wait_until_ready(self, timeout: float | None, waker: Waker, *, writing: bool) -> None:
        """Wait as `mphttp.network.channel.wait_until_ready` does."""
        wait_until_ready(self._channel.sock, timeout, waker, writing=writing)

    def close(self) -> None:
        self._close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> MultipathStream:
        """Begin TLS where the protocol has been switched, as on httpcore's streams."""
        return self.begin_tls(Hello(ssl_context, server_hostname), TimeLimit(timeout))

    def begin_tls(self, hello: Hello, limit: TimeLimit) -> MultipathStream:
        try:
            nothing_unread(self._channel.sock, ahead=self.ahead)
            if isinstance(self._channel.sock, ssl.SSLSocket):
                inner = InnerTLS(hello)
                self._within(inner.handshake(), limit)
                self._inner = inner
            else:
                self._channel = tls = TLSChannel(self._channel.sock, hello)
                self._wrapped()
                tls.handshake(limit.left())
        except BaseException as error:
            self.close()
            if isinstance(error, TimeoutError):
                raise self._errors.ConnectTimeout("the TLS handshake timed out") from error
            if isinstance(error, OSError):
                raise self._errors.ConnectError(str(error)) from error
            raise
        return self

    def _within(self, dialogue: Dialogue[T], limit: TimeLimit) -> T:
        """Hold a dialogue of the inner layer over the outer one."""
        outer = self._channel
        return hold(
            dialogue,
            lambda: outer.receive(_RECORDS, limit.left()),
            lambda data: outer.send(data, limit.left()),
        )


class AsyncMultipathStream(_Socketed):
    """A connected socket that doesn't block the event loop.

    Args:
        channel: the socket.
        connection: what the engine knows it by; None for a Unix socket, which has one path.
        errors: the exceptions that are raised.
    """

    def __init__(
        self, channel: AsyncChannel, connection: Connection | None, errors: StreamErrors
    ) -> None:
        self._channel: AsyncChannel = channel
        self._connection = connection
        self._errors = errors

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._ahead:
            return self._take_ahead(max_bytes)
        try:
            if self._inner is not None:
                return await self._within(self._inner.read(max_bytes), TimeLimit(timeout))
            return await self._channel.receive(max_bytes, timeout)
        except TimeoutError as error:
            raise self._errors.ReadTimeout("timed out") from error
        except OSError as error:
            raise self._errors.ReadError(str(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._sent()
        try:
            if self._inner is not None:
                await self._within(self._inner.write(buffer), TimeLimit(timeout))
            else:
                await self._channel.send(buffer, timeout)
        except TimeoutError as error:
            raise self._errors.WriteTimeout("timed out") from error
        except OSError as error:
            raise self._errors.WriteError(str(error)) from error
        self._sent()

    async def write_some(self, left: memoryview, timeout: float | None) -> tuple[int, bytes | None]:
        """Send a part of this; return how much, and what came meanwhile, which an answer may be.

        Nothing comes is None, and the end is b"". Of TLS within TLS, nothing is seen to come.
        """
        if self._inner is not None:
            await self.write(bytes(left), timeout)
            return len(left), None
        try:
            with anyio.fail_after(timeout):
                while True:
                    size = self.write_now(left)
                    came = self._came_early() if size < len(left) else None
                    if size or came is not None:
                        return size, came
                    await self._channel.wait_until_ready(writing=True)
        except TimeoutError as error:
            raise self._errors.WriteTimeout("timed out") from error

    async def give_way(self) -> None:
        """Let other tasks have a turn, if this one didn't wait for long."""
        await self._channel.give_way()

    async def wait_until_ready(self, *, writing: bool) -> None:
        """Wait until there is something to read, or, if `writing`, something can be sent."""
        await self._channel.wait_until_ready(writing=writing)

    async def aclose(self) -> None:
        self._close()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> AsyncMultipathStream:
        """Begin TLS where the protocol has been switched, as on httpcore's streams."""
        return await self.begin_tls(Hello(ssl_context, server_hostname), TimeLimit(timeout))

    async def begin_tls(self, hello: Hello, limit: TimeLimit) -> AsyncMultipathStream:
        try:
            nothing_unread(self._channel.sock, ahead=self.ahead)
            if isinstance(self._channel.sock, ssl.SSLSocket):
                inner = InnerTLS(hello)
                await self._within(inner.handshake(), limit)
                self._inner = inner
            else:
                self._channel.wrap(hello)
                self._wrapped()
                await self._channel.handshake(limit.left())
        except BaseException as error:  # also when the task is cancelled
            await self.aclose()
            if isinstance(error, TimeoutError):
                raise self._errors.ConnectTimeout("the TLS handshake timed out") from error
            if isinstance(error, OSError):
                raise self._errors.ConnectError(str(error)) from error
            raise
        return self

    async def _within(self, dialogue: Dialogue[T], limit: TimeLimit) -> T:
        """Hold a dialogue of the inner layer over the outer one."""
        outer = self._channel
        return await hold_async(
            dialogue,
            lambda: outer.receive(_RECORDS, limit.left()),
            lambda data: outer.send(data, limit.left()),
        )
