"""HTTP/2 over one stream, in the shape of httpcore's connections; multiplex.py knows the protocol.

Of all that wait for something, one sends what any of them has to say, and reads for all. When it
has what it waited for, another takes its place. Nobody else waits for the network: so no upload
holds up a reader, nor a reader an upload, and what one leaves half sent, the next goes on with.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import anyio

from mphttp.engine import Exchange
from mphttp.network.channel import Waker
from mphttp.network.stream import AsyncMultipathStream, MultipathStream

from .body import AsyncBody, Body, closing
from .extensions import step, step_async, timeout_of
from .fields import Headers, has_body
from .host import Host
from .http2_errors import Ended, Unsendable
from .multiplex import Multiplex
from .retry import can_be_sent_again

T = TypeVar("T")

_READ = _WRITE = 131072
"""Bytes that are read, or written, at once."""
_CAUGHT_UP = 16
"""How often is read at most before a request, so that a flood doesn't keep it from being sent."""
_MOST_TRIES = 5
"""How often a request is sent; curl's number."""
_TRIES = "mphttp.tries"


class _HTTP2:
    """What both kinds of connection know of themselves.

    Args:
        host: whose exceptions are raised.
        keepalive_expiry: seconds for which it may be idle, or None for no limit.
    """

    _stream: MultipathStream | AsyncMultipathStream

    def __init__(self, host: Host, keepalive_expiry: float | None) -> None:
        self._host = host
        self._core = host.httpcore
        self._keepalive_expiry = keepalive_expiry
        self._expire_at: float | None = None
        self._closed = False
        self._begun = False
        self._requests = 0
        self._pumping = False  # whether somebody reads and sends for all
        self._multiplex = Multiplex()

    def _open(self, request: Any) -> int:
        if not self._begun:
            self._begun = True
            self._multiplex.begin()
        url = request.url
        number = self._multiplex.open(request.method, url.scheme, url.target, request.headers)
        self._expire_at = None
        self._requests += 1
        return number

    def _forget(self, number: int) -> None:
        self._multiplex.forget(number)
        if self._multiplex.idle and self._keepalive_expiry is not None:
            self._expire_at = time.monotonic() + self._keepalive_expiry

    def _write(self) -> None:
        """Send what can be sent without waiting; for the rest there is who waits for all."""
        out = self._multiplex.out
        try:
            while out:
                size = self._stream.write_now(bytes(memoryview(out)[:_WRITE]))
                if not size:
                    return self._wake()
                self._multiplex.sent(size)
        except self._core.WriteError:  # what came before may be an answer
            self._multiplex.deafen()

    def _wake(self) -> None:
        """Let whoever waits for all look again what there is to be done."""
        raise NotImplementedError

    def _read(self) -> bytes | Ended | None:
        """Return what is there, for `_take`; None where there is nothing."""
        try:
            return self._stream.read_now(_READ)
        except self._core.ReadError as error:
            return Ended(str(error), lost=True, broken=True)

    def _take(self, came: bytes | Ended) -> None:
        if isinstance(came, Ended):
            self._multiplex.fail(came)
        else:
            self._multiplex.receive(came, time.monotonic())

    def _catch_up(self) -> None:
        """Take what came while nobody read, such as the server's goodbye."""
        for _ in range(_CAUGHT_UP):
            if self._pumping or not self.is_idle() or (came := self._read()) is None:
                break
            self._take(came)
        if not self.is_available():
            raise self._core.ConnectionNotAvailable

    def _room(self) -> bool | None:
        return self._multiplex.room or not self.is_available() or None

    def _opened(self, request: Any) -> int:
        if not self.is_available():
            raise self._core.ConnectionNotAvailable
        try:
            return self._open(request)
        except Ended as error:
            raise self._core.ConnectionNotAvailable from error

    def _response(self, head: tuple[int, Headers], number: int, body: Any) -> Any:
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
    def _errors(self, asked: _Asked | None = None) -> Iterator[None]:
        """Raise the core's exceptions; the pool sends again what was `asked` if that is safe."""
        try:
            yield
        except Ended as error:
            if asked is not None and asked.may_be_sent_again(error, self._host):
                raise self._core.ConnectionNotAvailable from error
            kind = self._core.ReadError if error.broken else self._core.RemoteProtocolError
            raise kind(str(error)) from error
        except Unsendable as error:
            raise self._core.LocalProtocolError(str(error)) from error

    def not_ours(self, why: str) -> Exception:
        """Return what is raised where a body can't be read in this process."""
        error: Exception = self._core.ReadError(why)
        return error

    def can_multiplex(self) -> bool:
        """Whether several requests can be under way at once."""
        return True

    def is_available(self) -> bool:
        """Whether it can take a request."""
        return not (self._closed or self._multiplex.leaving)

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


