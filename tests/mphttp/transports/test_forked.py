"""A child process uses no connection of its parent's, does it no harm, and makes its own."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import socket
import ssl
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import httpx
import pytest
import requests
import trustme

from mphttp import AsyncMultipathTransport, MultipathTransport
from mphttp.requests import MultipathAdapter
from tests.mphttp.requests.servers import Service

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
OK = b"HTTP/1.1 200 OK\r\n"
HALF = 50_000


class Server:
    """Says on which connection a request came; /half stops in the middle until it may go on."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self.go_on = threading.Event()
        self.over = threading.Event()
        self._context = context
        self._count = 0
        self._service = Service(self._talk)
        self.close = self._service.close
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self._service.port}/"

    def _talk(self, sock: socket.socket) -> None:
        self._count += 1
        number = b"%d" % self._count
        if self._context is not None:
            sock = self._context.wrap_socket(sock, server_side=True, suppress_ragged_eofs=False)
        with sock, contextlib.suppress(OSError):
            while asked := sock.recv(65536):
                if b"/half" in asked:
                    sock.sendall(OK + b"Content-Length: %d\r\n\r\n" % (2 * HALF) + b"1" * HALF)
                    assert self.go_on.wait(20)
                    sock.sendall(b"2" * HALF)
                else:
                    sock.sendall(OK + b"Content-Length: %d\r\n\r\n" % len(number) + number)
        self.over.set()


@pytest.fixture(scope="module")
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext, trustme.CA]:
    authority = trustme.CA()
    near = ssl.create_default_context()
    authority.configure_trust(near)
    far = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(far)
    return near, far, authority


@pytest.fixture(params=[False, True], ids=["TCP", "TLS"])
def server(request: pytest.FixtureRequest, contexts: Any) -> Iterator[Server]:
    server = Server(contexts[1] if request.param else None)
    yield server
    server.go_on.set()
    server.close()


def in_child(work: Callable[[], None]) -> None:
    """Do something in a child process, and see to it that nothing went wrong there."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


class Sync:
    """httpx, with threads."""

    errors = httpx.ReadError

    def __init__(self, context: ssl.SSLContext, _: str) -> None:
        self.client = httpx.Client(transport=MultipathTransport(verify=context), timeout=20)

    def get(self, url: str) -> bytes:
        return self.client.get(url).content

    @contextlib.contextmanager
    def begun(self, url: str) -> Iterator[Iterator[bytes]]:
        with self.client.stream("GET", url) as response:
            yield response.iter_raw(1000)

    def close(self) -> None:
        self.client.close()


class Requests:
    """requests."""

    errors = requests.RequestException

    def __init__(self, _: ssl.SSLContext, authority: str) -> None:
        self.session = requests.Session()
        self.session.verify = authority
        self.session.trust_env = False
        for prefix in ("http://", "https://"):
            self.session.mount(prefix, MultipathAdapter())

    def get(self, url: str) -> bytes:
        return self.session.get(url, timeout=20).content

    @contextlib.contextmanager
    def begun(self, url: str) -> Iterator[Iterator[bytes]]:
        with self.session.get(url, timeout=20, stream=True) as response:
            yield response.iter_content(1000)

    def close(self) -> None:
        self.session.close()


@pytest.fixture(params=[Sync, Requests], ids=["httpx", "requests"])
def client(request: pytest.FixtureRequest, contexts: Any, tmp_path: Any) -> Iterator[Any]:
    file = tmp_path / "authority.pem"
    contexts[2].cert_pem.write_to_path(str(file))
    client = request.param(contexts[0], str(file))
    yield client
    client.close()


def test_a_kept_connection_stays_the_parent_s(server: Server, client: Any) -> None:
    """The child's own close, and its end, say nothing on it."""
    assert client.get(server.url) == b"1"

    def work() -> None:
        assert client.get(server.url) == b"2"
        assert client.get(server.url) == b"2"
        client.close()

    in_child(work)
    assert client.get(server.url) == b"1"


def test_a_response_under_way_stays_the_parent_s(server: Server, client: Any) -> None:
    with client.begun(f"{server.url}half") as parts:
        came = next(parts)

        def work() -> None:
            with pytest.raises(client.errors):
                list(parts)
            assert client.get(server.url) == b"2"
            client.close()

        in_child(work)
        server.go_on.set()
        assert came + b"".join(parts) == b"1" * HALF + b"2" * HALF
    assert client.get(server.url) == b"1"


def test_a_child_that_is_there_ends_no_connection_late(server: Server, client: Any) -> None:
    """A connection ends when it ends in the parent, whatever descriptors a child inherited."""
    client.get(server.url)
    told, tell = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=told.recv)
    child.start()
    try:
        client.close()
        assert server.over.wait(10)
    finally:
        tell.send(None)
        child.join()


def test_a_client_that_was_made_before_the_fork(server: Server, client: Any) -> None:
    """As servers that fork workers do: the first request is each child's own."""
    for number in (b"1", b"2"):

        def work(number: bytes = number) -> None:
            assert client.get(server.url) == number

        in_child(work)
    assert client.get(server.url) == b"3"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_event_loop_of_the_child_s(server: Server, contexts: Any, backend: str) -> None:
    transport = AsyncMultipathTransport(verify=contexts[0])
    client = httpx.AsyncClient(transport=transport, timeout=20)

    async def get() -> bytes:
        return (await client.get(server.url)).content

    assert anyio.run(get, backend=backend) == b"1"

    def work() -> None:
        assert anyio.run(get, backend=backend) == b"2"

    in_child(work)
    assert anyio.run(get, backend=backend) == b"1"
    anyio.run(client.aclose, backend=backend)
