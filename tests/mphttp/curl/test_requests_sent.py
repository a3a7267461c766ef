"""What `fetch` sends: bodies, fields, and what it refuses to send."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from mphttp.curl import (
    CurlSession,
    fetch,
)
from tests.mphttp.requests.conftest import Serve
from tests.mphttp.requests.servers import Service, answer

from .expected import BODY


class Echo:
    """Takes a request and its body, and keeps both."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []

    def __call__(self, sock: socket.socket) -> None:
        with sock.makefile("rb") as file:
            while line := file.readline():
                head = line
                while (line := file.readline()).strip():
                    head += line
                self.heads.append(head)
                self.bodies.append(b"".join(self._body(file, head.lower())))
                sock.sendall(self._answer())

    def _answer(self) -> bytes:
        return answer(b"ok")

    @staticmethod
    def _body(file: Any, head: bytes) -> Iterator[bytes]:
        if b"transfer-encoding: chunked" in head:
            while size := int(file.readline(), 16):
                yield file.read(size)
                file.readline()
            file.readline()
            return
        _, found, rest = head.partition(b"content-length: ")
        yield file.read(int(rest.split()[0]) if found else 0)


@pytest.fixture
def echo() -> Iterator[tuple[str, Echo]]:
    taken = Echo()
    service = Service(taken)
    yield f"http://127.0.0.1:{service.port}/", taken
    service.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET"])
def test_a_body_is_sent(echo: tuple[str, Echo], method: str) -> None:
    """At once, in pieces of known and of unknown length; empty, too; with no word of libcurl's."""
    url, taken = echo
    with CurlSession() as session:
        for content, length in ((BODY, None), (iter([BODY, b"", BODY]), None), (b"", None)):
            session.fetch(url, method=method, content=content, content_length=length)
        pieces = iter([BODY, BODY])
        session.fetch(url, method=method, content=pieces, content_length=2 * len(BODY))
    assert taken.bodies == [BODY, BODY * 2, b"", BODY * 2]
    assert [b"chunked" in head for head in taken.heads] == [False, True, False, False]
    for head in taken.heads:
        assert head.startswith(method.encode() + b" / HTTP/1.1\r\n")
        for word in (b"expect", b"content-type", b"accept", b"user-agent"):
            assert word not in head.lower()


def test_a_method_without_a_body(echo: tuple[str, Echo]) -> None:
    url, taken = echo
    with CurlSession() as session:
        for method in ("GET", "POST", "DELETE", "M-SEARCH"):
            assert session.fetch(url, method=method).content == b"ok"
    assert [head.split()[0] for head in taken.heads] == [b"GET", b"POST", b"DELETE", b"M-SEARCH"]
    assert taken.bodies == [b"", b"", b"", b""]


def test_headers_are_sent_as_they_are(serve: Serve) -> None:
    server = serve(answer())
    fetch(
        server.url, headers=[("X-Twice", "1"), ("X-Twice", "2"), ("X-Empty", ""), ("Accept", "a")]
    )
    lines = server.heads[0].split(b"\r\n")
    assert [line for line in lines if line.startswith((b"X-", b"Accept"))] == [
        b"X-Twice: 1",
        b"X-Twice: 2",
        b"X-Empty:",
        b"Accept: a",
    ]


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {"X": "1\r\nY: 2"}},
        {"headers": {"X\n": "1"}},
        {"headers": {"X": "1\0"}},
        {"headers": {"X: 1\r\nY": "2"}},
        {"headers": {"X Y": "1"}},
        {"headers": {"": "1"}},
        {"proxy": "http://127.0.0.1:1", "proxy_headers": [("X", "1\r\nY: 2")]},
        {"proxy": "http://127.0.0.1:1", "proxy_headers": [("X\nY", "2")]},
        {"content": b"12345", "headers": {"Content-Length": "3"}},
        {"content": b"12345", "headers": {"Transfer-Encoding": "chunked"}},
        {"content": b"12345", "content_length": 3},
        {"headers": {"Transfer-Encoding": "chunked"}},
        {"content": iter([b"1"]), "headers": {"Transfer-Encoding": "gzip"}},
        {"method": "GET / HTTP/1.1\r\nX: 1"},
        {"strategy": "refresh"},
        {"stepping": "thread"},
        {"verify": ssl.create_default_context()},
        {"verify": 1},
    ],
)
def test_what_can_t_be_is_refused(serve: Serve, options: dict[str, Any]) -> None:
    """Before anything is sent."""
    server = serve(answer())
    with pytest.raises(
        ValueError, match=r"line break|one word|Strategy|stepping|verify|length|bytes"
    ):
        fetch(server.url, **options)
    assert server.connections == 0


@pytest.mark.parametrize(
    ("pieces", "words"),
    [([b"123", b"456"], "more bytes than the 5"), ([b"12345", b"6"], "more"), ([b"12"], "3 bytes")],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_body_as_long_as_was_said(
    echo: tuple[str, Echo], method: str, pieces: list[bytes], words: str
) -> None:
    """Or no request has it: the server must not take a part of it for the whole."""
    url, taken = echo
    with pytest.raises(ValueError, match=words):
        fetch(url, method=method, content=iter(pieces), content_length=5)
    assert b"12345" not in taken.bodies


@pytest.mark.parametrize("follow", [False, True])
def test_names_beyond_ascii(serve: Serve, follow: bool) -> None:
    """IDNA's, though libcurl itself may not know it; .localhost is loopback (RFC 6761)."""
    server = serve(answer(BODY))
    url = f"http://b\xfccher.localhost:{server.port}/\xfc"
    first = serve(answer(b"", "Location: /", status="302 Found"))
    first._answers = (answer(b"", f"Location: {url}", status="302 Found"),)
    assert fetch(first.url if follow else url, follow_redirects=True).content == BODY
    assert server.heads[0].startswith(b"GET /%C3%BC HTTP/1.1\r\n")
    assert f"Host: xn--bcher-kva.localhost:{server.port}\r\n".encode() in server.heads[0]
