"""libcurl under httpx: a transport that reads when its caller does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

import httpx

from mphttp.engine.request import Multipath, checked_multipath, checked_paths, checked_strategy
from mphttp.network.hosts import SYSTEM, Hosts
from mphttp.strategies import Strategy
from mphttp.transports.asked import fields_of

from .channel import Channel
from .errors import refused
from .pool import Pool
from .request import CurlRequest, Limits
from .settings import Cert, Settings
from .stream import CurlByteStream

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
        multipath: "auto", "mptcp", "ranges" or "off": what may bring a response by several paths
            (mphttp.engine.request.Multipath).
        verify: True, False, or the path of certificates; libcurl can't use an `ssl.SSLContext`.
        cert: a client certificate, as `Settings` has it.
        proxy: an HTTP or SOCKS proxy.
        http2: offer HTTP/2 where there is TLS; a connection carries one response at a time.
        limits: how many connections there may be.
        hosts: how hosts become addresses, if not as the system finds them.
        tunnel: ask a proxy for a tunnel also where it could read the request.

    Raises:
        ValueError: an argument isn't what it should be.
    """

    def __init__(
        self,
        strategy: Strategy | None = None,
        paths: Sequence[str] | None = None,
        strict: bool = False,
        *,
        multipath: Multipath = "auto",
        verify: str | bool = True,
        cert: Cert | None = None,
        proxy: str | httpx.URL | httpx.Proxy | None = None,
        http2: bool = False,
        limits: httpx.Limits | None = None,
        hosts: Hosts = SYSTEM,
        tunnel: bool = False,
    ) -> None:
        self._strategy = checked_strategy(strategy)
        self._proxied = proxy is not None
        limits = limits or httpx.Limits(max_connections=100, max_keepalive_connections=20)
        keep = limits.keepalive_expiry
        settings = Settings(
            verify=verify,
            cert=cert,
            http2=http2,
            hosts=hosts,
            tunnel=tunnel,
            keep=2**31 - 1 if keep is None else max(1, round(keep)),
            **_proxy(proxy),
        )
        names = checked_paths(paths)
        chosen = checked_multipath(multipath)
        self._pool = Pool(lambda: Channel(settings, names, strict=strict, multipath=chosen), limits)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        strategy = checked_strategy(request.extensions.get("strategy", self._strategy))
        wanted = _wanted(request)
        stream = CurlByteStream(request, self._pool, proxied=self._proxied)
        try:
            return stream.begin(wanted, strategy)
        except BaseException:
            stream.close()
            raise

    def close(self) -> None:
        self._pool.close()


def _wanted(request: httpx.Request) -> CurlRequest:
    """Say to libcurl what httpx asks for."""
    url = request.url
    host = url.raw_host.decode("ascii")
    port = "" if url.port is None else f":{url.port}"
    sized = request.headers.get("Content-Length")
    chunked = "Transfer-Encoding" in request.headers
    has_body = sized is not None or chunked
    try:
        if sized is not None and (chunked or not sized.isdecimal()):
            raise ValueError("a request has one length: see Content-Length and Transfer-Encoding")
        return CurlRequest(
            f"{url.scheme}://{f'[{host}]' if ':' in host else host}{port}{url.raw_path.decode()}",
            method=request.method,
            headers=[
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in fields_of(request)
                if name.lower() not in _OURS
            ],
            content=_content(request) if has_body else None,
            content_length=None if sized is None else int(sized),
            limits=Limits(connect=request.extensions.get("timeout", {}).get("connect")),
        )
    except ValueError as error:
        raise refused(error, request) from error


def _content(request: httpx.Request) -> bytes | Iterable[bytes]:
    assert isinstance(request.stream, httpx.SyncByteStream)
    sized = "Content-Length" in request.headers
    if sized and isinstance(request.stream, httpx.ByteStream):
        return b"".join(request.stream)  # one piece: nothing is copied
    return request.stream


def _proxy(proxy: str | httpx.URL | httpx.Proxy | None) -> dict[str, Any]:
    """Return the settings that a proxy needs."""
    if proxy is None:
        return {}
    given = proxy if isinstance(proxy, httpx.Proxy) else httpx.Proxy(url=proxy)
    user = ""
    if given.raw_auth is not None:
        user = ":".join(quote(part, safe="") for part in given.raw_auth) + "@"
    return {
        "proxy": f"{given.url.scheme}://{user}{given.url.netloc.decode('ascii')}",
        "proxy_headers": [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in given.headers.raw
        ],
    }
