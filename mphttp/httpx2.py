"""The doors for httpx2, the maintained successor of httpx."""

from __future__ import annotations

import httpcore2
import httpx2

from .transports.asynchronous import AsynchronousBody, AsynchronousTransport
from .transports.blocking import BlockingBody, BlockingTransport
from .transports.host import Host

_HTTPX2 = Host(httpx2, httpcore2)


class MultipathByteStream(BlockingBody, httpx2.SyncByteStream):
    """A response's body."""


class AsyncMultipathByteStream(AsynchronousBody, httpx2.AsyncByteStream):
    """A response's body."""


class MultipathTransport(BlockingTransport, httpx2.BaseTransport):
    """`mphttp.MultipathTransport` for `httpx2.Client`; see there."""

    host = _HTTPX2
    stream = MultipathByteStream


class AsyncMultipathTransport(AsynchronousTransport, httpx2.AsyncBaseTransport):
    """`mphttp.AsyncMultipathTransport` for `httpx2.AsyncClient`; see there."""

    host = _HTTPX2
    stream = AsyncMultipathByteStream
