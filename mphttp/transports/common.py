"""What the transports for httpx, threads or event loops, have in common.

What connects, watches and decides is imported when the first transport is made: who imports a
client that has one needn't wait for what it may never use.
"""

from __future__ import annotations

import ssl
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, ClassVar

from mphttp.network.framing import length_of_body
from mphttp.network.names import checked_port, one_line, to_dial

from .asked import fields_of, port_of

if TYPE_CHECKING:
    from mphttp.engine import Connection, Exchange, Request
    from mphttp.network.hosts import Hosts
    from mphttp.network.route import Proxy
    from mphttp.network.socket_types import SocketOption
    from mphttp.ranges.sharing import Shared
    from mphttp.strategies import Strategy

    from .host import Host
    from .protocols import HostRequest, HostResponse, Limits, Stream
    from .protocols import Request as CoreRequest
    from .protocols import Response as CoreResponse

_CODED = 64 * 1024
"""Bytes that httpcore reads at once."""


class Multipath:
    """What a transport is told when it is made, and what it does with each request.

    Args:
        strategy: decides when to open and close subflows; None opens none beyond the first.
        paths: names of the interfaces that may be used, preferred first, where the connection
            starts; None allows all, in the system's order.
        strict: raise the library's `TransportError` where a problem would only be reported.
        multipath: "auto", "mptcp", "ranges" or "off": what may bring a response by several paths
            (mphttp.engine.request.Multipath).
        hosts: how hosts become addresses; None for as the system finds them.
        tunnel: ask a proxy for a tunnel also where it could read the request.

    Raises:
        ValueError: an argument isn't what it should be.
    """

    host: ClassVar[Host]

    def __init__(
        self,
        strategy: Strategy | None = None,
        paths: Sequence[str] | None = None,
        strict: bool = False,
        *,
        multipath: object = "auto",
        hosts: Hosts | None = None,
        tunnel: bool = False,
        verify: ssl.SSLContext | str | bool = True,
        cert: object = None,
        trust_env: bool = True,
        http1: bool = True,
        http2: bool = False,
        limits: Limits | None = None,
        proxy: object = None,
        uds: str | None = None,
        local_address: str | None = None,
        retries: int = 0,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> None:
        from mphttp.engine.request import (
            Parts,
            Request,
            checked_multipath,
            checked_paths,
            checked_strategy,
            plain,
        )
        from mphttp.network.dialer import Dialer
        from mphttp.network.hosts import SYSTEM
        from mphttp.network.route import Routes

        from .origin import Options

        self._new_request, self._checked, self._never = Request, checked_strategy, Parts.NEVER
        self._strategy = checked_strategy(strategy)
        self._strict = strict
        self._multipath = checked_multipath(multipath)
        httpx = self.host.httpx
        limits = limits or httpx.Limits(max_connections=100, max_keepalive_connections=20)
        names = checked_paths(paths)
        tls = httpx.create_ssl_context(verify=verify, cert=cert, trust_env=trust_env)
        self._options = Options(
            host=self.host,
            dialer=Dialer(
                self.host.errors,
                names,
                local_address,
                tuple(socket_options or ()),
                plain=plain(self._multipath),
                hosts=hosts or SYSTEM,
            ),
            routes=Routes(tls, self._proxy(proxy), uds, hosts or SYSTEM, tunnel),
            http1=http1,
            http2=http2 and _with_http2(),
            retries=retries,
            keepalive_expiry=limits.keepalive_expiry,
        )
        self._fill_pool(limits)

    def _fill_pool(self, limits: Limits) -> None:
        """Make the pool of connections, as `_options` have them."""
        raise NotImplementedError

    def _proxy(self, proxy: object) -> Proxy | None:
        if proxy is None:
            return None
        from mphttp.network.route import Proxy

        given = proxy if isinstance(proxy, self.host.httpx.Proxy) else self.host.httpx.Proxy(proxy)
        url, scheme = given.url, given.url.scheme
        port = {"http": 80, "https": 443}.get(scheme, 1080) if url.port is None else url.port
        for words in chain(given.raw_auth or (), *given.headers.raw):
            one_line(words, "what a proxy is told")
        tls = given.ssl_context
        if scheme == "https" and tls is None:
            tls = self.host.httpx.create_ssl_context()
        return Proxy(
            scheme=scheme,
            host=to_dial(url.raw_host.decode("ascii")),
            port=checked_port(port),
            auth=given.raw_auth,
            headers=tuple(given.headers.raw),
            tls=tls if scheme == "https" else None,
        )

    def _asked(self, request: HostRequest) -> Request:
        """Make of a request of the library what the engine knows."""
        strategy = self._checked(request.extensions.get("strategy", self._strategy))
        length = length_of_body(request.headers.raw)
        return self._new_request(str(request.url), strategy, self._strict, self._multipath, length)

    def _to_core(self, request: HostRequest) -> CoreRequest:
        """Make of a request of the library one of its core."""
        core, url = self.host.core, request.url
        try:
            port = port_of(url)
        except ValueError as error:
            raise self.host.httpx.UnsupportedProtocol(str(error), request=request) from None
        return core.Request(
            method=request.method,
            url=core.URL(scheme=url.raw_scheme, host=url.raw_host, port=port, target=url.raw_path),
            headers=fields_of(request),
            content=request.stream,
            extensions=dict(request.extensions),  # tries are counted there
        )

    def _watched(
        self, request: HostRequest, core: CoreRequest, response: CoreResponse, asked: Request
    ) -> tuple[Stream, Exchange | None, Callable[[], None]]:
        """Let the engine watch a response, of which the head is there.

        Args:
            request: the library's.
            core: the same, its core's.
            response: the core's.
            asked: the same request, the engine's.

        Returns:
            The body's parts; what counts them, or None for a Unix socket; and what begins that.
        """
        body = response.extensions.pop("body")
        exchange = asked.exchange
        if exchange is None:
            return response.stream, None, _nothing
        connection = response.extensions["network_stream"].get_extra_info("connection")
        length = body_length(request.method, response.status, response.headers)
        if _switches(request.method, response.status):
            from .upgraded import upgraded

            stream = response.extensions["network_stream"]
            response.extensions["network_stream"] = upgraded(stream, exchange)
            response.extensions["multipath"] = asked.report
            return response.stream, exchange, partial(exchange.switch, response.status)
        response.extensions["multipath"] = asked.report
        shared = None
        if connection.parts_of(asked, length) is not self._never:
            shared = self._shared(connection, core, response, asked)
        if shared is None:
            return response.stream, exchange, partial(exchange.respond, response.status, length)
        from .body import Body
        from .joined import AsyncJoinedBody, JoinedBody

        joined = JoinedBody if isinstance(body, Body) else AsyncJoinedBody
        parts = joined(response.stream, body, shared.assembly, core, self.host.httpcore)
        return parts, exchange, partial(shared.respond, exchange, response.status)

    def _shared(
        self, connection: Connection, core: CoreRequest, response: CoreResponse, asked: Request
    ) -> Shared | None:
        """Let further connections help to bring a body, if they can."""
        from mphttp.network.endpoint import Endpoint
        from mphttp.network.tls import session_of
        from mphttp.ranges.sharing import Sent, shared

        tls = response.extensions["network_stream"].get_extra_info("ssl_object")
        url, origin, options = core.url, core.url.origin, self._options
        endpoint = Endpoint(
            options.dialer,
            options.routes.to(origin.scheme, origin.host, origin.port),
            core.extensions.get("sni_hostname") or "",
            session=session_of(tls),
        )
        sent = Sent(core.method, url.scheme, url.host, url.port, url.target, core.headers)
        return shared(
            connection,
            asked,
            sent,
            response.status,
            response.headers,
            endpoint=lambda: endpoint,
            place=core.extensions.get("place"),
        )

    def _response(self, response: CoreResponse, stream: Stream) -> HostResponse:
        return self.host.httpx.Response(
            status_code=response.status,
            headers=response.headers,
            stream=stream,
            extensions=response.extensions,
        )


def longest_piece(headers: Iterable[tuple[bytes, bytes]]) -> int:
    """Return how many bytes of a body are given at once, at most.

    Of a body in a coding, no more than httpx's own transport gives: what it undoes at once may be a
    thousand times as much, and all of it is in memory then.
    """
    coded = any(name.lower() == b"content-encoding" for name, _ in headers)
    return _CODED if coded else sys.maxsize


def pieces(part: bytes, most: int) -> Iterable[bytes]:
    """Cut a part of a body into pieces."""
    if len(part) <= most:
        return (part,)
    return (part[start : start + most] for start in range(0, len(part), most))


def body_length(method: str, status: int, headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    """Return the bytes of the body that a head promises, or None (RFC 9112, section 6.3)."""
    if method == "HEAD" or status in (204, 304):
        return 0
    length = None
    for name, value in headers:
        match name.lower():
            case b"transfer-encoding":
                return None
            case b"content-length":
                length = int(value)
    return length


def _nothing() -> None: ...


def _switches(method: str, status: int) -> bool:
    """Tell whether the connection is a stream from here on (RFC 9110, 7.8 and 9.3.6)."""
    return status == 101 or (method == "CONNECT" and 200 <= status < 300)


def _with_http2() -> bool:
    try:
        import hpack  # noqa: F401  both are imported only when the first request is under way
        import hyperframe  # noqa: F401
    except ImportError as error:
        hint = "pip install 'mphttp[http2]'"
        raise ImportError(f"http2=True needs the package {error.name} (hint: {hint})") from error
    return True
