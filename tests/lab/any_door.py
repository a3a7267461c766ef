"""Every client that there is, in one shape: a body is read piece by piece, and stopped at will."""

from __future__ import annotations

import hashlib
import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
import requests

from mphttp import MultipathAdapter, Report, Strategy
from mphttp.curl import CurlSession, CurlTransport, Limits
from mphttp.lab import names
from mphttp.lab.content import sha256_of
from mphttp.requests import report as report_of
from tests.mphttp.transports import doors

from .downloads import size_in

Take = Callable[[bytes], object]
"""Takes a piece of the body; what it raises ends the response."""


class AnyClient(Protocol):
    """A client, whichever it is."""

    def read(self, address: str, take: Take) -> Report:
        """Read a body, piece by piece."""


@dataclass
class Stopped(Exception):
    """A caller had enough."""


def fetch(client: AnyClient, address: str, take: Take = len) -> Report:
    """Read a body, hold it against its known checksum, and return the report."""
    digest = hashlib.sha256()

    def count(piece: bytes) -> None:
        digest.update(piece)
        take(piece)

    report = client.read(address, count)
    assert digest.digest() == sha256_of(size_in(address))
    assert report.bytes == size_in(address)
    return report


class _Requests:
    def __init__(self, session: requests.Session, timeout: float) -> None:
        self._session = session
        self._timeout = timeout

    def read(self, address: str, take: Take) -> Report:
        with self._session.get(address, stream=True, timeout=self._timeout) as response:
            for piece in response.iter_content(2**15):
                take(piece)
            report = report_of(response)
        assert report is not None
        report.wait()
        return report


class _Curl:
    def __init__(self, session: CurlSession, timeout: float) -> None:
        self._session = session
        self._limits = Limits(silence=timeout)

    def read(self, address: str, take: Take) -> Report:
        return self._session.fetch(address, to=take, limits=self._limits).report


class _Httpx:
    def __init__(self, client: doors.Client) -> None:
        self._client = client

    def read(self, address: str, take: Take) -> Report:
        with self._client.stream(address) as answer:
            for piece in answer.parts():
                take(piece)
        report: Report = answer.report
        return report


@contextmanager
def requests_client(
    strategy: Strategy | None,
    *,
    trust: str,
    timeout: float = 20,
    proxy: str | None = None,
    **options: Any,
) -> Iterator[AnyClient]:
    with requests.Session() as session:
        session.trust_env, session.verify = False, trust
        if proxy is not None:
            session.proxies = {"http": proxy, "https": proxy}
        for prefix in ("http://", "https://"):
            session.mount(prefix, MultipathAdapter(strategy, **options))
        yield _Requests(session, timeout)


@contextmanager
def curl_client(
    strategy: Strategy | None, *, trust: str, timeout: float = 20, **options: Any
) -> Iterator[AnyClient]:
    with CurlSession(strategy, verify=trust, **options) as session:
        yield _Curl(session, timeout)


@contextmanager
def curl_transport_client(
    strategy: Strategy | None, *, trust: str, timeout: float = 20, **options: Any
) -> Iterator[AnyClient]:
    transport = CurlTransport(strategy, verify=trust, **options)
    with httpx.Client(transport=transport, timeout=timeout) as client:
        yield _Httpx(doors.Client(client))


def httpx_client(name: str) -> Any:
    @contextmanager
    def make(strategy: Strategy | None, *, trust: str, **options: Any) -> Iterator[AnyClient]:
        verify = ssl.create_default_context(cafile=trust)
        with doors.DOORS[name].client(strategy=strategy, verify=verify, **options) as client:
            yield _Httpx(client)

    return make


CLIENTS: dict[str, Any] = {
    **{name: httpx_client(name) for name in ("httpx", "httpx-asyncio", "httpx-trio")},
    "requests": requests_client,
    "curl": curl_client,
    "httpx-curl": curl_transport_client,
}
HTTP2 = [name for name in CLIENTS if name != "requests"]


def any_client(name: str, strategy: Strategy | None, **options: Any) -> Any:
    """Make a client that trusts the lab's certificate; a context manager."""
    return CLIENTS[name](strategy, **{"trust": os.environ[names.CA], **options})
