"""HTTP/2 over one stream, in the shape of httpcore's connections; multiplex.py knows the protocol.

Of all that wait for something, one sends what any of them has to say, and reads for all. When it
has what it waited for, another takes its place. Nobody else waits for the network: so no upload
holds up a reader, nor a reader an upload, and what one leaves half sent, the next goes on with.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import anyio

from mphttp.network.channel import Waker
from mphttp.network.stream import AsyncMultipathStream, MultipathStream

from .body import AsyncBody, Body, closing
from .extensions import step, step_async, timeout_of
from .fields import has_body
from .host import Host
from .http2_common import HTTP2, Asked
from .protocols import Request as CoreRequest
from .protocols import Response as CoreResponse

T = TypeVar("T")


class HTTP2Connection(HTTP2):
    """One that blocks, for any number of threads."""

    def __init__(self, stream: MultipathStream, host: Host, keepalive_expiry: float | None) -> None:
        super().__init__(stream, host, keepalive_expiry)
        self._stream: MultipathStream = stream
        self._news = threading.Condition()  # its lock is for all but waiting for the network
        try:
            self._waker = Waker()
        except OSError as error:
            raise self._core.ConnectError(str(error)) from error

    def handle_request(self, request: CoreRequest) -> CoreResponse:
        """Send a request and return the response, whose body is still to be read."""
        with self._errors():
            with self._news:
                self._catch_up()
            asked = Asked(request, kept=self._multiplex.answered)
            number = self._next(request)
        try:
            with self._errors(asked):
                asked.exchange = self._stream.begin()
                self._send(number, asked)
                with step(request, "http2.receive_response_headers", stream_id=number) as returned:
                    timeout = timeout_of(request, "read")
                    head = returned(self._await(lambda: self._multiplex.head(number), timeout))
        except BaseException:
            self.response_closed(number)
            raise
        return self._response(head, number, Body(self, number, request, "http2"))

    def _next(self, request: CoreRequest) -> int:
        timeout = timeout_of(request, "pool")
        while True:
            self._await(self._room, timeout, self._core.PoolTimeout)
            with self._news:
                if self._room():  # another thread may have been faster
                    return self._opened(request)

    def _send(self, number: int, asked: Asked) -> None:
        request, timeout = asked.request, timeout_of(asked.request, "write")
        with step(request, "http2.send_request_headers", stream_id=number), self._news:
            self._write()
        with step(request, "http2.send_request_body", stream_id=number):
            if not has_body(request.headers):
                return
            for chunk in request.stream:
                asked.begun = True
                if not self._send_part(number, memoryview(chunk), timeout, asked):
                    return
            with self._news:
                self._multiplex.end(number)
                self._write()
            asked.complete()

    def _send_part(
        self, number: int, left: memoryview, timeout: float | None, asked: Asked
    ) -> bool:
        """Send a part of a body; return whether the server wants the rest, too."""
        while left:
            size = self._await(
                lambda left=left: self._send_now(number, left, asked),  # type: ignore[misc]
                timeout,
                self._core.WriteTimeout,
            )
            if not size:
                return False
            left = left[size:]
        return True

    def next_part(self, number: int, timeout: float | None) -> bytes:
        """Return what has come of a body, at least a byte; b"" at its end."""
        with self._errors():
            return self._await(lambda: self._multiplex.part(number), timeout)

    def _await(
        self,
        ready: Callable[[], T | None],
        timeout: float | None,
        late: type[Exception] | None = None,
    ) -> T:
        """Read and send for all, or let another thread do so, until there is an answer."""
        end = None if timeout is None else time.monotonic() + timeout
        over = False
        with self._news:
            while (outcome := ready()) is None:
                if over:
                    raise (late or self._core.ReadTimeout)("timed out")
                left = None if end is None else max(0.0, end - time.monotonic())
                over = left == 0.0  # which is found out after one more look
                if self._pumping:
                    self._news.wait(left)
                else:
                    self._pump(left)
            self._write()
        return outcome

    def _pump(self, timeout: float | None) -> None:
        """Send and read what can be, or wait until something can be; others go on meanwhile."""
        if self._write():  # who waited for room goes on
            self._news.notify_all()
            return
        writing, came = bool(self._multiplex.out), None
        self._pumping = True
        self._news.release()
        try:
            came = self._read()
            if came is None:
                self._stream.wait_until_ready(timeout, self._waker, writing=writing)
                came = self._read()
        finally:
            self._news.acquire()
            self._pumping = False
            if came is not None:
                self._take(came)
            self._news.notify_all()
            if self._closed:
                self._let_go()

    def _wake(self) -> None:
        if self._pumping:
            self._waker.wake()

    def response_closed(self, number: int) -> None:
        """Be ready for the next request; tell the server, if this one wasn't over."""
        with self._news:
            self._forget(number)
            self._write()
            self._news.notify_all()
            over = self._multiplex.streams.idle and self._multiplex.leaving
        if over:
            self.close()

    def close(self) -> None:
        """Close the socket, or let who waits for it do so."""
        with self._news:
            if self._closed:
                return
            self._closed = True
            self._multiplex.close()
            self._write()
            self._news.notify_all()
            if self._pumping:
                self._waker.wake()
            else:
                self._let_go()

    def _let_go(self) -> None:
        self._waker.close()
        self._stream.close()


