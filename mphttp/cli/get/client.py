"""The client that all transfers of a command share, and its pool of connections."""

from __future__ import annotations

import importlib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from mphttp import MultipathTransport
from mphttp.strategies import Strategy

from ..environment import Environment
from ..exits import ExitCode, Failure, usage
from .message import login
from .proxies import Proxies, Routes, chosen_proxies
from .session import Session, make_session
from .settings import Settings


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


def make_client(settings: Settings, strategy: Strategy | None, environment: Environment) -> Client:
    """Make the client.

    Raises:
        Failure: a proxy, the trusted certificates or the backend can't be used.
    """
    proxies = chosen_proxies(settings.proxy, settings.noproxy, environment.environ)
    if settings.proxy_user is not None:
        proxies = proxies.with_login(*login(settings.proxy_user, environment))
    make_transport, trust = _BACKENDS[settings.backend](settings, proxies)

    def make(proxy: str | None, scheme: str) -> httpx.BaseTransport:
        with _tls_files(environment):
            return make_transport(
                scheme,
                strategy=strategy,
                paths=settings.path or None,
                strict=settings.strict,
                verify=trust,
                proxy=proxy,
                multipath=settings.multipath,
            )

    # As in curl, only connecting has a limit of its own: a slow body is no fault.
    timeout = httpx.Timeout(None, connect=settings.connect_timeout or None)
    return Client(Routes(proxies, make), timeout, make_session(settings, environment))


_Backend = tuple[Callable[..., httpx.BaseTransport], Any]
"""What makes a transport, and what it takes for `verify`."""


def _httpx(settings: Settings, proxies: Proxies) -> _Backend:
    if any(url.startswith("socks") for url in proxies.by_scheme.values()):
        _need("socksio", "a SOCKS proxy", "pip install 'httpx[socks]'")
    trust = _trusted(settings) or not settings.insecure

    def make(scheme: str, *, proxy: str | None, verify: Any, **options: Any) -> httpx.BaseTransport:
        # Without TLS, nobody needs the certificates: reading them takes longer than a small object.
        needed = verify if scheme == "https" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return MultipathTransport(proxy=_proxy(proxy, trust), verify=needed, **options)

    return make, trust


def _proxy(url: str | None, trust: ssl.SSLContext | bool) -> httpx.Proxy | None:
    """Return a proxy, which is trusted as servers are: no option tells them apart."""
    if url is None or not url.startswith("https:"):
        return None if url is None else httpx.Proxy(url)
    tls = trust if isinstance(trust, ssl.SSLContext) else httpx.create_ssl_context(verify=trust)
    return httpx.Proxy(url, ssl_context=tls)


def _curl(settings: Settings, _: Proxies) -> _Backend:
    _need("pycurl", "--backend curl", "pip install pycurl")
    from mphttp.curl import CurlTransport

    _trusted(settings)  # libcurl reads the file by itself, and would tell later that it can't

    def make(_: str, **options: Any) -> httpx.BaseTransport:
        return CurlTransport(**options)

    return make, not settings.insecure and (settings.cacert or True)


def _need(package: str, who: str, hint: str) -> None:
    try:
        importlib.import_module(package)
    except ImportError as error:
        what = f"{who} needs the package {package}, which can't be imported: {error}"
        raise usage(what, hint) from error


def _trusted(settings: Settings) -> ssl.SSLContext | None:
    """Return what trusts the certificates of --cacert, None without it or with -k."""
    if settings.insecure or settings.cacert is None:
        return None
    try:
        return ssl.create_default_context(cafile=settings.cacert)
    except OSError as error:
        what = f"{settings.cacert} can't be used: {error.strerror or error}"
        raise Failure(ExitCode.CA_FILE, what, "--cacert takes a file in PEM format") from error


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
