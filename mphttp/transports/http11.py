"""HTTP/1.1 over one stream, in the shape of httpcore's connections; cycle.py knows the protocol."""

from __future__ import annotations

import contextlib
import enum
import time

from mphttp.engine import Exchange
from mphttp.http.cycle import CONTINUES_WITHIN, ConnectionLost, Cycle, Head
from mphttp.network.stream import AsyncMultipathStream, MultipathStream
from mphttp.network.time_limit import TimeLimit

from .body import AsyncBody, Body, closing
from .extensions import step, step_async, timeout_of
from .host import Host
from .protocols import Request as CoreRequest
from .protocols import Response as CoreResponse
from .protocols import Stream
from .retry import can_be_sent_again

_READ = 65536
"""Bytes that are read at once while h11 reads along."""
_READ_BODY = 131072
"""Bytes of a body that are read at once: of those that cost least CPU (benchmarks/loopback.py
--read-sizes), the one that needs least memory."""


class _State(enum.Enum):
    NEW = "NEW"
    ACTIVE = "ACTIVE"
    IDLE = "IDLE"
    CLOSED = "CLOSED"


class _HTTP11:
    """What both kinds of connection know of themselves.

    Args:
        stream: connected.
        host: whose exceptions are raised.
        keepalive_expiry: seconds for which it may be idle, or None for no limit.
    """

    _stream: MultipathStream | AsyncMultipathStream

    def __init__(self, host: Host, keepalive_expiry: float | None) -> None:
        self._host = host
        self._core = host.httpcore
        self._keepalive_expiry = keepalive_expiry
        self._expire_at: float | None = None
        self._state = _State.NEW
        self._requests = 0
        self._taken = 0  # by the kernel, up to the request that is under way

    def _take(self) -> None:
        if not self.is_available():
            raise self._core.ConnectionNotAvailable()
        self._state = _State.ACTIVE
        self._requests += 1
        self._taken = self._stream.taken
        self._expire_at = None

    def _give_back(self) -> None:
        self._state = _State.IDLE
        if self._keepalive_expiry is not None:
            self._expire_at = time.monotonic() + self._keepalive_expiry

    def _reusable(self, cycle: Cycle) -> bool:
        return cycle.reusable and not self._stream.ahead and self._state is _State.ACTIVE

    def _too_late(self, error: BaseException, cycle: Cycle, request: CoreRequest) -> bool:
        """Return whether a kept connection ended as a request was sent that another can take."""
        ended = isinstance(error, ConnectionLost | self._core.ReadError | self._core.WriteError)
        if not ended or cycle.started or self._requests == 1:
            return False
        return can_be_sent_again(request, self._host, untouched=self._stream.taken == self._taken)

    def _early(self, cycle: Cycle, came: bytes) -> Head | None:
        """Record what came while the request leaves; return a head that isn't an interim one's."""
        if not came:
            raise self._core.WriteError("the server closed the connection")
        cycle.receive(came)
        return cycle.head()

    def _response(self, cycle: Cycle, head: Head, body: Stream) -> CoreResponse:
        self._stream.unread(cycle.take_rest())
        return self._host.core.Response(
            status=head.status,
            headers=head.headers,
            content=body,
            extensions={
                "http_version": head.version,
                "reason_phrase": head.reason,
                "raw_head": head.raw,
                "raw_trailers": cycle.trailers,
                "network_stream": self._stream,
                "body": body,
            },
        )

    def not_ours(self, why: str) -> Exception:
        """Return what is raised where a body can't be read in this process."""
        error: Exception = self._core.ReadError(why)
        return error

    def can_multiplex(self) -> bool:
        """Whether several requests can be under way at once."""
        return False

    def is_available(self) -> bool:
        """Whether it can take a request."""
        return self._state in (_State.NEW, _State.IDLE)

    def has_expired(self) -> bool:
        """Whether it was idle for too long, or was ended meanwhile."""
        if self._expire_at is not None and time.monotonic() > self._expire_at:
            return True
        if self._state is not _State.IDLE:
            return False
        return self._stream.is_readable() or self._stream.is_stranded()

    def is_idle(self) -> bool:
        """Whether it could be reused."""
        return self._state is _State.IDLE

    def is_closed(self) -> bool:
        """Whether it is of no use any more."""
        return self._state is _State.CLOSED

    def info(self) -> str:
        """Say it in a few words, as httpcore's connections do."""
        return f"HTTP/1.1, {self._state.value}, Request Count: {self._requests}"


