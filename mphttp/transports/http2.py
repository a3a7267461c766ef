"""HTTP/2 over one stream, in the shape of httpcore's connections; multiplex.py knows the protocol.

Of all that wait for something to come, one reads for all; when it has what it waited for, another
takes its place.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import anyio
import h2.exceptions

from .body import AsyncBody, Body, closing
from .extensions import step, step_async, timeout_of
from .host import Host
from .multiplex import Ended, Multiplex, has_body
from .stream import AsyncMultipathStream, MultipathStream

T = TypeVar("T")

_READ = 131072
"""Bytes that are read at once."""
_LAST_WORD = 1.0
"""Seconds for telling the server that a response is given up."""


class _HTTP2:
    """What both kinds of connection know of themselves.

    Args:
        host: whose exceptions are raised.
        keepalive_expiry: seconds for which it may be idle, or None for no limit.
    """

    _stream: MultipathStream | AsyncMultipathStream

    def __init__(self, host: Host, keepalive_expiry: float | None) -> None:
        self._core = host.httpcore
        self._keepalive_expiry = keepalive_expiry
        self._expire_at: float | None = None
        self._closed = False
        self._begun = False
        self._requests = 0
        self._reading = False
        self._multiplex = Multiplex()

    def _open(self, request: Any) -> int:
        if not self._begun:
            self._begun = True
            self._multiplex.begin()
        url, self._expire_at = request.url, None
        self._requests += 1
        return self._multiplex.open(request.method, url.scheme, url.target, request.headers)

    def _forget(self, number: int) -> None:
        self._multiplex.forget(number)
        if self._multiplex.idle and self._keepalive_expiry is not None:
            self._expire_at = time.monotonic() + self._keepalive_expiry

    def _response(self, head: tuple[int, Any], number: int, body: Any) -> Any:
        status, headers = head
        return self._core.Response(
            status=status,
            headers=headers,
            content=body,
            extensions={
                "http_version": b"HTTP/2",
                "network_stream": self._stream,
                "stream_id": number,
                "body": body,
            },
        )

    @contextlib.contextmanager
    def _errors(self, *, answered: bool = False) -> Iterator[None]:
        """Raise the core's exceptions; the pool tries again what the server hasn't looked at."""
        try:
            yield
        except Ended as error:
            if error.untouched and not answered:
                raise self._core.ConnectionNotAvailable from error
            raise self._core.RemoteProtocolError(str(error)) from error
        except h2.exceptions.ProtocolError as error:
            raise self._core.LocalProtocolError(str(error)) from error

    def can_multiplex(self) -> bool:
        """Whether several requests can be under way at once."""
        return True

    def is_available(self) -> bool:
        """Whether it can take a request."""
        return not self._closed and not self._multiplex.leaving

    def has_expired(self) -> bool:
        """Whether it was idle for too long, or has come to its end."""
        if self.is_idle() and (self._multiplex.leaving or self._stream.is_stranded()):
            return True
        return self._expire_at is not None and time.monotonic() > self._expire_at

    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._closed and self._begun and self._multiplex.idle

    def is_closed(self) -> bool:
        """Whether it is of no use any more."""
        return self._closed

    def info(self) -> str:
        """Say it in a few words, as httpcore's connections do."""
        state = "CLOSED" if self._closed else "IDLE" if self.is_idle() else "ACTIVE"
        return f"HTTP/2, {state}, Request Count: {self._requests}"


