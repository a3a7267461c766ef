"""Which proxy a request goes through: `-x`, `--noproxy` and curl's environment variables.

httpx has a reading of these variables of its own, but only for transports that it makes itself; its
patterns know no networks (10.0.0.0/8), and take ".example.org" for another thing than curl does.
So the choice is a function here, and `Routes` asks it for each request, a redirect's too.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple
from urllib.parse import quote

import httpx

from ..exits import ExitCode, Failure
from ..redirect import in_url
from ..url import fault_of, port_of, read_url, without_userinfo
from .settings.session import Scheme

_IPv4 = ipaddress.IPv4Address
_NUMBER = r"(?:0x[0-9a-f]+|[0-9]+)"
_OLD_ADDRESS = re.compile(rf"{_NUMBER}(?:\.{_NUMBER}){{0,3}}", re.ASCII)
"""IPv4 as `inet_aton` reads it, and so whoever connects: 127.1, 0x7f.1, 2130706433."""
_ENTRY = re.compile(r"(\[[^\]]*\](?:/\d+)?|[^:]*)(?::(\d{1,5}))?", re.ASCII)
"""A host and perhaps its port."""


class Asking(NamedTuple):
    """A tunnel whose proxy is told who asks when it wants to know.

    Args:
        target: where it leads, as the proxy is asked for it.
        login: user and password.
    """

    target: str
    login: tuple[str, str]


@dataclass(frozen=True)
class Proxies:
    """Which proxies there are.

    Args:
        by_scheme: URL of the proxy for "http" and "https"; a scheme that isn't there has none.
        without: hosts that are reached without, as `no_proxy` lists them.
        login: user and password for all of them, in place of those in their URLs; or None.
        scheme: how HTTP proxies are told them: "digest" and "any" only when they ask, and not in
            the proxy's URL.
        tunnel: returns where a tunnel to a URL leads, "" if proxies need none for it.
    """

    by_scheme: Mapping[str, str]
    without: tuple[str, ...] = ()
    login: tuple[str, str] | None = None
    scheme: Scheme | None = None
    tunnel: Callable[[httpx.URL], str] = lambda _: ""

    def with_login(self, user: str, password: str) -> Proxies:
        """Return the same, and each proxy is told this user and password."""
        return replace(self, login=(user, password))

    def of(self, url: httpx.URL) -> str | None:
        """Return the proxy for a URL, or None.

        Raises:
            Failure: what the environment names is no proxy.
        """
        checked = self._chosen(url)
        if checked is not None and self._waits(checked):
            return str(httpx.URL(checked).copy_with(userinfo=b""))
        if checked is None or self.login is None:
            return checked
        userinfo = ":".join(quote(os.fsencode(part), safe="") for part in self.login)
        return str(httpx.URL(checked).copy_with(userinfo=userinfo.encode()))

    def waiting_login(self, url: httpx.URL) -> tuple[str, str] | None:
        """Return user and password for the proxy of a URL if it is told them when it asks; or None.

        Raises:
            Failure: what the environment names is no proxy.
        """
        chosen = self._chosen(url)
        if chosen is None or not self._waits(chosen):
            return None
        return self.login or in_url(httpx.URL(chosen))

    def asking_tunnel(self, url: httpx.URL) -> Asking | None:
        """Return the tunnel to a URL, if its proxy is told user and password when it asks."""
        login, target = self.waiting_login(url), self.tunnel(url)
        return Asking(target, login) if login is not None and target else None

    def _chosen(self, url: httpx.URL) -> str | None:
        proxy = self.by_scheme.get(url.scheme)
        if proxy is None or excepted(url.raw_host.decode(), self.without, port_of(url)):
            return None
        return checked_proxy(proxy)

    def _waits(self, proxy: str) -> bool:
        return self.scheme in ("digest", "any") and proxy.startswith("http")


def chosen_proxies(proxy: str | None, noproxy: str | None, environ: Mapping[str, str]) -> Proxies:
    """Return the proxies that a command line and its environment ask for.

    As in curl: `http_proxy` counts in lower case only (a web server's CGI programs get HTTP_PROXY
    from whoever sends the header Proxy); -x takes the place of the variables, and is none if empty;
    --noproxy takes the place of `no_proxy`. Other than in curl, `no_proxy` doesn't hold for -x: who
    names a proxy means it. Variables are looked at when they are needed.

    Raises:
        Failure: -x names no proxy.
    """
    if proxy is None:
        without = noproxy if noproxy is not None else _either(environ, "no_proxy") or ""
        common = _either(environ, "all_proxy")
        given = {
            "http": environ.get("http_proxy") or common,
            "https": _either(environ, "https_proxy") or common,
        }
    else:
        without = noproxy or ""
        given = dict.fromkeys(("http", "https"), checked_proxy(proxy) if proxy else None)
    by_scheme = {scheme: _with_scheme(url) for scheme, url in given.items() if url}
    return Proxies(by_scheme, tuple(word for word in re.split(r"[\s,]+", without) if word))


def excepted(host: str, without: tuple[str, ...], port: int | None = None) -> bool:
    """Whether a host is reached without a proxy.

    Both sides are brought into one form first: case, a dot at the end, brackets, every way to write
    an address, and names that IDNA encodes.

    Args:
        host: a name or an address.
        without: "*" alone for all; names, with their subdomains; addresses; networks; each perhaps
            with a port, and then for that alone.
        port: that is connected to, or None.
    """
    if without == ("*",):
        return True
    entries = [entry for entry, only in map(_split, without) if only in (None, port)]
    address = _address(host)
    if address is not None:
        return any(address in network for network in map(_network, entries) if network)
    name = _name(host)
    names = (_name(entry.strip(".")) for entry in entries)
    return any(name == entry or name.endswith(f".{entry}") for entry in names if entry)


def checked_proxy(text: str) -> str:
    """Return the URL of a proxy; without a scheme it is http.

    Raises:
        Failure: it is none.
    """
    shown = f"{without_userinfo(text)!r} is no proxy"
    try:
        url = read_url(_with_scheme(text))
        httpx.Proxy(url)
    except (ValueError, httpx.InvalidURL) as error:
        why = str(error) if isinstance(error, ValueError) else fault_of(_with_scheme(text))
        told = f"{shown}: {why}" if why else shown
        raise Failure(ExitCode.PROXY, told, "-x http://HOST:PORT") from None
    if not url.host:
        raise Failure(ExitCode.PROXY, f"{shown}: it names no host", "-x http://HOST:PORT")
    return str(url)


class Routes(httpx.BaseTransport):
    """Sends each request through its proxy, over one transport for each proxy and scheme.

    Args:
        proxies: which proxies there are.
        make: makes the transport that goes through a proxy, or through none, for a scheme; or to
            one place by tunnels alone, with a proxy that wants to know who asks.
    """

    def __init__(
        self,
        proxies: Proxies,
        make: Callable[[str | None, str, Asking | None], httpx.BaseTransport],
    ) -> None:
        self.proxies = proxies
        self._make = make
        self._transports: dict[tuple[str | None, str, Asking | None], httpx.BaseTransport] = {}
        self._lock = threading.Lock()

    def proxy_of(self, url: httpx.URL) -> str | None:
        """Return the URL of the proxy on the way to another, or None.

        Raises:
            Failure: what the environment names is no proxy.
        """
        return self.proxies.of(url)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        way = self.proxy_of(url), url.scheme, self.proxies.asking_tunnel(url)
        with self._lock:
            if way not in self._transports:
                self._transports[way] = self._make(*way)
        return self._transports[way].handle_request(request)

    def close(self) -> None:
        for transport in self._transports.values():
            transport.close()


def _either(environ: Mapping[str, str], name: str) -> str | None:
    return environ.get(name) or environ.get(name.upper())


def _with_scheme(text: str) -> str:
    return text if "://" in text else f"http://{text}"


def _split(entry: str) -> tuple[str, int | None]:
    match = _ENTRY.fullmatch(entry)
    return (match[1], int(match[2])) if match and match[2] else (entry, None)


def _address(host: str) -> _IPv4 | ipaddress.IPv6Address | None:
    bare = host.strip("[]").partition("%")[0].lower()
    bare = bare.removesuffix(".")
    try:
        if _OLD_ADDRESS.fullmatch(bare):
            return _IPv4(socket.inet_aton(bare))
        address = ipaddress.IPv6Address(bare)
    except (ValueError, OSError):
        return None
    return address.ipv4_mapped or address


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    address = _address(entry)
    try:
        if address is not None:
            return ipaddress.ip_network(address)
        return ipaddress.ip_network(entry.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return None


def _name(host: str) -> str:
    name = host.lower().removesuffix(".")
    if name.isascii():
        return name
    try:
        return httpx.URL(f"http://{name}").raw_host.decode().removesuffix(".")
    except (UnicodeError, httpx.InvalidURL):
        return name