class HTTP11Connection(_HTTP11):
    """One that blocks."""

    def __init__(self, stream: MultipathStream, host: Host, keepalive_expiry: float | None) -> None:
        super().__init__(host, keepalive_expiry)
        self._stream: MultipathStream = stream

    def handle_request(self, request: CoreRequest) -> CoreResponse:
        """Send a request and return the response, whose body is still to be read."""
        self._take()
        cycle = Cycle(request.method)
        try:
            # What can't be written any more may have been answered before the server closed.
            early = None
            with contextlib.suppress(self._core.WriteError):
                early = self._send(cycle, request, self._stream.begin())
            with step(request, "http11.receive_response_headers") as returned:
                head = early or self._head(cycle, timeout_of(request, "read"))
                returned((head.version, head.status, head.reason, head.headers))
        except BaseException as error:
            self.close()
            if self._too_late(error, cycle, request):
                raise self._core.ConnectionNotAvailable from error
            raise
        return self._response(cycle, head, Body(self, cycle, request, "http11"))

    def _send(self, cycle: Cycle, request: CoreRequest, exchange: Exchange | None) -> Head | None:
        """Send a request; return the head of a response that came before its end, or None."""
        early: Head | None = None
        timeout = timeout_of(request, "write")
        with step(request, "http11.send_request_headers"):
            http10 = bool(request.extensions.get("http10"))
            pending = cycle.request(request.url.target, request.headers, http10=http10)
        if cycle.expects:
            self._stream.write(pending, timeout)
            pending, early = b"", self._permission(cycle)
            if early is not None and early.spares_body:
                return early
        with step(request, "http11.send_request_body"):
            for chunk in request.stream:  # the first goes out with the head
                _count(exchange, chunk)
                early = self._write(cycle, pending + cycle.data(chunk), timeout, early)
                pending = b""
                if early is not None and early.refuses:
                    return early
            pending += cycle.end()
            if pending:
                self._stream.write(pending, timeout)
        if exchange is not None:
            exchange.complete()
        return early

    def _write(
        self, cycle: Cycle, data: bytes, timeout: float | None, early: Head | None
    ) -> Head | None:
        """Send a part of a request, unless its answer makes that needless; return that."""
        left = memoryview(data)
        while left and early is None:
            size, came = self._stream.write_some(left, timeout)
            left = left[size:]
            if came is not None:
                early = self._early(cycle, came)
        if left and early is not None and not early.refuses:
            self._stream.write(bytes(left), timeout)
        return early

    def _permission(self, cycle: Cycle) -> Head | None:
        """Wait for the word that a body may follow; return a response that came in its place."""
        limit = TimeLimit(CONTINUES_WITHIN)
        with contextlib.suppress(self._core.ReadTimeout):
            while (head := cycle.head()) is None and cycle.expects:
                cycle.receive(self._stream.read(_READ, limit.left()))
            return head
        return None

    def _head(self, cycle: Cycle, timeout: float | None) -> Head:
        limit = TimeLimit(timeout)  # for interim responses, too, and a head byte by byte
        while (head := cycle.head()) is None:
            cycle.receive(self._stream.read(_READ, limit.left()))
        return head

    def next_part(self, cycle: Cycle, timeout: float | None) -> bytes:
        """Return the next part of a body, b"" at its end."""
        if cycle.remaining is None:
            limit = TimeLimit(timeout)  # for lines of chunks and trailers, too
            while (chunk := cycle.chunk()) is None:
                cycle.receive(self._stream.read(_READ, limit.left()))
            return chunk
        if cycle.remaining == 0:
            return b""
        data = self._stream.read(min(_READ_BODY, cycle.remaining), timeout)
        cycle.came(data, cut=self._stream.cut)
        return data

    def response_closed(self, cycle: Cycle) -> None:
        """Be ready for the next request, or close."""
        if self._reusable(cycle):
            self._give_back()
        else:
            self.close()

    def close(self) -> None:
        """Close the socket."""
        self._state = _State.CLOSED
        self._stream.close()