class HTTP2Connection(_HTTP2):
    """One that blocks, for any number of threads."""

    def __init__(self, stream: MultipathStream, host: Host, keepalive_expiry: float | None) -> None:
        super().__init__(host, keepalive_expiry)
        self._stream: MultipathStream = stream
        self._news = threading.Condition()  # its lock is for all but input and output
        self._sending = threading.Lock()

    def handle_request(self, request: Any) -> Any:
        """Send a request and return the response, whose body is still to be read."""
        with self._errors():
            self._catch_up(timeout_of(request, "read"))
            number = self._next(request)
        try:
            with self._errors():
                self._send(number, request)
                with step(request, "http2.receive_response_headers", stream_id=number) as returned:
                    timeout = timeout_of(request, "read")
                    head = returned(self._await(lambda: self._multiplex.head(number), timeout))
        except BaseException:
            self.response_closed(number)
            raise
        return self._response(head, number, Body(self, number, request, "http2"))

    def _next(self, request: Any) -> int:
        with self._news:
            limit = timeout_of(request, "pool")
            room = lambda: self._multiplex.room or not self.is_available()  # noqa: E731
            if not self._news.wait_for(room, limit):
                raise self._core.PoolTimeout("no stream of the connection became free in time")
            if not self.is_available():
                raise self._core.ConnectionNotAvailable
            return self._open(request)

    def _send(self, number: int, request: Any) -> None:
        timeout = timeout_of(request, "write")
        with step(request, "http2.send_request_headers", stream_id=number):
            self._flush(timeout)
        with step(request, "http2.send_request_body", stream_id=number):
            if not has_body(request.headers):
                return
            for chunk in request.stream:
                self._send_part(number, memoryview(chunk), timeout)
            with self._news:
                self._multiplex.end(number)
            self._flush(timeout)

    def _send_part(self, number: int, left: memoryview, timeout: float | None) -> None:
        while left:
            size = self._await(
                lambda left=left: self._multiplex.send(number, left),  # type: ignore[misc]
                timeout,
                self._core.WriteTimeout,
            )
            left = left[size:]
            self._flush(timeout)

    def next_part(self, number: int, timeout: float | None) -> bytes:
        """Return what has come of a body, at least a byte; b"" at its end."""
        with self._errors(answered=True):
            part = self._await(lambda: self._multiplex.part(number), timeout)
            self._flush_if_possible(timeout)
        return part

    def _await(self, ready: Callable[[], T | None], timeout: float | None, late: Any = None) -> T:
        """Read, or let another thread read, until there is an answer."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            with self._news:
                if (outcome := ready()) is not None:
                    return outcome
                left = None if end is None else max(0.0, end - time.monotonic())
                if self._reading:
                    if not self._news.wait(left):
                        raise (late or self._core.ReadTimeout)("timed out")
                    continue
                self._reading = True
            self._read(left, late)

    def _read(self, timeout: float | None, late: Any = None) -> None:
        """Read once, in the role of the one who does."""
        data = None
        try:
            data = self._stream.read(_READ, timeout)
        except self._core.ReadTimeout as error:
            raise (late or self._core.ReadTimeout)("timed out") from error
        except self._core.ReadError as error:
            with self._news:
                self._multiplex.fail(Ended(str(error)))
            raise
        finally:
            with self._news:
                self._reading = False
                if data is not None:
                    self._multiplex.receive(data)
                self._news.notify_all()
        self._flush_if_possible(timeout)

    def _catch_up(self, timeout: float | None) -> None:
        """Take what came while nobody read, such as the server's goodbye."""
        while True:
            with self._news:
                if self._reading or not self.is_idle() or not self._stream.is_readable():
                    return
                if not self.is_available():
                    raise self._core.ConnectionNotAvailable
                self._reading = True
            with contextlib.suppress(self._core.ReadError, self._core.ReadTimeout):
                self._read(timeout)

    def _flush(self, timeout: float | None) -> None:
        with self._sending:
            with self._news:
                data = self._multiplex.to_send()
            if not data:
                return
            try:
                self._stream.write(data, timeout)
            except BaseException as error:  # what follows half of a frame makes no sense
                with self._news:
                    self._multiplex.fail(Ended(f"sending was broken off: {error!r}"))
                    self._news.notify_all()
                raise

    def _flush_if_possible(self, timeout: float | None) -> None:
        """Send what goes with reading; where it can't be sent, the rest can still be read."""
        with contextlib.suppress(self._core.WriteError, self._core.WriteTimeout):
            self._flush(timeout)

    def response_closed(self, number: int) -> None:
        """Be ready for the next request; tell the server, if this one wasn't over."""
        with self._news:
            self._forget(number)
            self._news.notify_all()
            over = self._multiplex.idle and self._multiplex.leaving
        if over:
            self.close()
        elif not self._closed:
            self._flush_if_possible(_LAST_WORD)

    def close(self) -> None:
        """Close the socket."""
        with self._news:
            self._closed = True
            self._multiplex.fail(Ended("the connection was closed"))
            self._news.notify_all()
        self._stream.close()


