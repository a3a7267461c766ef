"""What further connections need to know of a request of libcurl's (mphttp.ranges)."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

import httpcore
import httpx

from mphttp.engine import Connection, Request
from mphttp.ranges.carrier import PartsCarrier
from mphttp.transports.dialer import Dialer
from mphttp.transports.host import Host
from mphttp.transports.origin import Options
from mphttp.transports.parts import Sent, shared_carrier
from mphttp.transports.route import Proxy, Routes

from .head import Head
from .request import CurlRequest
from .settings import Settings

_HOST = Host(httpx, httpcore)
_FOR_ONE_HOST = (b"authorization", b"cookie", b"host")
"""Fields that libcurl doesn't send where a redirect leads to another."""


def carrier_of_parts(
    connection: Connection, asked: Request, wanted: CurlRequest, head: Head, settings: Settings
) -> PartsCarrier | None:
    """Return what a response comes over if others may help to bring its body, else None.

    Args:
        connection: of the response.
        asked: the request, as the engine knows it, at the end of all redirects.
        wanted: the same as the caller gave it.
        head: of the response.
        settings: how connections are made.
    """
    url = urlsplit(asked.url)
    return shared_carrier(
        connection,
        asked,
        sent_by(wanted, url),
        head.status,
        head.fields,
        options=lambda: options_of(settings),
        obstacle=obstacle(settings, url),
    )


def sent_by(wanted: CurlRequest, url: SplitResult) -> Sent:
    """Return a request as libcurl sends it.

    Args:
        wanted: what the caller gave.
        url: at the end of all redirects.
    """
    moved = _origin(url) != _origin(urlsplit(wanted.url))
    headers = [
        (name, value)
        for name, value in wanted.fields()
        if not (moved and name.lower() in _FOR_ONE_HOST)
    ]
    if all(name.lower() != b"host" for name, _ in headers):
        headers.insert(0, (b"Host", url.netloc.rpartition("@")[2].encode()))
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    return Sent(
        wanted.method.encode(),
        url.scheme.encode(),
        (url.hostname or "").encode(),
        url.port,
        target.encode(),
        headers,
    )


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port or {"http": 80, "https": 443}.get(url.scheme)


def obstacle(settings: Settings, url: SplitResult) -> str:
    """Say what keeps further connections from asking for the same, or "".

    Args:
        settings: how connections are made.
        url: at the end of all redirects.
    """
    if url.username is not None:
        return "the URL has a user's name in it"
    if not all("!" <= sign <= "~" for sign in url.geturl()):
        return "the URL has signs in it that libcurl writes in its own way"
    proxy = settings.proxy_url
    if proxy is None or proxy.scheme in ("http", "socks5h"):
        return ""
    if proxy.scheme == "socks5" and _is_address(url.hostname or ""):
        return ""
    return f"further connections don't go through a proxy of the kind {proxy.scheme}://"


def options_of(settings: Settings) -> Options:
    """Return how further connections are made: as libcurl's, with Python's TLS.

    Raises:
        OSError: a file of certificates isn't what it should be.
    """
    return Options(
        host=_HOST,
        dialer=Dialer(_HOST, None, None, (), plain=True),
        routes=Routes(settings.context, _proxy(settings)),
    )


def _proxy(settings: Settings) -> Proxy | None:
    url = settings.proxy_url
    if url is None:
        return None
    user, password = (unquote_to_bytes(part or "") for part in (url.username, url.password))
    return Proxy(
        scheme=url.scheme,
        host=url.hostname or "",
        port=url.port or 1080,  # libcurl's own default
        auth=None if url.username is None else (user, password),
        headers=tuple(
            (n.encode("latin-1"), v.encode("latin-1")) for n, v in settings.proxy_headers
        ),
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
