"""The pools of connections behind the transports, for threads and for event loops (places.py)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType
from typing import Generic, Self, TypeVar

import anyio

from mphttp.network.forked import know
from mphttp.network.time_limit import TimeLimit

from .extensions import timeout_of
from .origin import AsyncOriginConnection, OriginConnection
from .places import Connection, Places, Ticket
from .protocols import Origin, Stream
from .protocols import Request as CoreRequest
from .protocols import Response as CoreResponse

C = TypeVar("C", bound=Connection)
_Sync = Ticket[OriginConnection]
_Async = Ticket[AsyncOriginConnection]
_SCHEMES = (b"http", b"https", b"ws", b"wss")


class _Pool(Generic[C]):
    """What both kinds have in common.

    Args:
        core: whose requests, responses and exceptions these are.
        make: makes a connection to an origin, which connects when it is first used.
        most: connections at once; None for no limit.
        most_idle: of those, kept while nobody uses them; None for no limit.
    """

    def __init__(
        self,
        core: ModuleType,
        make: Callable[[Origin], C],
        most: int | None,
        most_idle: int | None,
    ) -> None:
        self._core = core
        self._new = partial(Places, make, most, most_idle)
        self._places = self._new()
        know(self)

    def after_fork(self) -> None:
        """Begin anew; the connections are the parent process's."""
        self._places = self._new()

    @property
    def connections(self) -> list[C]:
        """The connections there are."""
        return self._places.connections

    def __repr__(self) -> str:
        places, connections = self._places, self.connections
        idle = sum(bool(connection.is_idle()) for connection in connections)
        return (
            f"<{type(self).__name__} [Requests: {places.used} active, {places.waiting} queued | "
            f"Connections: {len(connections) - idle} active, {idle} idle]>"
        )

    def _ticket(self, request: CoreRequest) -> Ticket[C]:
        scheme = request.url.scheme
        if scheme not in _SCHEMES:
            named = f"an unsupported protocol '{scheme.decode()}://'" if scheme else "no protocol"
            raise self._core.UnsupportedProtocol(f"Request URL has {named}.")
        return Ticket(request.url.origin)

    def _response(self, response: CoreResponse, body: Stream) -> CoreResponse:
        made: CoreResponse = self._core.Response(
            status=response.status,
            headers=response.headers,
            content=body,
            extensions=response.extensions,
        )
        return made


class Pool(_Pool[OriginConnection]):
    """One for threads."""

    def __init__(
        self,
        core: ModuleType,
        make: Callable[[Origin], OriginConnection],
        most: int | None,
        most_idle: int | None,
    ) -> None:
        super().__init__(core, make, most, most_idle)
        self._lock = threading.Lock()

    def after_fork(self) -> None:
        super().after_fork()
        self._lock = threading.Lock()

    def handle_request(self, request: CoreRequest) -> CoreResponse:
        """Send a request over a connection that is free; return the response, body unread."""
        ticket, limit = self._ticket(request), TimeLimit(timeout_of(request, "pool"))
        arrange = self._places.enter
        try:
            while True:
                self._arrange(arrange, ticket)
                connection = self._granted(ticket, limit)
                try:
                    response = connection.handle_request(request)
                    break
                except self._core.ConnectionNotAvailable:
                    arrange = self._places.again
            leave = partial(self._arrange, self._places.leave, ticket)
            return self._response(response, PooledBody(response.stream, leave))
        except BaseException:  # also what a signal's handler raises
            self._arrange(self._places.leave, ticket)
            raise

    def _granted(self, ticket: _Sync, limit: TimeLimit) -> OriginConnection:
        if ticket.place is None:
            granted = threading.Event()
            ticket.told = granted.set
            if ticket.place is None and not granted.wait(limit.left()):
                raise self._core.PoolTimeout("no connection became free in time")
        assert ticket.place is not None
        return ticket.place.connection

    def _arrange(self, arrange: Callable[[_Sync], list[OriginConnection]], ticket: _Sync) -> None:
        with self._lock:
            closing = arrange(ticket)
        for connection in closing:
            connection.close()

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            closing = self._places.clear()
        for connection in closing:
            connection.close()


class PooledBody:
    """A response's body; its place is another's when it is closed.

    Args:
        stream: the same body, of the connection.
        leave: gives the place back.
    """

    def __init__(self, stream: Stream, leave: Callable[[], object]) -> None:
        self._stream = stream
        self._leave = leave
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._stream
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            try:
                self._stream.close()
            finally:
                self._leave()


class AsyncPool(_Pool[AsyncOriginConnection]):
    """One for an event loop: what happens between two awaits happens at once."""

    async def handle_async_request(self, request: CoreRequest) -> CoreResponse:
        """Send a request over a connection that is free; return the response, body unread."""
        ticket, limit = self._ticket(request), TimeLimit(timeout_of(request, "pool"))
        arrange = self._places.enter
        try:
            while True:
                await _close(arrange(ticket))
                connection = await self._granted(ticket, limit)
                try:
                    response = await connection.handle_async_request(request)
                    break
                except self._core.ConnectionNotAvailable:
                    arrange = self._places.again
            return self._response(response, AsyncPooledBody(response.stream, self._places, ticket))
        except BaseException:  # also when the task is cancelled
            await _close(self._places.leave(ticket))
            raise

    async def _granted(self, ticket: _Async, limit: TimeLimit) -> AsyncOriginConnection:
        if ticket.place is None:
            granted = anyio.Event()
            ticket.told = granted.set
            with anyio.move_on_after(limit.left()):
                await granted.wait()
        if ticket.place is None:
            raise self._core.PoolTimeout("no connection became free in time")
        return ticket.place.connection

    async def aclose(self) -> None:
        """Close all connections."""
        await _close(self._places.clear())


class AsyncPooledBody:
    """One that doesn't block the event loop; no generator, see body.py.

    Args:
        stream: the same body, of the connection.
        places: where the request has its place.
        ticket: the request's.
    """

    def __init__(
        self, stream: Stream, places: Places[AsyncOriginConnection], ticket: _Async
    ) -> None:
        self._stream = stream
        self._parts = aiter(stream)
        self._places = places
        self._ticket = ticket
        self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            part: bytes = await anext(self._parts)
        except StopAsyncIteration:
            raise
        except BaseException:  # also when the task is cancelled
            await self.aclose()
            raise
        return part

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            try:
                await self._stream.aclose()
            finally:
                await _close(self._places.leave(self._ticket))


async def _close(connections: list[AsyncOriginConnection]) -> None:
    """Close connections, whoever is cancelled meanwhile."""
    with anyio.CancelScope(shield=True):
        for connection in connections:
            await connection.aclose()
