"""What further connections need to know of a request of libcurl's (mphttp.ranges)."""

from __future__ import annotations

import ipaddress
from urllib.parse import unquote_to_bytes

from mphttp.engine import Connection, Request
from mphttp.network.dialer import Dialer
from mphttp.network.endpoint import Endpoint
from mphttp.network.errors import SystemErrors
from mphttp.network.route import Proxy, Routes
from mphttp.ranges.sharing import Sent, Shared, shared

from .head import Head
from .message import Message
from .settings import Settings
from .url import Url


def shared_by(
    connection: Connection, asked: Request, message: Message, head: Head, settings: Settings
) -> Shared | None:
    """Let others help to bring a response's body, if they can.

    Args:
        connection: of the response.
        asked: the request, as the engine knows it, at the end of all redirects.
        message: the same as libcurl sent it.
        head: of the response.
        settings: how connections are made.
    """
    sent = sent_by(message)
    return shared(
        connection,
        asked,
        sent,
        head.status,
        head.fields,
        endpoint=lambda: endpoint_of(settings, sent),
        obstacle=obstacle(settings, message.url),
    )


def sent_by(message: Message) -> Sent:
    """Return a request as libcurl sends it."""
    url = message.url
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in message.fields]
    if all(name.lower() != b"host" for name, _ in headers):
        headers.insert(0, (b"Host", url.authority.encode()))
    return Sent(
        message.method.encode(),
        url.scheme.encode(),
        url.host.encode(),
        url.port,
        url.target.encode(),
        headers,
    )


def obstacle(settings: Settings, url: Url) -> str:
    """Say what keeps further connections from asking for the same, or "".

    Args:
        settings: how connections are made.
        url: at the end of all redirects.
    """
    proxy = settings.proxy_url
    if proxy is None or proxy.scheme in ("http", "socks5h"):
        return ""
    if proxy.scheme == "socks5" and _is_address(url.host):
        return ""
    return f"further connections don't go through a proxy of the kind {proxy.scheme}://"


def endpoint_of(settings: Settings, sent: Sent) -> Endpoint:
    """Return how further connections are made: as libcurl's, with Python's TLS.

    Raises:
        OSError: a file of certificates isn't what it should be.
    """
    dialer = Dialer(SystemErrors(), None, None, (), plain=True)
    routes = Routes(settings.context, _proxy(settings), None, settings.hosts, settings.tunnel)
    return Endpoint(dialer, routes.to(sent.scheme, sent.host, sent.origin_port))


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
