"""What holds for all transfers of a session or transport, as libcurl's options."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypedDict
from urllib.parse import SplitResult, urlsplit

import pycurl

from mphttp.network.hosts import SYSTEM, Hosts, Instead

from .request import check_field

BUFFER = 100 * 1024
"""Bytes that libcurl reads at once, as its command does; one step brings up to 22 times as many."""

Cert = str | tuple[str, str] | tuple[str, str, str]
_PROXIES = {"http", "https", "socks", "socks4", "socks4a", "socks5", "socks5h"}
_HTTP = pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS


class Given(TypedDict, total=False):
    """Fields of `Settings`, as far as a caller gives them."""

    verify: str | os.PathLike[str] | bool
    cert: Cert | None
    proxy: str | None
    proxy_headers: Sequence[tuple[str, str]]
    http2: bool
    keep: int
    hosts: Hosts
    tunnel: bool


@dataclass(frozen=True)
class Settings:
    """How connections are made and whom they trust.

    Args:
        verify: True trusts what httpx trusts (SSL_CERT_FILE and SSL_CERT_DIR, or certifi's list); a
            path names a file or folder of certificates; False trusts anyone.
        cert: a client certificate's file, with the key's file and its password where they are
            apart.
        proxy: URL such as "http://user:password@host:3128" or "socks5h://host"; None for none, the
            environment's too.
        proxy_headers: names and values that the proxy alone gets.
        http2: offer HTTP/2 where there is TLS.
        keep: seconds for which an idle connection is kept.
        hosts: how hosts become addresses, if not as the system finds them.
        tunnel: ask a proxy for a tunnel also where it could read the request.

    Raises:
        ValueError: `verify` is of a kind that libcurl doesn't know, or `proxy` no URL of a proxy.
    """

    verify: str | os.PathLike[str] | bool = True
    cert: Cert | None = None
    proxy: str | None = None
    proxy_headers: Sequence[tuple[str, str]] = field(default=())
    http2: bool = False
    keep: int = 60
    hosts: Hosts = SYSTEM
    tunnel: bool = False

    def __post_init__(self) -> None:
        given: object = self.verify
        if isinstance(given, ssl.SSLContext) or not isinstance(given, bool | str | os.PathLike):
            raise ValueError(
                "verify must be True, False or the path of certificates: libcurl has a TLS of its "
                f"own, which can't use {given!r}"
            )
        _check_proxy(self.proxy_url)

    def apply(self, easy: pycurl.Curl) -> None:
        """Set them on a handle.

        Raises:
            pycurl.error: this libcurl doesn't support one of them.
            ValueError: a header for the proxy can't be sent so.
        """
        for name, value in self.proxy_headers:
            check_field(name, value)
        version = pycurl.CURL_HTTP_VERSION_2TLS if self.http2 else pycurl.CURL_HTTP_VERSION_1_1
        options: dict[int, object] = {
            pycurl.NOSIGNAL: 1,
            pycurl.PROTOCOLS: _HTTP,
            pycurl.REDIR_PROTOCOLS: _HTTP,
            pycurl.BUFFERSIZE: BUFFER,
            pycurl.HTTP_VERSION: version,
            pycurl.PIPEWAIT: int(self.http2),
            pycurl.MAXAGE_CONN: self.keep,
            pycurl.PATH_AS_IS: 1,
            pycurl.PROXY: self.proxy or "",
            pycurl.NOPROXY: "",  # else the environment's no_proxy would count
            pycurl.HTTPPROXYTUNNEL: int(self.tunnel),
            pycurl.IPRESOLVE: _FAMILIES[self.hosts.family],
            **self._trust(),
            **self._certificate(),
        }
        for option, setting in options.items():
            easy.setopt(option, setting)
        if self.hosts.addresses:
            easy.setopt(pycurl.RESOLVE, list(_addresses(self.hosts)))
        if self.hosts.instead:
            easy.setopt(pycurl.CONNECT_TO, list(map(_instead, self.hosts.instead)))
        if self.proxy_headers:
            easy.setopt(pycurl.HEADEROPT, pycurl.HEADER_SEPARATE)
            easy.setopt(pycurl.PROXYHEADER, [f"{n}: {v}" for n, v in self.proxy_headers])

    @cached_property
    def context(self) -> ssl.SSLContext:
        """The same for connections that aren't libcurl's.

        Raises:
            OSError: a file isn't there, or isn't what it should be.
        """
        places = {} if self.verify is False else {self._place.is_dir(): str(self._place)}
        context = ssl.create_default_context(cafile=places.get(False), capath=places.get(True))
        if self.verify is False:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.cert is not None:
            context.load_cert_chain(*((self.cert,) if isinstance(self.cert, str) else self.cert))
        return context

    @property
    def proxy_url(self) -> SplitResult | None:
        """The proxy, or None."""
        if not self.proxy:
            return None
        return urlsplit(self.proxy if "://" in self.proxy else f"http://{self.proxy}")

    @property
    def _place(self) -> Path:
        """Where the certificates are that are trusted."""
        return _trusted() if isinstance(self.verify, bool) else Path(self.verify)

    def _trust(self) -> dict[int, object]:
        if self.verify is False:
            peer: dict[int, object] = {pycurl.SSL_VERIFYPEER: 0, pycurl.PROXY_SSL_VERIFYPEER: 0}
            return peer | {pycurl.SSL_VERIFYHOST: 0, pycurl.PROXY_SSL_VERIFYHOST: 0}
        place = self._place
        if place.is_dir():
            return {pycurl.CAPATH: str(place), pycurl.PROXY_CAPATH: str(place)}
        return {pycurl.CAINFO: str(place), pycurl.PROXY_CAINFO: str(place)}

    def _certificate(self) -> dict[int, object]:
        if self.cert is None:
            return {}
        parts = (self.cert,) if isinstance(self.cert, str) else self.cert
        names = (pycurl.SSLCERT, pycurl.SSLKEY, pycurl.KEYPASSWD)
        return dict(zip(names, parts, strict=False))


_FAMILIES = {
    "any": pycurl.IPRESOLVE_WHATEVER,
    "ipv4": pycurl.IPRESOLVE_V4,
    "ipv6": pycurl.IPRESOLVE_V6,
}


def _addresses(hosts: Hosts) -> Iterator[str]:
    """Yield what CURLOPT_RESOLVE takes."""
    for (host, port), addresses in hosts.addresses.items():
        yield f"{host}:{port}:{','.join(map(_in_brackets, addresses))}"


def _instead(one: Instead) -> str:
    """Return what CURLOPT_CONNECT_TO takes."""
    places = ((one.host, one.port), (one.to_host, one.to_port))
    return ":".join(f"{_in_brackets(host)}:{port or ''}" for host, port in places)


def _in_brackets(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _check_proxy(url: SplitResult | None) -> None:
    """Refuse what libcurl can't use: its own words would tell the password.

    Raises:
        ValueError: it is no proxy.
    """
    if url is None:
        return
    if url.scheme not in _PROXIES:
        raise ValueError(f"there is no kind of proxy called {url.scheme!r}")
    try:
        readable = bool(url.hostname) and url.port != 0
    except ValueError:
        readable = False
    if not readable:
        what = "host and port of the proxy's URL can't be read"
        raise ValueError(f"{what}: in a user or a password, / ? # @ and : are percent-encoded")


def _trusted() -> Path:
    """Find what httpx would trust."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        if os.environ.get(name):
            return Path(os.environ[name])
    import certifi

    return Path(certifi.where())
