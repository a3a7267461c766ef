"""libcurl under httpx or httpx2: a transport that reads when its caller does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

from mphttp.engine.request import Multipath, checked_multipath, checked_paths, checked_strategy
from mphttp.network.hosts import SYSTEM, Hosts
from mphttp.strategies import Strategy
from mphttp.transports.asked import fields_of
from mphttp.transports.protocols import HostRequest, HostResponse

from .channel import Channel
from .errors import Errors
from .pool import Pool
from .request import CurlRequest, Limits
from .settings import Cert, Settings
from .stream import PulledBody

if TYPE_CHECKING:
    import httpx

_OURS = (b"content-length", b"transfer-encoding")
"""What libcurl writes by itself, from the size of the content."""


class PulledTransport:
    """A transport over libcurl for httpx or httpx2, which share their interface.

    Args:
        arguments: see `CurlTransport`.

    Attributes:
        library: `httpx` or `httpx2`.
        stream: what a response's body is.
    """

    library: ModuleType
    stream: type[PulledBody]

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
        limits = limits or self.library.Limits(max_connections=100, max_keepalive_connections=20)
        keep = limits.keepalive_expiry
        told = (None, []) if proxy is None else self._proxy(proxy)
        settings = Settings(
            verify=verify,
            cert=cert,
            http2=http2,
            hosts=hosts,
            tunnel=tunnel,
            keep=2**31 - 1 if keep is None else max(1, round(keep)),
            proxy=told[0],
            proxy_headers=told[1],
        )
        names = checked_paths(paths)
        chosen = checked_multipath(multipath)
        self._pool = Pool(lambda: Channel(settings, names, strict=strict, multipath=chosen), limits)

    def handle_request(self, request: HostRequest) -> HostResponse:
        """Send a request and return its response."""
        strategy = checked_strategy(request.extensions.get("strategy", self._strategy))
        errors = Errors(self.library, request, proxied=self._proxied)
        try:
            wanted = _wanted(request, self.library)
        except ValueError as error:
            raise errors.refused(error) from error
        stream = self.stream(request, self._pool, errors=errors)
        try:
            return stream.begin(wanted, strategy)
        except BaseException:
            stream.close()
            raise

    def close(self) -> None:
        self._pool.close()

    def _proxy(self, proxy: str | httpx.URL | httpx.Proxy) -> tuple[str, list[tuple[str, str]]]:
        """Return a proxy's URL, and what it alone is told."""
        given = proxy if isinstance(proxy, self.library.Proxy) else self.library.Proxy(url=proxy)
        user = ""
        if given.raw_auth is not None:
            user = ":".join(quote(part, safe="") for part in given.raw_auth) + "@"
        url = f"{given.url.scheme}://{user}{given.url.netloc.decode('ascii')}"
        headers = given.headers.raw
        return url, [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def _wanted(request: HostRequest, library: ModuleType) -> CurlRequest:
    """Say to libcurl what is asked for.

    Raises:
        ValueError: that can't be.
    """
    url = request.url
    host = url.raw_host.decode("ascii")
    port = "" if url.port is None else f":{url.port}"
    sized = request.headers.get("Content-Length")
    chunked = "Transfer-Encoding" in request.headers
    has_body = sized is not None or chunked
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
        content=_content(request, library) if has_body else None,
        content_length=None if sized is None else int(sized),
        http10=bool(request.extensions.get("http10")),
        limits=Limits(connect=request.extensions.get("timeout", {}).get("connect")),
    )


def _content(request: HostRequest, library: ModuleType) -> bytes | Iterable[bytes]:
    assert isinstance(request.stream, library.SyncByteStream)
    sized = "Content-Length" in request.headers
    if sized and isinstance(request.stream, library.ByteStream):
        return b"".join(request.stream)  # one piece: nothing is copied
    return cast("Iterable[bytes]", request.stream)
