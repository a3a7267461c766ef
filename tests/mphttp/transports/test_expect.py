"""A body that waits for the server's word (RFC 9110, section 10.1.1): every door."""

from __future__ import annotations

import socket

import pytest

from mphttp.transports import http11
from tests.mphttp.requests.servers import Start, head_of

from .doors import Door

BODY = b"body"
FIELDS = {"Expect": "100-continue"}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def test_it_follows_when_the_server_wants_it(door: Door, start: Start) -> None:
    came: list[bytes] = []

    def serve(sock: socket.socket) -> None:
        head_of(sock)
        sock.setblocking(False)
        with pytest.raises(BlockingIOError):  # nothing but the head has been sent
            sock.recv(1)
        sock.setblocking(True)
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        came.append(sock.recv(100))
        sock.sendall(OK)

    with door.client() as client:
        url = start(serve).url
        assert client.request("PUT", url, content=BODY, headers=FIELDS).content == b"ok"
    assert came == [BODY]


def test_it_stays_where_it_is_when_the_server_refuses(door: Door, start: Start) -> None:
    came: list[bytes] = []

    def serve(sock: socket.socket) -> None:
        head_of(sock)
        sock.sendall(OK.replace(b"200 OK", b"404 Not Found"))
        came.append(sock.recv(100))

    service = start(serve)
    with door.client() as client:
        got = client.request("PUT", service.url, content=BODY, headers=FIELDS)
        assert (got.status_code, got.content) == (404, b"ok")
    service.close()
    assert came == [b""]


def test_it_waits_for_a_silent_server_no_longer_than_a_moment(
    door: Door, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http11, "CONTINUES_WITHIN", 0.05)
    came: list[bytes] = []

    def serve(sock: socket.socket) -> None:
        head_of(sock)
        came.append(sock.recv(100))
        sock.sendall(OK)

    with door.client() as client:
        url = start(serve).url
        assert client.request("PUT", url, content=BODY, headers=FIELDS).content == b"ok"
    assert came == [BODY]
