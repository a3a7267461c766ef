"""Requests with a body, and requests that fail: what each client's report says of them."""

from __future__ import annotations

import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx
import pytest
import requests
import trustme

from mphttp import Handover, MultipathAdapter, Report, report_of
from mphttp.curl import CurlTransport, fetch
from mphttp.strategies import Steps, Strategy, Transfer, Until
from tests.mphttp.transports.doors import DOORS, Door

from ..schema import checked

Content = bytes | Iterator[bytes]
Put = Callable[..., Any]
LARGE = 3_000_000
MORE = 24_000_000
"""Bytes, more than the sockets of a connection hold of which one end read but the head."""


def by_door(door: Door, url: str, content: Content, authority: str | None = None) -> Any:
    if door.backend is not None and not isinstance(content, bytes):
        pieces = content

        async def later() -> Any:
            for piece in pieces:
                yield piece

        content = later()  # type: ignore[assignment]
    trust: Any = ssl.create_default_context(cafile=authority) if authority else True
    with door.client(strategy=Handover(), verify=trust) as client:
        return client.request("PUT", url, content=content)


def by_requests(url: str, content: Content, authority: str | None = None) -> Any:
    with requests.Session() as session:
        for scheme in ("http://", "https://"):
            session.mount(scheme, MultipathAdapter(Handover()))
        return session.put(url, data=content, timeout=10, verify=authority or True)


def by_curl(url: str, content: Content, authority: str | None = None) -> Any:
    return fetch(url, Handover(), method="PUT", content=content, verify=authority or True)


def by_curl_transport(url: str, content: Content, authority: str | None = None) -> Any:
    with httpx.Client(transport=CurlTransport(Handover(), verify=authority or True)) as client:
        return client.put(url, content=content)


CLIENTS: dict[str, Put] = {
    **{name: partial(by_door, door) for name, door in DOORS.items()},
    "requests": by_requests,
    "curl": by_curl,
    "CurlTransport": by_curl_transport,
}


@pytest.fixture(params=CLIENTS)
def put(request: pytest.FixtureRequest) -> Put:
    return CLIENTS[request.param]


