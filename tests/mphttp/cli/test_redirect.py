"""Redirects on the command line: where they lead, what goes along, and what is left of bodies."""

from __future__ import annotations

import gzip
import socket
import struct
import tracemalloc

import httpx
import pytest

from mphttp.cli import redirect as following
from mphttp.cli.exits import ExitCode
from mphttp.cli.redirect import Follow, leads_to

from .raw import Raw, raw_server, whole

SECRET = {"Authorization": "Basic c2VjcmV0", "Cookie": "sid=secret", "X-Other": "kept"}


def onward(request: httpx.Request, response: httpx.Response) -> httpx.Request:
    return following.onward(request, response, Follow())[0]


def asked(url: str, method: str = "GET", content: bytes | None = None) -> httpx.Request:
    fields = {"Content-Type": "text/plain"} if content is not None else {}
    return httpx.Request(method, url, headers={**SECRET, **fields}, content=content)


def redirect(request: httpx.Request, location: str, status: int = 302) -> httpx.Response:
    return httpx.Response(status, headers={"Location": location.encode()}, request=request)


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/b?c", "http://a:81/b?c"),
        ("b", "http://a:81/x/b"),
        ("//b/c", "http://b/c"),
        ("https://a:81/", "https://a:81/"),
        ("?q", "http://a:81/x/y?q"),
        ("http:/b:82/c", "http://b:82/c"),
        ("http:///b:82/c", "http://b:82/c"),
        ("/b#new", "http://a:81/b#new"),
    ],
)
def test_where_a_redirect_leads(location: str, url: str) -> None:
    assert onward(asked("http://a:81/x/y"), redirect(asked("http://a:81/x/y"), location)).url == url


def test_a_fragment_goes_along() -> None:
    request = asked("http://a/x#part")
    assert onward(request, redirect(request, "/y")).url == "http://a/y#part"


@pytest.mark.parametrize("location", ["http://xn--a/", "http://a:70000/", "http://é..x/"])
def test_a_redirect_to_no_url_is_an_error_only_when_it_is_followed(location: str) -> None:
    request = asked("http://a/")
    response = redirect(request, location)
    assert leads_to(response) is None
    with pytest.raises(httpx.InvalidURL):
        onward(request, response)


@pytest.mark.parametrize(
    ("location", "same"),
    [
        ("/next", True),
        ("http://A:80/next", True),
        ("http://b/", False),
        ("http://a:8080/", False),
        ("https://a/", False),
    ],
)
def test_secrets_stay_with_their_origin(location: str, same: bool) -> None:
    request = asked("http://a/")
    headers = onward(request, redirect(request, location)).headers
    assert ("authorization" in headers, "cookie" in headers) == (same, same)
    assert headers["x-other"] == "kept"


def test_secrets_don_t_come_back() -> None:
    """Not even where the way leads back: who sent it there may have chosen where on that host."""
    request = asked("http://a/")
    for location in ("http://b/1", "/2", "http://a/"):
        request = onward(request, redirect(request, location))
        assert "authorization" not in request.headers
        assert "cookie" not in request.headers


@pytest.mark.parametrize("location", ["http://u:p%40@b/", "http://u:p%40@a/"])
def test_credentials_of_a_location_are_for_where_it_leads(location: str) -> None:
    request = asked("http://old:secret@a/")
    following = onward(request, redirect(request, location))
    assert following.headers["authorization"] == "Basic dTpwQA=="  # u:p@
    third = onward(following, redirect(following, "http://c/"))
    assert "authorization" not in third.headers


@pytest.mark.parametrize(
    ("method", "status", "then"),
    [
        ("POST", 301, "GET"),
        ("POST", 302, "GET"),
        ("POST", 303, "GET"),
        ("POST", 307, "POST"),
        ("POST", 308, "POST"),
        ("PUT", 302, "PUT"),
        ("PUT", 303, "GET"),
        ("HEAD", 303, "HEAD"),
    ],
)
def test_the_method_and_its_content_go_together(method: str, status: int, then: str) -> None:
    content = None if method == "HEAD" else b"data"
    request = asked("http://a/", method, content)
    following = onward(request, redirect(request, "/next", status))
    assert following.method == then
    kept = then == method and content is not None
    assert ("content-length" in following.headers) == kept
    assert ("content-type" in following.headers) == kept
    assert b"".join(following.stream) == (b"data" if kept else b"")  # type: ignore[arg-type]


