"""The connection to one origin, from the first packet: socket, proxy, TLS, and the protocol."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import anyio

from mphttp.network.dialer import Dialer
from mphttp.network.endpoint import Endpoint
from mphttp.network.names import absolute
from mphttp.network.route import Route, Routes
from mphttp.network.stream import AsyncMultipathStream, MultipathStream

from .extensions import step, step_async, timeout_of
from .host import Host
from .http11 import AsyncHTTP11Connection, HTTP11Connection
from .protocols import Origin
from .protocols import Request as CoreRequest
from .protocols import Response as CoreResponse

if TYPE_CHECKING:
    from .http2 import AsyncHTTP2Connection, HTTP2Connection

_ANOTHER_S = "the connection that another request makes isn't there in time"


@dataclass(frozen=True)
class Options:
    """What all connections of one transport share.

    Args:
        host: the library whose door this is.
        dialer: connects.
        routes: how origins are reached.
        http1: whether HTTP/1.1 may be spoken.
        http2: whether HTTP/2 may be.
        retries: how often connecting is tried again.
        keepalive_expiry: seconds for which a connection may be idle, or None for no limit.
    """

    host: Host
    dialer: Dialer
    routes: Routes
    http1: bool = True
    http2: bool = False
    retries: int = 0
    keepalive_expiry: float | None = None


class _Inner(Protocol):
    """What speaks over a stream, for threads or for event loops."""

    def is_available(self) -> bool: ...
    def is_closed(self) -> bool: ...
    def is_idle(self) -> bool: ...
    def has_expired(self) -> bool: ...
    def can_multiplex(self) -> bool: ...
    def info(self) -> str: ...


S = TypeVar("S", MultipathStream, AsyncMultipathStream)
I = TypeVar("I", bound=_Inner)  # noqa: E741


class _Origin(Generic[S, I]):
    """What both kinds of connection know of themselves (httpcore.ConnectionInterface)."""

    def __init__(self, origin: Origin, options: Options) -> None:
        self._origin = origin
        self._route: Route = options.routes.to(origin.scheme, origin.host, origin.port)
        self._options = options
        self._core = options.host.httpcore
        self._inner: I | None = None
        self._failed = False

    def can_handle_request(self, origin: Origin) -> bool:
        """Whether requests for an origin may be sent here."""
        return bool(origin == self._origin)

    def is_available(self) -> bool:
        """Whether it can take a request, as far as is known."""
        if self._inner is not None:
            return self._inner.is_available()
        # Where it may turn out to speak HTTP/2, several can wait for that.
        return self._may_be_http2 and not self._failed

    @property
    def _may_be_http2(self) -> bool:
        return self._options.http2 and (self._route.tls is not None or not self._options.http1)

    def is_connected(self) -> bool:
        """Whether there is a socket."""
        return self._inner is not None and not self._inner.is_closed()

    def can_multiplex(self) -> bool:
        """Whether several requests can be under way at once."""
        return self._inner is not None and self._inner.can_multiplex()

    def has_expired(self) -> bool:
        """Whether it should be closed."""
        return self._failed if self._inner is None else self._inner.has_expired()

    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return self._failed if self._inner is None else self._inner.is_idle()

    def is_closed(self) -> bool:
        """Whether it is of no use any more."""
        return self._failed if self._inner is None else self._inner.is_closed()

    def info(self) -> str:
        """Say it in a few words, as httpcore's connections do."""
        if self._inner is None:
            return "CONNECTION FAILED" if self._failed else "CONNECTING"
        return self._inner.info()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} [{self.info()}]>"

    def _chosen(self, stream: S) -> I:
        """Make the connection that speaks what was agreed on."""
        try:
            return self._speaking(stream)
        except BaseException:  # also what a signal's handler raises
            stream.close_now()
            raise

    def _speaking(self, stream: S) -> I:
        raise NotImplementedError

    def _speaks_http2(self, stream: S) -> bool:
        """Tell whether HTTP/2 was agreed on, or there is nothing else."""
        tls = stream.get_extra_info("ssl_object")
        agreed = tls is not None and tls.selected_alpn_protocol() == "h2"
        if not agreed and (self._options.http1 or not self._options.http2):
            return False
        if stream.inside:
            hint = "http1=True, or another proxy"
            what = "HTTP/2 can't be spoken within the TLS of an https:// proxy"
            raise self._core.ConnectError(f"{what} (hint: {hint})")
        return True

    def _endpoint(self, request: CoreRequest) -> Endpoint:
        """Return how this origin is reached, with the protocols that may be spoken."""
        named = request.extensions.get("sni_hostname") or ""
        protocols = ("http/1.1", "h2") if self._options.http2 else ("http/1.1",)
        return Endpoint(self._options.dialer, self._route, named, protocols)

    def as_proxied(self, request: CoreRequest) -> CoreRequest:
        """Return a request as a proxy wants it that reads each one."""
        if not self._route.forwarded:
            return request
        url = request.url
        whole = absolute(url.scheme, url.host, url.port, url.target)
        target, headers = self._route.to_proxy(whole, request.headers)
        core = self._options.host.core
        return core.Request(
            method=request.method,
            url=core.URL(scheme=url.scheme, host=url.host, port=url.port, target=target),
            headers=headers,
            content=request.stream,
            extensions=request.extensions,
        )