class AsyncHTTP2Connection(HTTP2):
    """One that doesn't block the event loop, for any number of tasks."""

    def __init__(
        self, stream: AsyncMultipathStream, host: Host, keepalive_expiry: float | None
    ) -> None:
        super().__init__(stream, host, keepalive_expiry)
        self._stream: AsyncMultipathStream = stream
        self._news = anyio.Event()
        self._wait = anyio.CancelScope()

    async def handle_async_request(self, request: CoreRequest) -> CoreResponse:
        """Send a request and return the response, whose body is still to be read."""
        with self._errors():
            self._catch_up()
            asked = Asked(request, kept=self._multiplex.answered)
            await self._await(self._room, timeout_of(request, "pool"), self._core.PoolTimeout)
            number = self._opened(request)
        try:
            with self._errors(asked):
                asked.exchange = self._stream.begin()
                await self._send(number, asked)
                name = "http2.receive_response_headers"
                async with step_async(request, name, stream_id=number) as returned:
                    timeout = timeout_of(request, "read")
                    head = await self._await(lambda: self._multiplex.head(number), timeout)
                    returned(head)
        except BaseException:  # also when the task is cancelled
            await self.response_closed(number)
            raise
        return self._response(head, number, AsyncBody(self, number, request, "http2"))

    async def _send(self, number: int, asked: Asked) -> None:
        request, timeout = asked.request, timeout_of(asked.request, "write")
        async with step_async(request, "http2.send_request_headers", stream_id=number):
            self._write()
        async with step_async(request, "http2.send_request_body", stream_id=number):
            if not has_body(request.headers):
                return
            async with closing(aiter(request.stream)) as parts:
                async for chunk in parts:
                    asked.begun = True
                    if not await self._send_part(number, memoryview(chunk), timeout, asked):
                        return
            self._multiplex.end(number)
            self._write()
            asked.complete()

    async def _send_part(
        self, number: int, left: memoryview, timeout: float | None, asked: Asked
    ) -> bool:
        """Send a part of a body; return whether the server wants the rest, too."""
        while left:
            size = await self._await(
                lambda left=left: self._send_now(number, left, asked),  # type: ignore[misc]
                timeout,
                self._core.WriteTimeout,
            )
            if not size:
                return False
            left = left[size:]
        return True

    async def next_part(self, number: int, timeout: float | None) -> bytes:
        """Return what has come of a body, at least a byte; b"" at its end."""
        with self._errors():
            return await self._await(lambda: self._multiplex.part(number), timeout)

    async def _await(
        self,
        ready: Callable[[], T | None],
        timeout: float | None,
        late: type[Exception] | None = None,
    ) -> T:
        """Read and send for all, or let another task do so, until there is an answer."""
        try:
            with anyio.fail_after(timeout):
                while (outcome := ready()) is None:
                    if self._pumping:
                        await self._news.wait()
                    else:
                        await self._pump()
        except TimeoutError as error:
            raise (late or self._core.ReadTimeout)("timed out") from error
        self._write()
        return outcome

    async def _pump(self) -> None:
        """Send and read what can be, or wait until something can be."""
        if self._write():  # who waited for room goes on
            self._tell()
            return
        self._pumping = True
        try:
            if (came := self._read()) is not None:
                self._take(came)
                await self._stream.give_way()
                return
            with anyio.CancelScope() as self._wait:
                await self._stream.wait_until_ready(writing=bool(self._multiplex.out))
        finally:  # also when the task is cancelled
            self._pumping = False
            self._tell()
            if self._closed:
                self._stream.close_now()

    def _wake(self) -> None:
        if self._pumping:
            self._wait.cancel()

    def _tell(self) -> None:
        news, self._news = self._news, anyio.Event()
        news.set()

    async def response_closed(self, number: int) -> None:
        """Be ready for the next request; nothing here awaits, so that no cancellation can come."""
        self._forget(number)
        self._write()
        self._tell()
        if self._multiplex.streams.idle and self._multiplex.leaving:
            await self.aclose()

    async def aclose(self) -> None:
        """Close the socket, or let who waits for it do so; nothing here awaits, either."""
        if self._closed:
            return
        self._closed = True
        self._multiplex.close()
        self._write()
        self._tell()
        if self._pumping:
            self._wait.cancel()
        else:
            self._stream.close_now()