@contextmanager
def server(
    serve: Callable[[socket.socket], object], tls: ssl.SSLContext | None = None
) -> Iterator[str]:
    """Serve each connection on a thread."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        threads = []

        def accept() -> None:
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                sock.settimeout(10)
                threads.append(threading.Thread(target=one, args=(sock,)))
                threads[-1].start()

        def one(sock: socket.socket) -> None:
            with sock if tls is None else tls.wrap_socket(sock, server_side=True) as inner:
                serve(inner)

        accepting = threading.Thread(target=accept)
        accepting.start()
        scheme = "http" if tls is None else "https"
        yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/"
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join()
        for thread in threads:
            thread.join()


def take_all(sock: socket.socket) -> None:
    """Read a whole request, then answer."""
    with sock.makefile("rb") as file:
        length, chunked = 0, False
        while line := file.readline().strip().lower():
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
            chunked = chunked or line.startswith(b"transfer-encoding:")
        while chunked and (length := int(file.readline(), 16)):
            file.read(length)
            file.readline()
        if chunked:
            file.readline()
        file.read(length)
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


def pieces() -> Iterator[bytes]:
    for _ in range(LARGE // 100_000):
        yield bytes(100_000)


@pytest.mark.parametrize("content", [lambda: bytes(LARGE), pieces], ids=["bytes", "generator"])
def test_what_was_sent_is_told(put: Put, content: Callable[[], Content]) -> None:
    with server(take_all) as url:
        report = report_of(put(url, content()))
    assert report is not None
    told = checked(report)
    assert told["bytes_sent"] == LARGE
    assert LARGE <= sum(subflow["bytes_sent"] for subflow in told["subflows"]) < LARGE + 20_000
    assert told["bytes"] == 2


def refuse(sock: socket.socket, *, interim: bytes = b"") -> None:
    """Answer at the head, and read nothing more as long as the client may wait for that."""
    came = b""
    while b"\r\n\r\n" not in came:
        came += sock.recv(65536)
    sock.sendall(interim + b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
    answered.wait(30)  # longer than any client waits, so that this end helps none


answered = threading.Event()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, str]:
    """Give what a server shows, and a file of what trusts it."""
    authority = trustme.CA()
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(shown)
    path = tmp_path_factory.mktemp("certificate") / "authority.pem"
    authority.cert_pem.write_to_path(path)
    return shown, str(path)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"interim": b"HTTP/1.1 102 Processing\r\n\r\n"},
    ],
    ids=["stays", "interim"],
)
def test_an_early_answer_ends_an_upload(
    put: Put, how: dict[str, Any], tls: bool, certificate: tuple[ssl.SSLContext, str]
) -> None:
    """A server that reads no more has said why: nobody waits until it does."""
    answered.clear()
    shown, authority = certificate
    with server(partial(refuse, **how), shown if tls else None) as url:
        try:
            response = put(url, bytes(MORE), authority)
        finally:
            answered.set()
        status = getattr(response, "status_code", None) or response.status
        report = report_of(response)
    assert status == 413
    assert report is not None
    assert report.bytes_sent < MORE


def test_a_connection_with_half_a_request_is_not_used_again() -> None:
    """The server would take the next one for the rest of the body."""
    connections = 0

    def refuse_once(sock: socket.socket) -> None:
        nonlocal connections
        connections += 1
        refuse(sock) if connections == 1 else take_all(sock)

    answered.clear()
    with server(refuse_once) as url, requests.Session() as session:
        session.mount("http://", MultipathAdapter(Handover()))
        refused = session.put(url, data=bytes(MORE), timeout=10)
        answered.set()
        taken = session.put(url, data=b"small", timeout=10)
    assert (refused.status_code, taken.status_code, connections) == (413, 200, 2)


def echo(sock: socket.socket) -> None:
    while b"\r\n\r\n" not in sock.recv(65536):
        pass
    sock.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"
    )
    while data := sock.recv(65536):
        sock.sendall(data)


@dataclass(frozen=True)
class Lives(Strategy):
    """Tells how far a stream is each time that bytes have passed, and that it has ended."""

    seen: queue.Queue[int] = field(default_factory=queue.Queue)

    def run(self, transfer: Transfer) -> Steps:
        try:
            while True:
                self.seen.put(transfer.received)
                yield Until(received=transfer.received + 1)
        finally:
            self.seen.put(-1)


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_a_strategy_lives_as_long_as_an_upgraded_stream(door: Door) -> None:
    lives = Lives()
    upgrade = {"Connection": "upgrade", "Upgrade": "echo"}
    with (
        server(echo) as url,
        door.client(strategy=lives) as client,
        client.stream(url, headers=upgrade) as answer,
    ):
        stream, report = answer.response.extensions["network_stream"], answer.report
        call = answer.portal.call if answer.portal is not None else lambda f, *a: f(*a)
        passed = lives.seen.get(timeout=10)
        for _ in range(3):
            call(stream.write, b"hello")
            came = b""
            while len(came) < 5:
                came += call(stream.read, 100)
            before, passed = passed, lives.seen.get(timeout=10)
            assert passed > before
        assert report.seconds > 0
    while lives.seen.get(timeout=10) != -1:
        """It ends with the stream."""
    assert (report.status, report.bytes, report.bytes_sent) == (101, 15, 15)


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_what_left_last_over_a_stream_counts_when_it_is_closed(door: Door) -> None:
    """Though no strategy has looked at it since."""
    upgrade = {"Connection": "upgrade", "Upgrade": "echo"}
    with (
        server(echo) as url,
        door.client() as client,
        client.stream(url, headers=upgrade) as answer,
    ):
        stream, report = answer.response.extensions["network_stream"], answer.report
        call = answer.portal.call if answer.portal is not None else lambda f, *a: f(*a)
        call(stream.write, b"goodbye")
        came = b""
        while len(came) < 7:
            came += call(stream.read, 100)
        call(stream.aclose if answer.portal is not None else stream.close)
    assert (report.bytes, report.bytes_sent) == (7, 7)


def cut(sock: socket.socket) -> None:
    while b"\r\n\r\n" not in sock.recv(65536):
        pass
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nless")


def leave(sock: socket.socket) -> None:
    while b"\r\n\r\n" not in sock.recv(65536):
        pass


@pytest.mark.parametrize(("fault", "status"), [(cut, 200), (leave, 0)])
def test_an_error_has_the_report(
    put: Put, fault: Callable[[socket.socket], object], status: int
) -> None:
    with server(fault) as url, pytest.raises(Exception) as raised:  # noqa: PT011  each client's
        put(url, b"x")
    report = report_of(raised.value)
    assert report is not None
    told = checked(report)
    assert told["status"] == status
    assert len(told["subflows"]) == 1
    assert report.deadline is None
    if isinstance(raised.value, httpx.HTTPError):
        assert isinstance(raised.value.request.extensions["multipath"], Report)


def test_an_error_without_a_connection_has_a_report(put: Put) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{sock.getsockname()[1]}/"
        with pytest.raises(Exception) as raised:  # noqa: PT011  each client's
            put(url, b"x")
    report = report_of(raised.value)
    assert report is not None
    assert checked(report)["status"] == 0
    assert report.subflows == ()