class OriginConnection(_Origin[MultipathStream, "HTTP11Connection | HTTP2Connection"]):
    """One that blocks."""

    def __init__(self, origin: Origin, options: Options) -> None:
        super().__init__(origin, options)
        self._lock = threading.Lock()

    def handle_request(self, request: CoreRequest) -> CoreResponse:
        """Connect if that is still to be done, send the request, and return the response."""
        inner = self._inner
        if inner is None:
            with self._in_turn(request):
                inner = self._connect_once(request)
        return inner.handle_request(self.as_proxied(request))

    def _speaking(self, stream: MultipathStream) -> HTTP11Connection | HTTP2Connection:
        host, expiry = self._options.host, self._options.keepalive_expiry
        if not self._speaks_http2(stream):
            return HTTP11Connection(stream, host, expiry)
        from .http2 import HTTP2Connection

        return HTTP2Connection(stream, host, expiry)

    def _connect_once(self, request: CoreRequest) -> HTTP11Connection | HTTP2Connection:
        if self._failed:  # for another that has waited here, too: nobody counts this one now
            raise self._core.ConnectionNotAvailable
        if self._inner is None:
            try:
                self._inner = self._chosen(self._connect_patiently(request))
            except BaseException:
                self._failed = True
                raise
        return self._inner

    @contextmanager
    def _in_turn(self, request: CoreRequest) -> Iterator[None]:
        """Wait for another request that connects, no longer than connecting may take."""
        timeout = timeout_of(request, "connect")
        if not self._lock.acquire(timeout=-1 if timeout is None else timeout):
            raise self._core.ConnectTimeout(_ANOTHER_S)
        try:
            yield
        finally:
            self._lock.release()

    def _connect_patiently(self, request: CoreRequest) -> MultipathStream:
        for delay in _delays(self._options.retries):
            try:
                return self.connect(request)
            except (self._core.ConnectError, self._core.ConnectTimeout):
                with step(request, "connection.retry"):
                    time.sleep(delay)
        return self.connect(request)

    def connect(self, request: CoreRequest) -> MultipathStream:
        """Connect for a request, of which only the extensions count."""
        timeout = timeout_of(request, "connect")
        return self._endpoint(request).connect(timeout, partial(step, request))

    def close(self) -> None:
        """Close what is there."""
        if self._inner is not None:
            self._inner.close()


class AsyncOriginConnection(
    _Origin[AsyncMultipathStream, "AsyncHTTP11Connection | AsyncHTTP2Connection"]
):
    """One that doesn't block the event loop."""

    def __init__(self, origin: Origin, options: Options) -> None:
        super().__init__(origin, options)
        self._lock = anyio.Lock()

    async def handle_async_request(self, request: CoreRequest) -> CoreResponse:
        """Connect if that is still to be done, send the request, and return the response."""
        inner = self._inner
        if inner is None:
            async with self._in_turn(request):
                inner = await self._connect_once(request)
        return await inner.handle_async_request(self.as_proxied(request))

    def _speaking(
        self, stream: AsyncMultipathStream
    ) -> AsyncHTTP11Connection | AsyncHTTP2Connection:
        host, expiry = self._options.host, self._options.keepalive_expiry
        if not self._speaks_http2(stream):
            return AsyncHTTP11Connection(stream, host, expiry)
        from .http2 import AsyncHTTP2Connection

        return AsyncHTTP2Connection(stream, host, expiry)

    @asynccontextmanager
    async def _in_turn(self, request: CoreRequest) -> AsyncIterator[None]:
        """Wait for another request that connects, no longer than connecting may take."""
        try:
            with anyio.fail_after(timeout_of(request, "connect")):
                await self._lock.acquire()
        except TimeoutError:
            raise self._core.ConnectTimeout(_ANOTHER_S) from None
        try:
            yield
        finally:
            self._lock.release()

    async def _connect_once(
        self, request: CoreRequest
    ) -> AsyncHTTP11Connection | AsyncHTTP2Connection:
        if self._failed:  # for another that has waited here, too: nobody counts this one now
            raise self._core.ConnectionNotAvailable
        if self._inner is None:
            try:
                self._inner = self._chosen(await self._connect_patiently(request))
            except BaseException:  # also when the task is cancelled
                self._failed = True
                raise
        return self._inner

    async def _connect_patiently(self, request: CoreRequest) -> AsyncMultipathStream:
        for delay in _delays(self._options.retries):
            try:
                return await self.connect(request)
            except (self._core.ConnectError, self._core.ConnectTimeout):
                async with step_async(request, "connection.retry"):
                    await anyio.sleep(delay)
        return await self.connect(request)

    async def connect(self, request: CoreRequest) -> AsyncMultipathStream:
        """Connect for a request, of which only the extensions count."""
        timeout = timeout_of(request, "connect")
        endpoint = self._endpoint(request)
        return await endpoint.connect_async(timeout, partial(step_async, request))

    async def aclose(self) -> None:
        """Close what is there."""
        if self._inner is not None:
            await self._inner.aclose()


def _delays(retries: int) -> Iterator[float]:
    """Give the seconds before each further try: 0, 0.5, 1, 2 ..., as httpcore waits."""
    return (0.5 * 2 ** (n - 1) if n else 0.0 for n in range(retries))
