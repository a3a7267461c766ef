"""What further connections need to know of a request of urllib3's (mphttp.ranges)."""

from __future__ import annotations

import ssl
from typing import Any

import httpcore
import httpx
import urllib3.connection

from mphttp.transports.dialer import Dialer
from mphttp.transports.host import Host
from mphttp.transports.origin import Options
from mphttp.transports.parts import Sent
from mphttp.transports.route import Proxy, Routes

from .recorder import Recorder
from .socks import SocksProxy

Connection = urllib3.connection.HTTPConnection
_HOST = Host(httpx, httpcore)


def sent_by(connection: Connection, recorder: Recorder, method: str) -> Sent:
    """Return a request as its server got it.

    Args:
        connection: over which it was sent.
        recorder: knows what was sent.
        method: such as "GET".
    """
    if recorder.target.startswith(("http://", "https://")):  # a proxy forwards it
        return Sent(method.encode(), httpcore.URL(recorder.target), recorder.headers)
    sock: Any = connection.sock
    url = httpcore.URL(
        scheme=b"https" if isinstance(sock, ssl.SSLSocket) else b"http",
        host=recorder.host.strip("[]").encode("idna"),
        port=recorder.port,
        target=recorder.target.encode("ascii"),
    )
    named = sock.server_hostname or "" if isinstance(sock, ssl.SSLSocket) else ""
    return Sent(method.encode(), url, recorder.headers, named)


def obstacle(connection: Connection) -> str:
    """Say what keeps further connections from being made as this one was, or ""."""
    if connection.proxy is not None and connection.proxy.scheme == "https":
        return "the proxy is reached through TLS"
    if not isinstance(connection, urllib3.connection.HTTPSConnection):
        return ""
    sock: Any = connection.sock
    if not isinstance(sock, ssl.SSLSocket):
        return "TLS isn't that of Python's ssl"
    context, named = sock.context, connection.assert_hostname
    by_context = context.check_hostname or context.verify_mode == ssl.CERT_NONE or named is False
    if connection.assert_fingerprint or not by_context:
        return "urllib3 itself looks at the server's certificate"
    return ""


def options_of(connection: Connection, recorder: Recorder, socks: SocksProxy | None) -> Options:
    """Return how further connections are made: as this one was.

    Args:
        connection: of the first response.
        recorder: knows what a proxy was told.
        socks: the proxy that connects, or None.
    """
    sock: Any = connection.sock
    tls = sock if isinstance(sock, ssl.SSLSocket) else None
    return Options(
        host=_HOST,
        dialer=Dialer(_HOST, None, None, tuple(connection.socket_options or ()), plain=True),
        routes=Routes(None if tls is None else tls.context, _proxy(connection, recorder, socks)),
        session=None if tls is None else tls.session,
    )


def _proxy(connection: Connection, recorder: Recorder, socks: SocksProxy | None) -> Proxy | None:
    if socks is not None:
        return Proxy("socks5h", *socks.address, auth=socks.auth)
    given = connection.proxy
    if given is None or given.host is None:
        return None
    headers = tuple(recorder.proxy_headers)
    return Proxy("http", given.host.strip("[]"), given.port or 80, headers=headers)
