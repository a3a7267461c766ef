"""How an origin is reached: what the first leg, the one with several paths, leads to, and then."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field

from .dialogue import Dialogue
from .hosts import SYSTEM, Hosts
from .names import to_dial, without_zone
from .proxy import basic_authorization, connect, socks5


@dataclass(frozen=True)
class Proxy:
    """A proxy between here and every origin.

    Args:
        scheme: "http", "https", "socks5" or "socks5h".
        host: a name or an IP address.
        port: TCP port.
        auth: user and password, or None.
        headers: for the proxy.
        tls: for an "https" proxy.
    """

    scheme: str
    host: str
    port: int
    auth: tuple[bytes, bytes] | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    tls: ssl.SSLContext | None = None

    @property
    def socks(self) -> bool:
        """Whether it speaks SOCKS5, not HTTP."""
        return self.scheme.startswith("socks5")

    @property
    def own_headers(self) -> list[tuple[bytes, bytes]]:
        """Headers for the proxy, with its credentials."""
        given = [] if self.auth is None or self.socks else [basic_authorization(*self.auth)]
        return [*given, *self.headers]


@dataclass(frozen=True)
class Route:
    """How connections to one origin are made.

    Args:
        host: of the first leg, the one whose subflows a strategy opens and closes.
        port: of the first leg.
        uds: a Unix socket in place of the first leg, or None.
        outer_tls: for the first leg, where TLS to a proxy is below all else.
        tls: for the origin.
        server_hostname: whom the origin's certificate shall name.
        tunnel: the origin's host and port, where a proxy is to be asked for it.
        proxy: the proxy on the way, or None.
    """

    host: str
    port: int
    uds: str | None = None
    outer_tls: ssl.SSLContext | None = None
    tls: ssl.SSLContext | None = None
    server_hostname: str = ""
    tunnel: tuple[bytes, int] | None = None
    proxy: Proxy | None = None

    @property
    def forwarded(self) -> bool:
        """Whether the proxy reads each request (RFC 9112, section 3.2.2)."""
        return self.proxy is not None and self.tunnel is None

    def to_proxy(
        self, url: bytes, headers: Iterable[tuple[bytes, bytes]]
    ) -> tuple[bytes, list[tuple[bytes, bytes]]]:
        """Return target and fields of a request that the proxy reads (RFC 9112, section 3.2.2).

        Args:
            url: all of it.
            headers: for the origin.
        """
        assert self.proxy is not None
        sent = list(headers)
        names = {name.lower() for name, _ in sent}
        own = [field for field in self.proxy.own_headers if field[0].lower() not in names]
        return url, [*own, *sent]

    def ask_proxy(self) -> Dialogue[bytes]:
        """Return what is to be said to the proxy before the origin can hear."""
        assert self.proxy is not None
        assert self.tunnel is not None
        if self.proxy.socks:
            return socks5(*self.tunnel, self.proxy.auth)
        return connect(*self.tunnel, self.proxy.own_headers)


@dataclass(frozen=True)
class Routes:
    """How origins are reached.

    Args:
        tls: for origins; None where none has TLS.
        proxy: on the way to each, or None.
        uds: a Unix socket in place of every host, or None.
        hosts: where connections lead that are to lead elsewhere.
        tunnel: whether a proxy is asked for a tunnel also where it could read the request.
    """

    tls: ssl.SSLContext | None
    proxy: Proxy | None = None
    uds: str | None = None
    hosts: Hosts = SYSTEM
    tunnel: bool = False
    _tls_schemes: Iterable[bytes] = field(default=(b"https", b"wss"), repr=False)

    def to(self, scheme: bytes, host_name: bytes, port: int) -> Route:
        """Return the route to an origin.

        Args:
            scheme: such as b"https".
            host_name: a name or an IP address, without brackets.
            port: TCP port.
        """
        host, proxy = to_dial(host_name.decode("ascii")), self.proxy
        tls = self.tls if scheme in self._tls_schemes else None
        to_host, to_port = self.hosts.leads_to(host, port)
        if proxy is None:
            return Route(to_host, to_port, self.uds, tls=tls, server_hostname=host)
        elsewhere = (to_host, to_port) != (host, port)
        through = proxy.socks or tls is not None or self.tunnel or elsewhere
        return Route(
            proxy.host,
            proxy.port,
            outer_tls=proxy.tls,
            tls=tls,
            server_hostname=host,
            tunnel=(without_zone(to_host).encode(), to_port) if through else None,
            proxy=proxy,
        )
