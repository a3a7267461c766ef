"""Which proxy a request goes through: `-x`, `--noproxy` and curl's environment variables.

httpx has a reading of these variables of its own, but only for transports that it makes itself; its
patterns know no networks (10.0.0.0/8), and take ".example.org" for another thing than curl does.
So the choice is a function here, and `Routes` asks it for each request, a redirect's too.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx

from ..exits import usage


@dataclass(frozen=True)
class Proxies:
    """Which proxies there are.

    Args:
        by_scheme: URL of the proxy for "http" and "https"; a scheme that isn't there has none.
        without: hosts that are reached without, as `no_proxy` lists them.
    """

    by_scheme: Mapping[str, str]
    without: tuple[str, ...] = ()

    def of(self, url: httpx.URL) -> str | None:
        """Return the proxy for a URL, or None."""
        proxy = self.by_scheme.get(url.scheme)
        return None if proxy is None or excepted(url.host, self.without) else proxy


def chosen_proxies(proxy: str | None, noproxy: str | None, environ: Mapping[str, str]) -> Proxies:
    """Return the proxies that a command line and its environment ask for.

    As in curl: `http_proxy` counts in lower case only (a web server's CGI programs get HTTP_PROXY
    from whoever sends the header Proxy); -x takes the place of the variables, and is none if empty;
    --noproxy takes the place of `no_proxy`, which holds for -x too.

    Raises:
        Failure: one of them is no proxy.
    """
    without = noproxy if noproxy is not None else _either(environ, "no_proxy") or ""
    if proxy is None:
        common = _either(environ, "all_proxy")
        given = {
            "http": environ.get("http_proxy") or common,
            "https": _either(environ, "https_proxy") or common,
        }
    else:
        given = dict.fromkeys(("http", "https"), proxy)
    by_scheme = {scheme: checked_proxy(url) for scheme, url in given.items() if url}
    return Proxies(by_scheme, tuple(word for word in re.split(r"[\s,]+", without) if word))


def excepted(host: str, without: tuple[str, ...]) -> bool:
    """Whether a host is reached without a proxy.

    Args:
        host: a name or an address, without brackets.
        without: "*" alone for all; names, with their subdomains; addresses; networks.
    """
    if without == ("*",):
        return True
    address = _address(host)
    if address is not None:
        return any(address in network for network in map(_network, without) if network)
    name = host.lower().rstrip(".")
    names = (entry.lower().strip(".") for entry in without)
    return any(name == entry or name.endswith(f".{entry}") for entry in names if entry)


def checked_proxy(text: str) -> str:
    """Return the URL of a proxy; without a scheme it is http.

    Raises:
        Failure: it is none.
    """
    url = text if "://" in text else f"http://{text}"
    try:
        proxy = httpx.Proxy(url)
    except (ValueError, httpx.InvalidURL) as error:
        raise usage(f"{text!r} is no proxy: {error}", "-x http://HOST:PORT") from error
    if not proxy.url.host:
        raise usage(f"{text!r} is no proxy: it names no host", "-x http://HOST:PORT")
    return url


class Routes(httpx.BaseTransport):
    """Sends each request through its proxy, over one transport for each proxy.

    Args:
        proxies: which proxies there are.
        make: makes the transport that goes through a proxy, or through none.
    """

    def __init__(self, proxies: Proxies, make: Callable[[str | None], httpx.BaseTransport]) -> None:
        self._proxies = proxies
        self._make = make
        self._transports: dict[str | None, httpx.BaseTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        proxy = self._proxies.of(request.url)
        if proxy not in self._transports:
            self._transports[proxy] = self._make(proxy)
        return self._transports[proxy].handle_request(request)

    def close(self) -> None:
        for transport in self._transports.values():
            transport.close()


def _either(environ: Mapping[str, str], name: str) -> str | None:
    return environ.get(name) or environ.get(name.upper())


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(entry.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return None
