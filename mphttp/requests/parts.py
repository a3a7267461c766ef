"""What further connections need to know of a request of urllib3's (mphttp.ranges)."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import urllib3.connection
from urllib3.util import Url

from mphttp.network.tls import session_of
from mphttp.ranges.sharing import Sent

from .recorder import Recorder
from .socks import SocksProxy

if TYPE_CHECKING:  # else they cost whoever needs no second connection
    from mphttp.network.endpoint import Endpoint
    from mphttp.network.route import Proxy

Connection = urllib3.connection.HTTPConnection


def sent_by(connection: Connection, recorder: Recorder, method: str) -> Sent:
    """Return a request as its server got it.

    Args:
        connection: over which it was sent.
        recorder: knows what was sent.
        method: such as "GET".
    """
    tls, target = _tls(connection), recorder.target
    if target.startswith(("http://", "https://")):  # a proxy forwards it
        url = urlsplit(target)
        target = target.partition(url.netloc)[2]
        host, port, scheme = url.hostname or "", url.port, url.scheme
    else:
        host, port = recorder.host.strip("[]"), recorder.port
        scheme = "http" if tls is None else "https"
    return Sent(
        method.encode(),
        scheme.encode(),
        host.encode("idna"),
        port,
        target.encode("ascii") or b"/",
        recorder.headers,
    )


def obstacle(connection: Connection) -> str:
    """Say what keeps further connections from being made as this one was, or ""."""
    if connection.proxy is not None and connection.proxy.scheme == "https":
        return "the proxy is reached through TLS"
    if not isinstance(connection, urllib3.connection.HTTPSConnection):
        return ""
    tls = _tls(connection)
    if tls is None:
        return "TLS isn't that of Python's ssl"
    context, named = tls.context, connection.assert_hostname
    by_context = context.check_hostname or context.verify_mode == ssl.CERT_NONE or named is False
    if connection.assert_fingerprint or not by_context:
        return "urllib3 itself looks at the server's certificate"
    return ""


def endpoint_of(
    connection: Connection, recorder: Recorder, socks: SocksProxy | None, sent: Sent
) -> Callable[[], Endpoint]:
    """Return what tells how further connections are made: as this one was.

    Args:
        connection: of the first response; it is looked at now, whatever becomes of it.
        recorder: knows what a proxy was told.
        socks: the proxy that connects, or None.
        sent: the request.
    """
    tls = _tls(connection)
    context, session = (None if tls is None else tls.context), session_of(tls)
    named = "" if tls is None else tls.server_hostname or ""
    socket_options = tuple(connection.socket_options or ())
    proxy = partial(_proxy, connection.proxy, tuple(recorder.proxy_headers), socks)

    def made() -> Endpoint:
        from mphttp.network.dialer import Dialer
        from mphttp.network.endpoint import Endpoint
        from mphttp.network.errors import SystemErrors
        from mphttp.network.route import Routes

        dialer = Dialer(SystemErrors(), None, None, socket_options, plain=True)
        route = Routes(context, proxy()).to(sent.scheme, sent.host, sent.origin_port)
        return Endpoint(dialer, route, named, session=session)

    return made


def _proxy(
    given: Url | None, headers: tuple[tuple[bytes, bytes], ...], socks: SocksProxy | None
) -> Proxy | None:
    from mphttp.network.route import Proxy

    if socks is not None:
        return Proxy("socks5h", *socks.address, auth=socks.auth)
    if given is None or given.host is None:
        return None
    return Proxy("http", given.host.strip("[]"), given.port or 80, headers=headers)


def _tls(connection: Connection) -> ssl.SSLSocket | None:
    sock: socket.socket | None = connection.sock
    return sock if isinstance(sock, ssl.SSLSocket) else None
