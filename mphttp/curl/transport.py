"""libcurl under httpx: a transport that reads when its caller does."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import httpx

from mphttp.engine.request import checked_strategy
from mphttp.strategies import Strategy

from .channel import Channel
from .errors import as_httpx_error
from .pool import Origin, Pool
from .request import CurlRequest, Limits
from .settings import Cert, Settings
from .transfer import Transfer

_OURS = (b"content-length", b"transfer-encoding")
"""What libcurl writes by itself, from the size of the content."""


class CurlTransport(httpx.BaseTransport):
    """An httpx transport over libcurl, whose responses come over the paths a strategy opens.

        httpx.Client(transport=CurlTransport(strategy=Deadline(10)))

    A single request has another strategy by `extensions={"strategy": …}`. What happened is in
    `response.extensions["multipath"]`, a `Report`. Nothing is read unless the caller reads, but for
    some buffers of libcurl's; there is no thread. Any number of threads may use it.

    Args:
        strategy: decides when to open and close subflows; None opens none beyond the first.
        paths: names of the interfaces that may be used, preferred first, where the connection
            starts; None allows all, in the system's order.
        strict: raise `httpx.TransportError` where a problem would only be reported.
        verify: True, False, or the path of certificates; libcurl can't use an `ssl.SSLContext`.
        cert: a client certificate, as `Settings` has it.
        proxy: an HTTP or SOCKS proxy.
        http2: offer HTTP/2 where there is TLS; a connection carries one response at a time.
        limits: how many connections there may be.

    Raises:
        ValueError: an argument isn't what it should be.
    """

    def __init__(
        self,
        strategy: Strategy | None = None,
        paths: Sequence[str] | None = None,
        strict: bool = False,
        *,
        verify: str | bool = True,
        cert: Cert | None = None,
        proxy: str | httpx.URL | httpx.Proxy | None = None,
        http2: bool = False,
        limits: httpx.Limits | None = None,
    ) -> None:
        self._strategy = checked_strategy(strategy)
        self._proxied = proxy is not None
        limits = limits or httpx.Limits(max_connections=100, max_keepalive_connections=20)
        keep = limits.keepalive_expiry
        settings = Settings(
            verify=verify,
            cert=cert,
            http2=http2,
            keep=2**31 - 1 if keep is None else max(1, round(keep)),
            **_proxy(proxy),
        )
        names = None if paths is None else tuple(paths)
        self._pool = Pool(lambda: Channel(settings, names, strict=strict), limits)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        strategy = checked_strategy(request.extensions.get("strategy", self._strategy))
        wanted, limits = _wanted(request), request.extensions.get("timeout", {})
        origin = (request.url.raw_scheme, request.url.raw_host, request.url.port)
        channel = self._pool.take(origin, limits.get("pool"), request)
        reader = _Reader(request, limits, self._proxied)
        stream = CurlByteStream(self._pool, origin, channel, reader)
        try:
            stream.begin(wanted, strategy)
        except BaseException:
            stream.close()
            raise
        return stream.response()

    def close(self) -> None:
        self._pool.close()
