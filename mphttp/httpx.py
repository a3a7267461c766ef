"""The doors for httpx."""

from __future__ import annotations

import httpcore
import httpx

from .transports.asynchronous import AsynchronousBody, AsynchronousTransport
from .transports.blocking import BlockingBody, BlockingTransport
from .transports.host import Host

_HTTPX = Host(httpx, httpcore)


class MultipathByteStream(BlockingBody, httpx.SyncByteStream):
    """A response's body."""


class AsyncMultipathByteStream(AsynchronousBody, httpx.AsyncByteStream):
    """A response's body."""


class MultipathTransport(BlockingTransport, httpx.BaseTransport):
    """An httpx transport whose responses come over the paths that a strategy opens.

        httpx.Client(transport=MultipathTransport(strategy=Deadline(10)))

    A single request has another strategy by `extensions={"strategy": …}`. What happened is in
    `response.extensions["multipath"]`, a `Report`. Arguments not named here are those of
    `httpx.HTTPTransport`.

    Args:
        strategy: decides when to open and close subflows; None opens none beyond the first.
        paths: names of the interfaces that may be used, preferred first, where the connection
            starts; None allows all, in the system's order.
        strict: raise `httpx.TransportError` where a problem would only be reported.
        multipath: what brings a response over several paths: "mptcp", subflows of its connection;
            "ranges", further TCP connections that fetch parts of the body; "auto", the first where
            it can be had, else the second; "off", nothing (docs/ranges.md).

    Raises:
        ValueError: an argument isn't what it should be.
    """

    host = _HTTPX
    stream = MultipathByteStream


class AsyncMultipathTransport(AsynchronousTransport, httpx.AsyncBaseTransport):
    """The same for `httpx.AsyncClient`, on asyncio and on trio.

        httpx.AsyncClient(transport=AsyncMultipathTransport(strategy=Deadline(10)))

    Args:
        strategy: as for `MultipathTransport`, like all arguments.
        paths: names of the interfaces that may be used, preferred first; None allows all.
        strict: raise `httpx.TransportError` where a problem would only be reported.

    Raises:
        ValueError: an argument isn't what it should be.
    """

    host = _HTTPX
    stream = AsyncMultipathByteStream
