"""The front door for httpx: a transport whose connections use several paths."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

import httpcore
import httpx

from mphttp.engine import Exchange, Request, engine
from mphttp.engine.request import checked_strategy
from mphttp.errors import StrategyProblem
from mphttp.kernel.errors import KernelError
from mphttp.network.dial import SocketOption
from mphttp.report import Report
from mphttp.strategies import Strategy

from .backend import MultipathBackend


class MultipathTransport(httpx.BaseTransport):
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

    Raises:
        ValueError: an argument isn't what it should be.
    """

    def __init__(
        self,
        strategy: Strategy | None = None,
        paths: Sequence[str] | None = None,
        strict: bool = False,
        *,
        verify: ssl.SSLContext | str | bool = True,
        cert: Any = None,
        trust_env: bool = True,
        http1: bool = True,
        http2: bool = False,
        limits: httpx.Limits | None = None,
        proxy: str | httpx.URL | httpx.Proxy | None = None,
        uds: str | None = None,
        local_address: str | None = None,
        retries: int = 0,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> None:
        self._strategy = checked_strategy(strategy)
        self._strict = strict
        limits = limits or httpx.Limits(max_connections=100, max_keepalive_connections=20)
        options: dict[str, Any] = {
            "ssl_context": httpx.create_ssl_context(verify=verify, cert=cert, trust_env=trust_env),
            "max_connections": limits.max_connections,
            "max_keepalive_connections": limits.max_keepalive_connections,
            "keepalive_expiry": limits.keepalive_expiry,
            "http1": http1,
            "http2": http2,
            "retries": retries,
            "local_address": local_address,
            "uds": uds,
            "socket_options": list(socket_options or ()),
            "network_backend": MultipathBackend(engine, None if paths is None else tuple(paths)),
        }
        self._pool = httpcore.ConnectionPool(proxy=_proxy(proxy), **options)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        strategy = checked_strategy(request.extensions.get("strategy", self._strategy))
        asked = Request(str(request.url), strategy, self._strict)
        with _AsHTTPXErrors(request):
            with asked:
                response = self._pool.handle_request(_to_httpcore(request))
            return self._watched(request, response, asked)

    def _watched(
        self, request: httpx.Request, response: httpcore.Response, asked: Request
    ) -> httpx.Response:
        connection = response.extensions["network_stream"].get_extra_info("connection")
        exchange = None
        if connection is not None:  # None: a Unix socket, which has one path
            exchange = Exchange(
                connection, asked, status=response.status, length=_length(request, response)
            )
            response.extensions["multipath"] = Report(exchange)
        stream = MultipathByteStream(request, response, exchange)
        if exchange is not None:
            try:
                exchange.begin()
            except StrategyProblem:
                stream.close()
                raise
        return httpx.Response(
            status_code=response.status,
            headers=response.headers,
            stream=stream,
            extensions=response.extensions,
        )

    def close(self) -> None:
        self._pool.close()

    def __enter__(self) -> Self:
        self._pool.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self._pool.__exit__(exc_type, exc_value, traceback)


class MultipathByteStream(httpx.SyncByteStream):
    """A response's body, counted as it is read."""

    def __init__(
        self, request: httpx.Request, response: httpcore.Response, exchange: Exchange | None
    ) -> None:
        assert isinstance(response.stream, Iterable)  # a sync pool's is
        self._request = request
        self._response = response
        self._parts: Iterable[bytes] = response.stream
        self._exchange = exchange

    def __iter__(self) -> Iterator[bytes]:
        exchange = self._exchange
        with _AsHTTPXErrors(self._request):
            if exchange is None:
                yield from self._parts
                return
            for chunk in self._parts:
                exchange.received += len(chunk)
                if exchange.received >= exchange.threshold:
                    exchange.crossed()
                yield chunk
            exchange.finish(whole=True)
            exchange.check()

    def close(self) -> None:
        if self._exchange is not None:
            self._exchange.finish(whole=False)
        with _AsHTTPXErrors(self._request):
            self._response.close()


def _proxy(proxy: str | httpx.URL | httpx.Proxy | None) -> httpcore.Proxy | None:
    if proxy is None:
        return None
    given = proxy if isinstance(proxy, httpx.Proxy) else httpx.Proxy(url=proxy)
    return httpcore.Proxy(
        url=httpcore.URL(
            scheme=given.url.raw_scheme,
            host=given.url.raw_host,
            port=given.url.port,
            target=given.url.raw_path,
        ),
        auth=given.raw_auth,
        headers=given.headers.raw,
        ssl_context=given.ssl_context,
    )


def _to_httpcore(request: httpx.Request) -> httpcore.Request:
    return httpcore.Request(
        method=request.method,
        url=httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        ),
        headers=request.headers.raw,
        content=request.stream,
        extensions=request.extensions,
    )


def _length(request: httpx.Request, response: httpcore.Response) -> int | None:
    """Return the bytes of the body that the header promises, or None (RFC 9112, 6.3)."""
    if request.method == "HEAD" or response.status in (204, 304):
        return 0
    length = None
    for name, value in response.headers:
        match name.lower():
            case b"transfer-encoding":
                return None
            case b"content-length":
                length = int(value)
    return length


class _AsHTTPXErrors:
    """Raises httpx's exceptions, as callers expect; httpcore's have the same names.

    A class, since each request enters it three times, and a generator would cost as much as a look
    at the kernel.
    """

    __slots__ = ("_request",)

    def __init__(self, request: httpx.Request) -> None:
        self._request = request

    def __enter__(self) -> None: ...

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        if isinstance(error, StrategyProblem | KernelError):
            raise httpx.TransportError(str(error), request=self._request) from error
        if isinstance(error, Exception):
            for kind in type(error).__mro__:
                mapped = getattr(httpx, kind.__name__, None)
                if kind.__module__.startswith("httpcore") and mapped is not None:
                    raise mapped(str(error), request=self._request) from error
