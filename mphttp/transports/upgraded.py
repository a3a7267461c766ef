"""A connection that speaks another protocol since a response (RFC 9110, section 7.8), counted."""

from __future__ import annotations

from mphttp.engine import Exchange
from mphttp.network.stream import AsyncMultipathStream, MultipathStream

from .protocols import Stream


class _Upgraded:
    """What both kinds have in common: all that isn't counted is the stream's own.

    Args:
        stream: the one below.
        exchange: counts, so that the strategy lives as long as the stream.
    """

    def __init__(self, stream: Stream, exchange: Exchange) -> None:
        self._stream = stream
        self._exchange = exchange

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def _came(self, data: bytes) -> bytes:
        exchange = self._exchange
        exchange.received += len(data)
        if exchange.resting:
            exchange.stir()
        if exchange.received >= exchange.threshold:
            exchange.crossed()
        return data


class UpgradedStream(_Upgraded):
    """One that blocks."""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._came(self._stream.read(max_bytes, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._exchange.wrote(len(buffer))
        self._stream.write(buffer, timeout)


class AsyncUpgradedStream(_Upgraded):
    """One that doesn't block the event loop."""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._came(await self._stream.read(max_bytes, timeout))

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._exchange.wrote(len(buffer))
        await self._stream.write(buffer, timeout)


def upgraded(
    stream: MultipathStream | AsyncMultipathStream, exchange: Exchange
) -> UpgradedStream | AsyncUpgradedStream:
    """Return a stream whose bytes are counted."""
    if isinstance(stream, MultipathStream):
        return UpgradedStream(stream, exchange)
    return AsyncUpgradedStream(stream, exchange)