class _Asked:
    """A request, and whether it may be sent once more.

    Args:
        request: the core's.
        kept: whether it is sent over a connection that has brought a response before.
    """

    def __init__(self, request: Any, *, kept: bool) -> None:
        self.request = request
        self.begun = False  # whether something of its body was taken
        self.exchange: Exchange | None = None
        self._kept = kept

    def wrote(self, size: int) -> None:
        """Take that bytes of its body are on their way."""
        if self.exchange is not None:
            self.exchange.wrote(size)

    def complete(self) -> None:
        """Take that all of it is."""
        if self.exchange is not None:
            self.exchange.complete()

    def may_be_sent_again(self, error: Ended, host: Host) -> bool:
        """Tell whether another connection may be asked (RFC 9110, 9.2.2; RFC 9113, 8.7)."""
        tries = self.request.extensions.get(_TRIES, 1)
        if tries >= _MOST_TRIES or not (error.untouched or (error.lost and self._kept)):
            return False
        unread = error.untouched and not self.begun
        if not unread and not can_be_sent_again(self.request, host, untouched=error.untouched):
            return False
        self.request.extensions[_TRIES] = tries + 1
        return True


class HTTP2Connection(_HTTP2):
    """One that blocks, for any number of threads."""

    def __init__(self, stream: MultipathStream, host: Host, keepalive_expiry: float | None) -> None:
        super().__init__(host, keepalive_expiry)
        self._stream: MultipathStream = stream
        self._news = threading.Condition()  # its lock is for all but waiting for the network
        try:
            self._waker = Waker()
        except OSError as error:
            raise self._core.ConnectError(str(error)) from error

    def handle_request(self, request: Any) -> Any:
        """Send a request and return the response, whose body is still to be read."""
        with self._errors():
            with self._news:
                self._catch_up()
            asked = _Asked(request, kept=self._multiplex.answered)
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

    def _next(self, request: Any) -> int:
        timeout = timeout_of(request, "pool")
        while True:
            self._await(self._room, timeout, self._core.PoolTimeout)
            with self._news:
                if self._room():  # another thread may have been faster
                    return self._opened(request)

    def _send(self, number: int, asked: _Asked) -> None:
        request, timeout = asked.request, timeout_of(asked.request, "write")
        with step(request, "http2.send_request_headers", stream_id=number), self._news:
            self._write()
        with step(request, "http2.send_request_body", stream_id=number):
            if not has_body(request.headers):
                return
            for chunk in request.stream:
                asked.begun = True
                self._send_part(number, memoryview(chunk), timeout, asked)
            with self._news:
                self._multiplex.end(number)
                self._write()
            asked.complete()

    def _send_part(
        self, number: int, left: memoryview, timeout: float | None, asked: _Asked
    ) -> None:
        while left:
            size = self._await(
                lambda left=left: self._multiplex.send(number, left),  # type: ignore[misc]
                timeout,
                self._core.WriteTimeout,
            )
            asked.wrote(size)
            left = left[size:]

    def next_part(self, number: int, timeout: float | None) -> bytes:
        """Return what has come of a body, at least a byte; b"" at its end."""
        with self._errors():
            return self._await(lambda: self._multiplex.part(number), timeout)

    def _await(self, ready: Callable[[], T | None], timeout: float | None, late: Any = None) -> T:
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
        self._write()
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
            over = self._multiplex.idle and self._multiplex.leaving
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


class AsyncHTTP2Connection(_HTTP2):
    """One that doesn't block the event loop, for any number of tasks."""

    def __init__(
        self, stream: AsyncMultipathStream, host: Host, keepalive_expiry: float | None
    ) -> None:
        super().__init__(host, keepalive_expiry)
        self._stream: AsyncMultipathStream = stream
        self._news = anyio.Event()
        self._wait = anyio.CancelScope()

    async def handle_async_request(self, request: Any) -> Any:
        """Send a request and return the response, whose body is still to be read."""
        with self._errors():
            self._catch_up()
            asked = _Asked(request, kept=self._multiplex.answered)
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

    async def _send(self, number: int, asked: _Asked) -> None:
        request, timeout = asked.request, timeout_of(asked.request, "write")
        async with step_async(request, "http2.send_request_headers", stream_id=number):
            self._write()
        async with step_async(request, "http2.send_request_body", stream_id=number):
            if not has_body(request.headers):
                return
            async with closing(aiter(request.stream)) as parts:
                async for chunk in parts:
                    asked.begun = True
                    await self._send_part(number, memoryview(chunk), timeout, asked)
            self._multiplex.end(number)
            self._write()
            asked.complete()

    async def _send_part(
        self, number: int, left: memoryview, timeout: float | None, asked: _Asked
    ) -> None:
        while left:
            size = await self._await(
                lambda left=left: self._multiplex.send(number, left),  # type: ignore[misc]
                timeout,
                self._core.WriteTimeout,
            )
            asked.wrote(size)
            left = left[size:]

    async def next_part(self, number: int, timeout: float | None) -> bytes:
        """Return what has come of a body, at least a byte; b"" at its end."""
        with self._errors():
            return await self._await(lambda: self._multiplex.part(number), timeout)

    async def _await(
        self, ready: Callable[[], T | None], timeout: float | None, late: Any = None
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
        self._write()
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
        if self._multiplex.idle and self._multiplex.leaving:
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
