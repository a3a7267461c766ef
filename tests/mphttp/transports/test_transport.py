"""`MultipathTransport` on the loopback interface, without any privilege."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mphttp import FullMesh, MultipathTransport

Serve = Callable[[bytes], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Make servers that answer one request each with the bytes given, and close."""
    threads: list[threading.Thread] = []

    def serve(answer: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        thread = threading.Thread(target=answer_one, args=(listener, answer))
        thread.start()
        threads.append(thread)
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"

    yield serve
    for thread in threads:
        thread.join()


def answer_one(listener: socket.socket, answer: bytes) -> None:
    with listener:
        sock, _ = listener.accept()
    with sock, sock.makefile("rb") as lines:
        while lines.readline().strip():
            """The request's head."""
        sock.sendall(answer)


def make_client(**options: Any) -> httpx.Client:
    return httpx.Client(transport=MultipathTransport(**options), timeout=20)


@pytest.mark.parametrize(
    ("head", "length", "body"),
    [
        (b"200 OK\r\nContent-Length: 5", 5, b"12345"),
        (b"200 OK\r\nContent-Length: 0", 0, b""),
        (b"204 No Content", 0, b""),
        (b"304 Not Modified\r\nContent-Length: 5", 0, b""),
        (b"200 OK\r\nTransfer-Encoding: chunked", None, b"12345"),
        (b"200 OK", None, b"12345"),
    ],
    ids=["length", "empty", "204", "304", "chunked", "until closed"],
)
def test_the_length_is_what_the_head_promises(
    serve: Serve, head: bytes, length: int | None, body: bytes
) -> None:
    """A response without a body has the length 0, whatever its head says (RFC 9112, 6.3)."""
    sent = b"5\r\n12345\r\n0\r\n\r\n" if b"chunked" in head else body
    with make_client() as client:
        response = client.get(serve(b"HTTP/1.1 " + head + b"\r\n\r\n" + sent))
    report = response.extensions["multipath"]
    assert response.content == body
    assert (report.length, report.bytes, report.status) == (length, len(body), response.status_code)


def test_bytes_are_counted_as_they_came(serve: Serve) -> None:
    """A compressed body counts compressed: it is what the network carried."""
    packed = bytes.fromhex("1f8b08000000000002ff4b4c84010026d5e49b0c000000")
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    with make_client() as client, client.stream("GET", serve(head + packed)) as response:
        assert b"".join(response.iter_raw()) == packed
    assert response.extensions["multipath"].bytes == len(packed)


def test_a_body_that_is_too_short_is_httpx_s_error(serve: Serve) -> None:
    address = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n12345")
    with make_client() as client, client.stream("GET", address) as response:
        with pytest.raises(httpx.RemoteProtocolError):
            response.read()
        assert response.extensions["multipath"].bytes == 5


def test_nobody_listens() -> None:
    with socket.socket() as sock, make_client() as client:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(httpx.ConnectError):
            client.get(f"http://127.0.0.1:{sock.getsockname()[1]}/")


def test_nobody_answers() -> None:
    """The kernel takes the connection, and no server does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/"
        with make_client() as client, pytest.raises(httpx.ReadTimeout):
            client.get(address, timeout=0.1)


def test_a_unix_socket_has_one_path_and_no_report(tmp_path: Path) -> None:
    place = str(tmp_path / "socket")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(place)
    listener.listen()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    thread = threading.Thread(target=answer_one, args=(listener, answer))
    thread.start()
    with make_client(uds=place, strategy=FullMesh()) as client:
        response = client.get("http://anybody/")
    thread.join()
    assert response.text == "ok"
    assert "multipath" not in response.extensions


def test_what_is_no_strategy_is_refused() -> None:
    strategy: Any = "fullmesh"
    with pytest.raises(ValueError, match="must be a Strategy, such as Deadline"):
        MultipathTransport(strategy)
