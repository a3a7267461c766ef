"""Redirects that `fetch` follows: what the next server is told, and what it isn't."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pycurl
import pytest

from mphttp import NDiffPorts
from mphttp.curl import fetch
from tests.mphttp.requests.conftest import Serve
from tests.mphttp.requests.servers import Service, _head, answer

from .expected import fails
from .test_requests_sent import Echo

GIVEN = {"Authorization": "Bearer given", "Cookie": "given=1", "X-Other": "1"}
SECRETS = (b"given", b"dXNlcj", b"b3RoZX")  # what was given, "user…" and "other…" in base64


def moved(location: str, status: int = 302, body: bytes = b"") -> bytes:
    return answer(body, f"Location: {location}", status=f"{status} Moved")


class Moves(Echo):
    """Answers the first request with a redirect, whatever comes with it."""

    def __init__(self, status: int, location: str) -> None:
        super().__init__()
        self.redirect = moved(location, status)

    def _answer(self) -> bytes:
        return self.redirect if len(self.heads) == 1 else answer(b"ok")


@pytest.fixture
def moves() -> Iterator[Any]:
    services = []

    def start(status: int, location: str = "/to") -> tuple[str, Moves]:
        taken = Moves(status, location)
        services.append(Service(taken))
        return f"http://127.0.0.1:{services[-1].port}/", taken

    yield start
    for service in services:
        service.close()


def told(head: bytes) -> dict[str, str]:
    lines = head.decode().split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


@pytest.mark.parametrize(
    "location", ["http://127.0.0.1:{}/x", "http:/127.0.0.1:{}/x", "//127.1:{}"]
)
def test_secrets_stay_with_their_origin(serve: Serve, location: str) -> None:
    """Another port is another origin; however the Location is written."""
    last = serve(answer(b"ok"))
    first = serve(moved(location.format(last.port)))
    for url in (first.url, first.url.replace("//", "//user:secret@")):
        response = fetch(url, headers=GIVEN | {"Host": "given"}, follow_redirects=True)
        assert response.content == b"ok"
        assert all(b"given" in head for head in first.heads)
    for head in last.heads:
        assert not any(secret in head for secret in SECRETS)
        assert told(head)["host"] == f"127.0.0.1:{last.port}"
        assert told(head)["x-other"] == "1"


def test_secrets_come_along_within_their_origin(serve: Serve) -> None:
    server = serve(moved("/x"), answer(b"ok"), moved("/x"), answer(b"ok"))
    fetch(server.url, headers=GIVEN, follow_redirects=True)
    fetch(server.url.replace("//", "//user:secret@"), follow_redirects=True)
    given, basic = told(server.heads[1]), told(server.heads[3])
    assert (given["authorization"], given["cookie"]) == ("Bearer given", "given=1")
    assert basic["authorization"] == "Basic dXNlcjpzZWNyZXQ="
    assert server.connections == 2


def test_a_location_s_own_credentials(serve: Serve) -> None:
    """They count where it leads; in the same place, less than a header that was given."""
    last = serve(answer(b"ok"))
    first = serve(moved(f"http://other:secret@127.0.0.1:{last.port}/"))
    response = fetch(first.url, headers=GIVEN, follow_redirects=True)
    assert told(last.heads[0])["authorization"] == "Basic b3RoZXI6c2VjcmV0"
    assert "secret" not in response.url + response.report.url
    same = serve(moved("//other:secret@127.0.0.1:{}/"), answer(b"ok"))
    same._answers = (moved(f"//other:secret@127.0.0.1:{same.port}/"), answer(b"ok"))
    fetch(same.url, headers=GIVEN, follow_redirects=True)
    assert told(same.heads[1])["authorization"] == "Bearer given"


class InParts:
    """Holds back half of a body until a part of it is asked for."""

    BODY = bytes(range(256)) * 8000
    FIELDS = ('ETag: "1"', "Accept-Ranges: bytes")

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self._asked = threading.Event()

    def __call__(self, sock: socket.socket) -> None:
        with sock.makefile("rb") as file:
            while head := b"".join(_head(file.readline)):
                self.heads.append(head)
                if found := re.search(rb"Range: bytes=(\d+)-(\d+)", head):
                    start, stop = int(found[1]), int(found[2]) + 1
                    self._asked.set()
                    field = f"Content-Range: bytes {start}-{stop - 1}/{len(self.BODY)}"
                    part = self.BODY[start:stop]
                    sock.sendall(answer(part, field, *self.FIELDS, status="206 Part"))
                else:
                    whole = answer(self.BODY, *self.FIELDS)
                    sock.sendall(whole[: len(whole) // 2])
                    self._asked.wait(20)
                    sock.sendall(whole[len(whole) // 2 :])


@pytest.mark.parametrize("location", ["http:/127.0.0.1:{}/x", "http:///127.1:{}/x"])
def test_parts_are_asked_for_where_the_response_came_from(serve: Serve, location: str) -> None:
    """With what libcurl told that server, and nothing more."""
    last = InParts()
    service = Service(last)
    with closing(service):
        first = serve(moved(location.format(service.port)))
        response = fetch(
            first.url, NDiffPorts(2), headers=GIVEN, follow_redirects=True, multipath="ranges"
        )
    assert response.content == last.BODY
    assert response.url == f"http://127.0.0.1:{service.port}/x"
    assert len(first.heads) == 1
    assert len(last.heads) > 1
    for head in last.heads:
        assert head.startswith(b"GET /x HTTP/1.1\r\n")
        assert f"Host: 127.0.0.1:{service.port}\r\n".encode() in head
        assert not any(secret in head for secret in SECRETS)


@pytest.mark.parametrize(
    ("status", "method", "after"),
    [
        *((status, "POST", "GET") for status in (301, 302, 303)),
        *((status, "PUT", "PUT") for status in (301, 302, 307, 308)),
        *((303, method, "GET") for method in ("PUT", "DELETE", "PATCH", "GET")),
        *((status, "POST", "POST") for status in (307, 308)),
    ],
)
def test_methods_and_bodies(moves: Any, status: int, method: str, after: str) -> None:
    """A GET that a redirect made has no body, and no field that tells of one."""
    url, taken = moves(status)
    headers = {"Content-Type": "a/b", "Content-Encoding": "br", "Digest": "x", "Accept": "c/d"}
    for content in (b"12345", iter([b"123", b"45"])):
        taken.heads.clear()
        taken.bodies.clear()
        options: dict[str, Any] = {"method": method, "content": content, "headers": headers}
        if after != "GET" and not isinstance(content, bytes):
            with fails(pycurl.E_SEND_FAIL_REWIND, "read once"):
                fetch(url, follow_redirects=True, **options)
            continue
        fetch(url, follow_redirects=True, **options)
        assert taken.heads[1].startswith(f"{after} /to ".encode())
        kept = after != "GET"
        assert taken.bodies == [b"12345", b"12345" if kept else b""]
        names = told(taken.heads[1]).keys()
        assert "accept" in names
        assert kept is any(name.startswith(("content-", "digest", "transfer")) for name in names)


def test_a_head_request_stays_one(serve: Serve) -> None:
    server = serve(
        b"HTTP/1.1 303 See Other\r\nLocation: /to\r\nContent-Length: 9\r\n\r\n", answer()
    )
    fetch(server.url, method="HEAD", follow_redirects=True)
    assert server.heads[1].startswith(b"HEAD /to ")


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("ftp://127.0.0.1/", 1),
        ("file:///etc/passwd", 1),
        ("data:,x", 1),
        ("http+unix://%2Frun%2Fx/", 1),
        ("http://127.0.0.1:65616/", 3),
        ("http://127.0.0.1:0/", 3),
        ("http:///", 3),
        ("http://[::1/", 3),
        ("/a\tb", 3),
    ],
)
def test_where_no_redirect_may_lead(serve: Serve, location: str, code: int) -> None:
    server = serve(moved(location))
    with fails(code):
        fetch(server.url, follow_redirects=True)
    assert len(server.heads) == 1
    assert fetch(server.url).status == 302


@pytest.mark.parametrize("status", [300, 304, 305, 399])
def test_other_answers_lead_nowhere(serve: Serve, status: int) -> None:
    server = serve(answer(b"", "Location: /to", status=f"{status} Other"))
    assert fetch(server.url, follow_redirects=True).status == status


def test_nobody_waits_for_a_redirect_s_body(serve: Serve) -> None:
    """A short one is read, so that the connection is kept; of a long one, not all comes."""
    last = serve(answer(b"ok"))
    long, short = bytes(50_000_000), bytes(10_000)
    first = serve(moved(last.url, body=long), moved("/b", body=short), moved(last.url))
    kept: list[bytes] = []
    for _ in range(2):
        fetch(first.url, follow_redirects=True, to=kept.append)
    assert b"".join(kept) == b"okok"
    assert first.connections == 2


def test_there_is_an_end_of_redirects(serve: Serve) -> None:
    server = serve(moved("/again"))
    with fails(pycurl.E_TOO_MANY_REDIRECTS, "more than 3"):
        fetch(server.url, follow_redirects=True, max_redirects=3)
    assert len(server.heads) == 4