class AsyncHTTP2Connection(_HTTP2):
    """One that doesn't block the event loop, for any number of tasks."""

    def __init__(
        self, stream: AsyncMultipathStream, host: Host, keepalive_expiry: float | None
    ) -> None:
        super().__init__(host, keepalive_expiry)
        self._stream: AsyncMultipathStream = stream
        self._news = anyio.Event()
        self._sending = anyio.Lock()

    async def handle_async_request(self, request: Any) -> Any:
        """Send a request and return the response, whose body is still to be read."""
        with self._errors():
            await self._catch_up(timeout_of(request, "read"))
            number = await self._next(request)
        try:
            with self._errors():
                await self._send(number, request)
                name = "http2.receive_response_headers"
                async with step_async(request, name, stream_id=number) as returned:
                    timeout = timeout_of(request, "read")
                    head = await self._await(lambda: self._multiplex.head(number), timeout)
                    returned(head)
        except BaseException:  # also when the task is cancelled
            await self.response_closed(number)
            raise
        return self._response(head, number, AsyncBody(self, number, request, "http2"))

    async def _next(self, request: Any) -> int:
        try:
            with anyio.fail_after(timeout_of(request, "pool")):
                while not self._multiplex.room and self.is_available():
                    await self._news.wait()
        except TimeoutError as error:
            words = "no stream of the connection became free in time"
            raise self._core.PoolTimeout(words) from error
        if not self.is_available():
            raise self._core.ConnectionNotAvailable
        return self._open(request)

    async def _send(self, number: int, request: Any) -> None:
        timeout = timeout_of(request, "write")
        async with step_async(request, "http2.send_request_headers", stream_id=number):
            await self._flush(timeout)
        async with step_async(request, "http2.send_request_body", stream_id=number):
            if not has_body(request.headers):
                return
            async with closing(aiter(request.stream)) as parts:
                async for chunk in parts:
                    await self._send_part(number, memoryview(chunk), timeout)
            self._multiplex.end(number)
            await self._flush(timeout)

    async def _send_part(self, number: int, left: memoryview, timeout: float | None) -> None:
        while left:
            size = await self._await(
                lambda left=left: self._multiplex.send(number, left),  # type: ignore[misc]
                timeout,
                self._core.WriteTimeout,
            )
            left = left[size:]
            await self._flush(timeout)

    async def next_part(self, number: int, timeout: float | None) -> bytes:
        """Return what has come of a body, at least a byte; b"" at its end."""
        with self._errors(answered=True):
            part = await self._await(lambda: self._multiplex.part(number), timeout)
            await self._flush_if_possible(timeout)
        return part

    async def _await(
        self, ready: Callable[[], T | None], timeout: float | None, late: Any = None
    ) -> T:
        """Read, or let another task read, until there is an answer."""
        try:
            with anyio.fail_after(timeout):
                while (outcome := ready()) is None:
                    if self._reading:
                        await self._news.wait()
                    else:
                        await self._read()
        except TimeoutError as error:
            raise (late or self._core.ReadTimeout)("timed out") from error
        return outcome

    async def _read(self) -> None:
        """Read once, in the role of the one who does."""
        self._reading = True
        try:
            self._multiplex.receive(await self._stream.read(_READ))
        except self._core.ReadError as error:
            self._multiplex.fail(Ended(str(error)))
            raise
        finally:  # also when the task is cancelled
            self._reading = False
            self._tell()
        await self._flush_if_possible(None)

    async def _catch_up(self, timeout: float | None) -> None:
        """Take what came while nobody read, such as the server's goodbye."""
        with anyio.move_on_after(timeout):
            while (
                not self._reading
                and self.is_idle()
                and self.is_available()
                and self._stream.is_readable()
            ):
                with contextlib.suppress(self._core.ReadError):
                    await self._read()

    async def _flush(self, timeout: float | None) -> None:
        async with self._sending:
            data = self._multiplex.to_send()
            if not data:
                return
            try:
                await self._stream.write(data, timeout)
            except BaseException as error:  # what follows half of a frame makes no sense
                self._multiplex.fail(Ended(f"sending was broken off: {error!r}"))
                self._tell()
                raise

    async def _flush_if_possible(self, timeout: float | None) -> None:
        """Send what goes with reading; where it can't be sent, the rest can still be read."""
        with contextlib.suppress(self._core.WriteError, self._core.WriteTimeout):
            await self._flush(timeout)

    def _tell(self) -> None:
        news, self._news = self._news, anyio.Event()
        news.set()

    async def response_closed(self, number: int) -> None:
        """Be ready for the next request; tell the server, if this one wasn't over."""
        self._forget(number)
        self._tell()
        if self._multiplex.idle and self._multiplex.leaving:
            await self.aclose()
        elif not self._closed:
            with anyio.move_on_after(_LAST_WORD, shield=True):
                await self._flush_if_possible(None)

    async def aclose(self) -> None:
        """Close the socket; nothing here awaits, so that no cancellation can come between."""
        self._closed = True
        self._multiplex.fail(Ended("the connection was closed"))
        self._tell()
        await self._stream.aclose()
