"""The client that all transfers of a command share, and its pool of connections."""

from __future__ import annotations

import argparse
import importlib
import ssl
from collections.abc import Callable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx

from mphttp import MultipathTransport
from mphttp.strategies import Strategy

from ..environment import Environment
from ..exits import ExitCode, Failure, usage
from .proxies import Routes, chosen_proxies

_MOST_REDIRECTS = 50  # curl's default


def make_client(
    arguments: argparse.Namespace, strategy: Strategy | None, environment: Environment
) -> httpx.Client:
    """Make the client.

    Raises:
        Failure: a proxy, the trusted certificates or the backend can't be used.
    """
    make_transport = _BACKENDS[arguments.backend]()
    trust = _trust(arguments)

    def make(proxy: str | None) -> httpx.BaseTransport:
        return make_transport(
            strategy=strategy,
            paths=arguments.path or None,
            strict=arguments.strict,
            verify=trust,
            proxy=proxy,
        )

    proxies = chosen_proxies(arguments.proxy, arguments.noproxy, environment.environ)
    return httpx.Client(
        transport=Routes(proxies, make),
        # As in curl, only connecting has a limit of its own: a slow body is no fault.
        timeout=httpx.Timeout(None, connect=arguments.connect_timeout or None),
        max_redirects=_MOST_REDIRECTS,
        # As in curl, a cookie is kept for nobody unless asked for.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
    )


def _trust(arguments: argparse.Namespace) -> ssl.SSLContext | bool:
    if arguments.insecure:
        return False
    if arguments.cacert is None:
        return True
    try:
        return ssl.create_default_context(cafile=arguments.cacert)
    except OSError as error:
        what = f"{arguments.cacert} can't be used: {error.strerror or error}"
        raise Failure(ExitCode.CA_FILE, what, "--cacert takes a file in PEM format") from error


def _multipath() -> Callable[..., httpx.BaseTransport]:
    return MultipathTransport


def _curl() -> Callable[..., httpx.BaseTransport]:
    try:
        importlib.import_module("pycurl")
    except ImportError as error:
        hint = "pip install pycurl"
        raise usage("--backend curl needs pycurl, which isn't installed", hint) from error
    transport: Any = importlib.import_module("mphttp.curl").CurlTransport
    made: Callable[..., httpx.BaseTransport] = transport
    return made


_BACKENDS = {"httpx": _multipath, "curl": _curl}
BACKENDS = tuple(_BACKENDS)
