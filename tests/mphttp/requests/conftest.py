"""A session with an adapter, and servers that end with the test; nothing may be left open."""

from __future__ import annotations

import gc
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import requests
import trustme

from mphttp.engine import Connection
from mphttp.requests import MultipathAdapter
from tests.lab.leaks import eventually, start

from .servers import Proxy, Server

Serve = Callable[..., Server]
Start = Callable[..., Proxy]
Open = Callable[..., requests.Session]


@pytest.fixture(scope="package", autouse=True)
def _engine() -> None:
    """Start what the process has for good; what other tests left goes before these begin."""
    start()
    gc.collect()


class Watched(Connection):
    """Remembers which have been made and weren't closed with the engine's knowledge."""

    left: ClassVar[list[Watched]] = []

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.left.append(self)

    def close(self, close_socket: Callable[[], None]) -> None:
        super().close(close_socket)
        self.left.remove(self)


@pytest.fixture(autouse=True)
def _nothing_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Check that no descriptor, thread or connection is left, once the garbage is gone."""
    monkeypatch.setattr("mphttp.requests.connection.Connection", Watched)

    def opened() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), threading.active_count()

    before = opened()
    yield
    if opened() != before:
        gc.collect()
    # What another test left may end meanwhile.
    eventually(
        lambda: [now > then for now, then in zip(opened(), before, strict=True)], [False] * 2
    )
    left, Watched.left = Watched.left, []
    assert left == []


@pytest.fixture
def serve(_nothing_left: None) -> Iterator[Serve]:
    """Start servers that answer what they are given."""
    servers: list[Server] = []

    def serve(*answers: bytes, **options: Any) -> Server:
        servers.append(Server(*answers, **options))
        return servers[-1]

    yield serve
    for server in servers:
        server.close()


@pytest.fixture
def proxy(_nothing_left: None) -> Iterator[Callable[..., Proxy]]:
    """Start proxies."""
    proxies: list[Proxy] = []

    def start(**options: Any) -> Proxy:
        proxies.append(Proxy(**options))
        return proxies[-1]

    yield start
    for proxy in proxies:
        proxy.close()


@pytest.fixture
def open_session(serve: Serve) -> Iterator[Open]:
    """Make sessions that are closed before the servers are."""
    sessions: list[requests.Session] = []

    def open_session(*arguments: Any, adapter: type = MultipathAdapter, **options: Any) -> Any:
        session = requests.Session()
        session.trust_env = False
        for prefix in ("http://", "https://"):
            session.mount(prefix, adapter(*arguments, **options))
        sessions.append(session)
        return session

    yield open_session
    for session in sessions:
        session.close()


@pytest.fixture
def session(open_session: Open) -> requests.Session:
    return open_session()


@pytest.fixture
def issuer(tmp_path: Path) -> trustme.CA:
    """A certificate authority, whose own certificate is in `tmp_path / "authority.pem"`."""
    issuer = trustme.CA()
    issuer.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    return issuer


@pytest.fixture
def authority(issuer: trustme.CA, tmp_path: Path) -> str:
    return str(tmp_path / "authority.pem")


@pytest.fixture
def context(issuer: trustme.CA) -> ssl.SSLContext:
    """What a TLS server at 127.0.0.1 needs."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    issuer.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return context
