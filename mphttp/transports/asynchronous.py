"""The transport for event loops: asyncio and trio."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Self

from .common import Multipath, longest_piece, pieces
from .host import AsHostErrors

if TYPE_CHECKING:
    from mphttp.engine import Exchange

    from .protocols import HostRequest, HostResponse, Limits, Stream


class AsynchronousTransport(Multipath):
    """`httpx.AsyncBaseTransport`, whichever httpx that is; `stream` is its AsyncByteStream."""

    stream: ClassVar[type[AsynchronousBody]]

    def _fill_pool(self, limits: Limits) -> None:
        from .origin import AsyncOriginConnection
        from .pool import AsyncPool

        make = partial(AsyncOriginConnection, options=self._options)
        most, idle = limits.max_connections, limits.max_keepalive_connections
        self._pool = AsyncPool(self.host.httpcore, make, most, idle)

    async def handle_async_request(self, request: HostRequest) -> HostResponse:
        """Send a request and return its response."""
        asked = self._asked(request)
        with AsHostErrors(self.host, request, asked):
            core = self._to_core(request)
            with asked:
                response = await self._pool.handle_async_request(core)
            body = None
            try:
                parts, exchange, respond = self._watched(request, core, response, asked)
                errors = AsHostErrors(self.host, request, asked)
                body = self.stream(parts, exchange, errors, longest_piece(response.headers))
                respond()
            except BaseException:
                await (body or response.stream).aclose()
                raise
        return self._response(response, body)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._pool.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.aclose()


class AsynchronousBody:
    """A response's body, counted as it is read; no generator, see http11.py.

    Args:
        parts: of the pool; to be closed.
        exchange: counts, unless there is only one path.
        errors: raises the library's.
        most: bytes that are given at once.
    """

    def __init__(
        self, parts: Stream, exchange: Exchange | None, errors: AsHostErrors, most: int
    ) -> None:
        self._most = most
        self._pieces: Iterator[bytes] = iter(())
        self._parts = parts
        self._iterator = aiter(parts)
        self._exchange = exchange
        self._errors = errors

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        for piece in self._pieces:
            return piece
        exchange = self._exchange
        with self._errors:
            part: bytes | None = await anext(self._iterator, None)
            if exchange is None:
                pass
            elif part is None:
                exchange.finish(whole=True)
                exchange.check()
            else:
                exchange.received += len(part)
                if exchange.received >= exchange.threshold:
                    exchange.crossed()
        if part is None:
            raise StopAsyncIteration
        self._pieces = iter(pieces(part, self._most))
        return next(self._pieces)

    async def aclose(self) -> None:
        """Give the connection back, or close it if the body wasn't read to its end."""
        if self._exchange is not None:
            self._exchange.finish(whole=False)
        with self._errors:
            if hasattr(self._iterator, "aclose"):
                await self._iterator.aclose()
            await self._parts.aclose()