class AsyncHTTP11Connection(_HTTP11):
    """One that doesn't block the event loop."""

    def __init__(
        self, stream: AsyncMultipathStream, host: Host, keepalive_expiry: float | None
    ) -> None:
        super().__init__(host, keepalive_expiry)
        self._stream: AsyncMultipathStream = stream

    async def handle_async_request(self, request: CoreRequest) -> CoreResponse:
        """Send a request and return the response, whose body is still to be read."""
        self._take()
        cycle = Cycle(request.method)
        try:
            # What can't be written any more may have been answered before the server closed.
            early = None
            with contextlib.suppress(self._core.WriteError):
                early = await self._send(cycle, request, self._stream.begin())
            async with step_async(request, "http11.receive_response_headers") as returned:
                head = early or await self._head(cycle, timeout_of(request, "read"))
                returned((head.version, head.status, head.reason, head.headers))
        except BaseException as error:  # also when the task is cancelled
            await self.aclose()
            if self._too_late(error, cycle, request):
                raise self._core.ConnectionNotAvailable from error
            raise
        return self._response(cycle, head, AsyncBody(self, cycle, request, "http11"))

    async def _send(
        self, cycle: Cycle, request: CoreRequest, exchange: Exchange | None
    ) -> Head | None:
        """Send a request; return the head of a response that came before its end, or None."""
        early: Head | None = None
        timeout = timeout_of(request, "write")
        async with step_async(request, "http11.send_request_headers"):
            http10 = bool(request.extensions.get("http10"))
            pending = cycle.request(request.url.target, request.headers, http10=http10)
        if cycle.expects:
            await self._stream.write(pending, timeout)
            pending, early = b"", await self._permission(cycle)
            if early is not None and early.spares_body:
                return early
        async with step_async(request, "http11.send_request_body"):
            async with closing(aiter(request.stream)) as parts:
                async for chunk in parts:  # the first goes out with the head
                    _count(exchange, chunk)
                    data = pending + cycle.data(chunk)
                    early = await self._write(cycle, data, timeout, early)
                    pending = b""
                    if early is not None and early.refuses:
                        return early
            pending += cycle.end()
            if pending:
                await self._stream.write(pending, timeout)
        if exchange is not None:
            exchange.complete()
        return early

    async def _write(
        self, cycle: Cycle, data: bytes, timeout: float | None, early: Head | None
    ) -> Head | None:
        """Send a part of a request, unless its answer makes that needless; return that."""
        left = memoryview(data)
        while left and early is None:
            size, came = await self._stream.write_some(left, timeout)
            left = left[size:]
            if came is not None:
                early = self._early(cycle, came)
        if left and early is not None and not early.refuses:
            await self._stream.write(bytes(left), timeout)
        return early

    async def _permission(self, cycle: Cycle) -> Head | None:
        """Wait for the word that a body may follow; return a response that came in its place."""
        limit = TimeLimit(CONTINUES_WITHIN)
        with contextlib.suppress(self._core.ReadTimeout):
            while (head := cycle.head()) is None and cycle.expects:
                cycle.receive(await self._stream.read(_READ, limit.left()))
            return head
        return None

    async def _head(self, cycle: Cycle, timeout: float | None) -> Head:
        limit = TimeLimit(timeout)  # for interim responses, too, and a head byte by byte
        while (head := cycle.head()) is None:
            cycle.receive(await self._stream.read(_READ, limit.left()))
        return head

    async def next_part(self, cycle: Cycle, timeout: float | None) -> bytes:
        """Return the next part of a body, b"" at its end."""
        if cycle.remaining is None:
            limit = TimeLimit(timeout)  # for lines of chunks and trailers, too
            while (chunk := cycle.chunk()) is None:
                cycle.receive(await self._stream.read(_READ, limit.left()))
            return chunk
        if cycle.remaining == 0:
            return b""
        data = await self._stream.read(min(_READ_BODY, cycle.remaining), timeout)
        cycle.came(data, cut=self._stream.cut)
        return data

    async def response_closed(self, cycle: Cycle) -> None:
        """Be ready for the next request, or close."""
        if self._reusable(cycle):
            self._give_back()
        else:
            await self.aclose()

    async def aclose(self) -> None:
        """Close the socket; nothing here awaits, so that no cancellation can come between."""
        self._state = _State.CLOSED
        await self._stream.aclose()


def _count(exchange: Exchange | None, chunk: bytes) -> None:
    if exchange is not None:
        exchange.wrote(len(chunk))
