"""The client that all transfers of a command share, and its pool of connections."""

from __future__ import annotations

import importlib
import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Protocol, TypedDict, Unpack

import httpx

from mphttp import MultipathTransport
from mphttp.engine.request import Multipath
from mphttp.kernel.interfaces.paths import path_of
from mphttp.network.hosts import Hosts
from mphttp.network.names import to_dial, without_zone
from mphttp.strategies import Strategy

from ..environment import Environment
from ..exits import ExitCode, Failure, usage
from ..redirect import in_url
from ..url import port_of
from .authentication import PROXY, Asked
from .message import chosen_scheme, given_fields, login, sent_fields, tunnel_fields
from .proxies import Asking, Proxies, Routes, chosen_proxies
from .session import Session
from .settings import Settings, all_options
from .trust import show, shown, trusted
from .tunnels import Answer, AskedTunnel

_MOST_SOCKS = 255
"""Bytes of a user or a password."""


class Client(httpx.Client):
    """Builds requests; `redirect.sent` sends them over its transport.

    Args:
        transport: for all requests.
        timeout: of each.
        session: what they share.
    """

    def __init__(self, transport: Routes, timeout: httpx.Timeout, session: Session) -> None:
        super().__init__(transport=transport, timeout=timeout)
        self.transport = transport
        self.session = session


def make_client(
    settings: Settings, strategy: Strategy | None, environment: Environment, session: Session
) -> Client:
    """Make the client.

    Raises:
        Failure: a proxy, the trusted certificates or the backend can't be used.
    """
    check_backend(settings)
    proxies = chosen_proxies(settings.proxy, settings.noproxy, environment.environ)
    if settings.proxy_user is not None:
        proxies = proxies.with_login(*login(settings.proxy_user, environment))
    known = hosts(settings)
    proxies = replace(
        proxies, scheme=chosen_scheme(settings.proxy_scheme), tunnel=_tunnels(settings, known)
    )
    own = given_fields(settings.proxy_header, environment, silent=settings.silent)
    make_transport = _BACKENDS[settings.backend](settings, proxies)

    def plain(proxy: str | None, scheme: str, answer: Answer = None) -> httpx.BaseTransport:
        tunnel = scheme == "https" or settings.proxytunnel or bool(known.instead)
        headers = tunnel_fields(settings, own) if tunnel else sent_fields(own)
        headers += [] if answer is None else [answer]
        _check_socks(proxy or "")
        with _tls_files(environment):
            return make_transport(
                scheme,
                None if proxy is None else httpx.Proxy(proxy, headers=headers),
                strategy=strategy,
                paths=paths(settings) or None,
                strict=settings.strict,
                multipath=settings.multipath,
                http2=settings.http_version == "2",
                hosts=known,
                tunnel=settings.proxytunnel,
            )

    def make(proxy: str | None, scheme: str, asking: Asking | None) -> httpx.BaseTransport:
        if asking is None:
            return plain(proxy, scheme)
        asked = Asked(asking.login, proxies.scheme or "any", PROXY)
        return AskedTunnel(partial(plain, proxy, scheme), asked, asking.target)

    # As in curl, only connecting has a limit of its own: a slow body is no fault.
    timeout = httpx.Timeout(None, connect=settings.connect_timeout or None)
    return Client(Routes(proxies, make), timeout, session)


def _check_socks(proxy: str) -> None:
    """Refuse a user or a password that a SOCKS proxy can't be told (RFC 1929, section 2).

    Raises:
        Failure: it is one.
    """
    told = in_url(httpx.URL(proxy)) if proxy.startswith("socks") else None
    for words, what in zip(told or (), ("user", "password"), strict=False):
        if (size := len(os.fsencode(words))) > _MOST_SOCKS:
            raise Failure(ExitCode.SOCKS, f"SOCKS5 has no room for a {what} of {size} bytes")


def _tunnels(settings: Settings, known: Hosts) -> Callable[[httpx.URL], str]:
    """Return what tells where a proxy is asked to lead for a URL, "" if it can read the request."""

    def of(url: httpx.URL) -> str:
        here = to_dial(url.raw_host.decode("ascii")), port_of(url)
        host, port = known.leads_to(*here)
        if url.scheme != "https" and not settings.proxytunnel and (host, port) == here:
            return ""
        host = without_zone(host)
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    return of