def endless(head: bytes, connection: socket.socket) -> None:
    if b"GET /next" in head:
        connection.sendall(whole(b"there"))
        return
    connection.sendall(b"HTTP/1.1 302 F\r\nLocation: /next\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"10000\r\n" + bytes(65536) + b"\r\n")


def silent(head: bytes, connection: socket.socket) -> None:
    if b"GET /next" in head:
        connection.sendall(whole(b"there"))
    else:
        connection.sendall(b"HTTP/1.1 302 F\r\nLocation: /next\r\nContent-Length: 9\r\n\r\nless")


def huge(head: bytes, connection: socket.socket) -> None:
    if b"GET /next" in head:
        connection.sendall(whole(b"there"))
    else:
        connection.sendall(
            b"HTTP/1.1 302 F\r\nLocation: /next\r\nContent-Length: " + b"9" * 15 + b"\r\n\r\n"
        )


PACKED = gzip.compress(bytes(16 << 20))


def bomb(head: bytes, connection: socket.socket) -> None:
    if b"GET /next" in head:
        connection.sendall(whole(b"there"))
    else:
        fields = (b"Location: /next", b"Content-Encoding: gzip")
        connection.sendall(whole(PACKED, b"302 Found", *fields))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["httpx", "curl"])
@pytest.mark.parametrize("answer", [endless, silent, huge, bomb])
def test_the_body_of_a_redirect_is_neither_kept_nor_waited_for(run, answer, backend) -> None:
    with raw_server(answer) as server:
        tracemalloc.start()
        try:
            result = run("get", "-L", "--compressed", "--backend", backend, server.url)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert (result.code, result.out) == (0, b"there")
    assert peak < 8 << 20


@pytest.mark.parametrize("answer", [endless, silent])
def test_nor_does_doctor(run, answer) -> None:
    with raw_server(answer) as server:
        assert "can't be had in parts" in run("doctor", server.url).out.decode()
        assert any(b"GET /next" in head for head in server.heads)


@pytest.mark.parametrize("backend", ["httpx", "curl"])
def test_a_short_body_keeps_the_connection(run, backend) -> None:
    def answer(head: bytes, connection: socket.socket) -> None:
        short = whole(b"moved", b"302 Found", b"Location: /next")
        connection.sendall(whole(b"there") if b"GET /next" in head else short)

    with raw_server(answer) as server:
        assert run("get", "-L", "--backend", backend, server.url).out == b"there"
        assert (len(server.heads), server.connections) == (2, 1)


@pytest.mark.parametrize("backend", ["httpx", "curl"])
@pytest.mark.parametrize("path", ["/there", "/moved"])
@pytest.mark.parametrize("reset", [False, True])
def test_a_kept_connection_that_ends_as_the_next_request_comes(run, backend, path, reset) -> None:
    """The request is sent again (RFC 9110, 9.2.2), for a further URL and for a redirect."""
    kept: list[socket.socket] = []

    def answer(head: bytes, connection: socket.socket) -> None:
        if connection in kept and len(kept) == 1:
            kept.append(connection)
            if reset:
                linger = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                connection.close()
            else:
                connection.shutdown(socket.SHUT_RDWR)
            return
        kept.append(connection)
        moved = b"GET /moved" in head
        fields = (b"302 Found", b"Location: /there") if moved else ()
        connection.sendall(whole(b"moved" if moved else b"there", *fields))

    with raw_server(answer) as server:
        urls = [server.url + path] if path == "/moved" else [server.url + path] * 2
        result = run("get", "-L", "--backend", backend, *urls)
        assert (result.code, result.out) == (0, b"there" * len(urls))
        assert (len(server.heads), server.connections) == (3, 2)


def test_a_location_is_no_concern_of_who_does_not_follow_it(run) -> None:
    answer = whole(b"moved", b"302 Found", b"Location: http://xn--a/")
    with raw_server(lambda _, connection: connection.sendall(answer)) as server:
        assert run("get", server.url).out == b"moved"
        result = run("get", "-w", "<%{redirect_url}>", server.url)
        assert result.out == b"moved<>"
        assert run("get", "-L", server.url).code == ExitCode.URL


def _credentials(server: Raw) -> list[bytes]:
    lines = [line for head in server.heads for line in head.split(b"\r\n")]
    return [line for line in lines if line.lower().startswith(b"authorization")]


@pytest.mark.parametrize("backend", ["httpx", "curl"])
def test_a_header_of_ones_own_beats_a_user(run, backend) -> None:
    with raw_server(lambda _, connection: connection.sendall(whole(b""))) as server:
        options = ("-u", "user:password", "-H", "Authorization: mine", "--backend", backend)
        assert run("get", *options, server.url).code == 0
        assert _credentials(server) == [b"Authorization: mine"]


@pytest.mark.parametrize("backend", ["httpx", "curl"])
def test_a_user_in_the_url_is_for_that_url_alone(run, backend) -> None:
    with raw_server(lambda _, connection: connection.sendall(whole(b""))) as server:
        named = server.url.replace("://", "://u:p%40@")
        assert run("get", "--backend", backend, named, server.url).code == 0
        assert [line.lower() for line in _credentials(server)] == [b"authorization: basic dtpwqa=="]
