"""Requests for http:// through the proxy, by clients that others wrote."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from .running import Running, everything, exactly, head, peer, running

BODY = hashlib.shake_256(b"body").digest(300_000)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        if self.path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for start in range(0, len(BODY), 50_000):
                part = BODY[start : start + 50_000]
                self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
            self.wfile.write(b"0\r\n\r\n")
        elif self.path == "/closing":
            self.close_connection = True
            self.end_headers()
            self.wfile.write(BODY)
        else:
            self.send_header("Content-Length", str(len(BODY)))
            self.send_header("X-Via", self.headers.get("Via", ""))
            self.send_header("X-From", f"{self.client_address[1]}")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(BODY)

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        digest = hashlib.sha256(body).hexdigest().encode()
        self.send_response(201)
        self.send_header("Content-Length", str(len(digest)))
        self.end_headers()
        self.wfile.write(digest)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def origin() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy() -> Iterator[Running]:
    with running() as proxy:
        yield proxy


@pytest.fixture
def client(proxy: Running) -> Iterator[httpx.Client]:
    address = f"http://127.0.0.1:{proxy.port}"
    with httpx.Client(proxy=address, trust_env=False, timeout=30) as client:
        yield client


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/plain", "/chunked", "/closing"])
def test_bodies(client: httpx.Client, origin: str, path: str) -> None:
    for _ in range(2):
        assert client.get(origin + path).content == BODY


def test_a_head_alone(client: httpx.Client, origin: str) -> None:
    response = client.head(f"{origin}/plain")
    assert (response.headers["Content-Length"], response.content) == (str(len(BODY)), b"")


def test_connections_are_kept(client: httpx.Client, origin: str) -> None:
    ports = {client.get(f"{origin}/plain").headers["X-From"] for _ in range(3)}
    assert len(ports) == 1


def test_the_proxy_names_itself(client: httpx.Client, origin: str) -> None:
    response = client.get(f"{origin}/plain")
    assert response.headers["X-Via"].startswith("1.1 mphttp-")
    assert response.headers["Via"] == response.headers["X-Via"]


def test_requests_with_a_body(client: httpx.Client, origin: str) -> None:
    digest = hashlib.sha256(BODY).hexdigest()
    assert client.post(origin, content=BODY).text == digest
    assert client.post(origin, content=iter([BODY[:1000], BODY[1000:]])).text == digest


def test_another_origin(client: httpx.Client, origin: str, proxy: Running) -> None:
    client.get(f"{origin}/plain")
    assert client.get("http://127.0.0.1:1/").status_code == 502
    assert client.get(f"{origin}/plain").content == BODY


def test_an_interim_answer(proxy: Running) -> None:
    """The client sends its body only when it is told to go on."""

    def serve(sock: socket.socket) -> None:
        assert b"expect: 100-continue" in head(sock).lower()
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert exactly(sock, 3) == b"abc"
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with peer(serve) as port, proxy.connect() as sock:
        said = f"PUT http://127.0.0.1:{port}/ HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
        sock.sendall(f"{said}Expect: 100-continue\r\n\r\n".encode())
        assert head(sock).startswith(b"HTTP/1.1 100 ")
        sock.sendall(b"abc")
        assert head(sock).startswith(b"HTTP/1.1 200 ")
        assert exactly(sock, 2) == b"ok"


def test_an_early_answer(proxy: Running) -> None:
    """It comes though the body isn't all sent, and ends the connection."""

    def serve(sock: socket.socket) -> None:
        head(sock)
        sock.sendall(b"HTTP/1.1 413 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with peer(serve) as port, proxy.connect() as sock:
        said = f"PUT http://127.0.0.1:{port}/ HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n"
        sock.sendall(f"{said}\r\n".encode())
        assert everything(sock).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_breaks_off_isn_t_whole(proxy: Running) -> None:
    def serve(sock: socket.socket) -> None:
        head(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")

    with peer(serve) as port, proxy.connect() as sock:
        sock.sendall(f"GET http://127.0.0.1:{port}/ HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        try:
            told = everything(sock)
        except ConnectionResetError:
            told = b""
    assert not told.endswith(b"0\r\n\r\n")


def test_an_idle_connection_that_ended(proxy: Running) -> None:
    """The next request on it gets a connection of its own."""

    def serve(sock: socket.socket) -> None:
        head(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with peer(serve, 2) as port, proxy.connect() as sock:
        for _ in range(2):
            sock.sendall(f"GET http://127.0.0.1:{port}/ HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            assert head(sock).startswith(b"HTTP/1.1 200 ")
            assert exactly(sock, 2) == b"ok"


@pytest.mark.parametrize(
    "said", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"]
)
def test_an_origin_without_an_answer(proxy: Running, said: bytes) -> None:
    def serve(sock: socket.socket) -> None:
        head(sock)
        sock.sendall(said)

    with peer(serve) as port, proxy.connect() as sock:
        sock.sendall(f"GET http://127.0.0.1:{port}/ HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert head(sock).startswith(b"HTTP/1.1 502 ")


def test_requests_one_after_the_other_without_waiting(proxy: Running) -> None:
    """Answers come in the order of the requests."""

    def serve(sock: socket.socket) -> None:
        for _ in range(3):
            number = head(sock).split()[1].removeprefix(b"/")
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + number)

    with peer(serve) as port, proxy.connect() as sock:
        for number in range(3):
            asked = f"GET http://127.0.0.1:{port}/{number} HTTP/1.1\r\nHost: a\r\n\r\n"
            sock.sendall(asked.encode())
        for number in range(3):
            head(sock)
            assert exactly(sock, 1) == str(number).encode()
