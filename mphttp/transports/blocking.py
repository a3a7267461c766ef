"""The transport for clients that block."""

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


class BlockingTransport(Multipath):
    """`httpx.BaseTransport`, whichever httpx that is; `stream` is its SyncByteStream."""

    stream: ClassVar[type[BlockingBody]]

    def _fill_pool(self, limits: Limits) -> None:
        from .origin import OriginConnection
        from .pool import Pool

        make = partial(OriginConnection, options=self._options)
        most, idle = limits.max_connections, limits.max_keepalive_connections
        self._pool = Pool(self.host.httpcore, make, most, idle)

    def handle_request(self, request: HostRequest) -> HostResponse:
        """Send a request and return its response."""
        asked = self._asked(request)
        with AsHostErrors(self.host, request, asked):
            core = self._to_core(request)
            with asked:
                response = self._pool.handle_request(core)
            body = None
            try:
                parts, exchange, respond = self._watched(request, core, response, asked)
                errors = AsHostErrors(self.host, request, asked)
                body = self.stream(parts, exchange, errors, longest_piece(response.headers))
                respond()
            except BaseException:
                (body or response.stream).close()
                raise
        return self._response(response, body)

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self.close()


class BlockingBody:
    """A response's body, counted as it is read.

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
        self._parts = parts
        self._exchange = exchange
        self._errors = errors

    def __iter__(self) -> Iterator[bytes]:
        exchange = self._exchange
        with self._errors:
            if exchange is None:
                for chunk in self._parts:
                    yield from pieces(chunk, self._most)
                return
            for chunk in self._parts:
                exchange.received += len(chunk)
                if exchange.received >= exchange.threshold:
                    exchange.crossed()
                yield from pieces(chunk, self._most)
            exchange.finish(whole=True)
            exchange.check()

    def close(self) -> None:
        """Give the connection back, or close it if the body wasn't read to its end."""
        if self._exchange is not None:
            self._exchange.finish(whole=False)
        with self._errors:
            self._parts.close()