def check_backend(settings: Settings) -> None:
    """Refuse what only the other backend can do.

    Raises:
        Failure: something is.
    """
    for name, option in all_options():
        if option.backend not in ("", settings.backend) and getattr(settings, name):
            what = f"{option.name} can't be had with --backend {settings.backend}"
            raise usage(what, f"--backend {option.backend} can do it")


def hosts(settings: Settings) -> Hosts:
    """Return how hosts become addresses."""
    known: dict[tuple[str, int], tuple[str, ...]] = {}
    for host, port, addresses in settings.resolve:
        known.pop((host, port), None)
        if addresses:
            known[host, port] = addresses
    return Hosts(settings.family or "any", known, settings.connect_to)


def paths(settings: Settings) -> tuple[str, ...]:
    """Return the interfaces that may be used; () allows all.

    Raises:
        Failure: two options name them.
    """
    if settings.interface is None:
        return settings.path
    if settings.path:
        raise usage("--interface names the one path, and --path others", "give one of them")
    name = settings.interface.removeprefix("if!").removeprefix("host!")
    try:
        owner = path_of(name)
    except ValueError:  # it is no address
        return (name,)
    return (name if owner is None else owner.name,)


class _Options(TypedDict):
    """What both kinds of transports take."""

    strategy: Strategy | None
    paths: tuple[str, ...] | None
    strict: bool
    multipath: Multipath
    http2: bool
    hosts: Hosts
    tunnel: bool


class _Make(Protocol):
    """Makes a transport for a scheme."""

    def __call__(
        self, scheme: str, proxy: httpx.Proxy | None, /, **options: Unpack[_Options]
    ) -> httpx.BaseTransport: ...


def _httpx(settings: Settings, proxies: Proxies) -> _Make:
    if any(url.startswith("socks") for url in proxies.by_scheme.values()):
        _need("socksio", "a SOCKS proxy", "pip install 'httpx[socks]'")
    if settings.http_version == "2":
        for package in ("hpack", "hyperframe"):
            _need(package, "--http2", "pip install 'mphttp[http2]'")
    trust = trusted(settings) or not settings.insecure
    own = _own_context(settings, trust)

    def make(
        scheme: str, proxy: httpx.Proxy | None, /, **options: Unpack[_Options]
    ) -> httpx.BaseTransport:
        # Without TLS, nobody needs the certificates: reading them takes longer than a small object.
        tls = trust if own is None else own
        needed = tls if scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return MultipathTransport(proxy=_proxy(proxy, trust), verify=needed, **options)

    return make


def _own_context(settings: Settings, trust: ssl.SSLContext | bool) -> ssl.SSLContext | None:
    """Return the TLS of those who see a certificate of ours: servers, and no proxy."""
    cert = shown(settings)
    if cert is None:
        return None
    context = trusted(settings) or httpx.create_ssl_context(verify=trust)
    show(context, cert)
    return context


def _proxy(proxy: httpx.Proxy | None, trust: ssl.SSLContext | bool) -> httpx.Proxy | None:
    """Return a proxy, which is trusted as servers are: no option tells them apart."""
    if proxy is not None and proxy.url.scheme == "https":
        if isinstance(trust, bool):
            trust = httpx.create_ssl_context(verify=trust)
        proxy.ssl_context = trust
    return proxy


def _curl(settings: Settings, _: Proxies) -> _Make:
    _need("pycurl", "--backend curl", "pip install pycurl")
    from mphttp.curl import CurlTransport

    trusted(settings)  # libcurl reads the file by itself, and would tell later that it can't

    cert = shown(settings)

    verify = not settings.insecure and (settings.cacert or True)

    def make(
        _: str, proxy: httpx.Proxy | None, /, **options: Unpack[_Options]
    ) -> httpx.BaseTransport:
        return CurlTransport(cert=cert, verify=verify, proxy=proxy, **options)

    return make


def _need(package: str, who: str, hint: str) -> None:
    try:
        importlib.import_module(package)
    except ImportError as error:
        what = f"{who} needs the package {package}, which can't be imported: {error}"
        raise usage(what, hint) from error


@contextmanager
def _tls_files(environment: Environment) -> Iterator[None]:
    """Say which of the files can't be read that the environment names for TLS."""
    try:
        yield
    except OSError as error:
        given = [
            f"{name}={environment.environ[name]}" for name in _FILES if name in environment.environ
        ]
        what = f"TLS can't begin: {error.strerror or error}"
        raise Failure(
            ExitCode.CA_FILE, what, f"look at {', '.join(given)}" if given else ""
        ) from error


_FILES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE")
_BACKENDS = {"httpx": _httpx, "curl": _curl}
