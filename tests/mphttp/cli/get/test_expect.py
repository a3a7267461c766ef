"""`Expect: 100-continue` as curl sends it, by each backend and by curl itself."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from ..raw import Answer as RawAnswer
from ..raw import raw_server, whole
from .seen import Client

BODY = b"GET /body HTTP/1.1\r\n\r\n"
"""A body that the server would take for a request, if it came unasked."""
LARGE = b"x" * ((1 << 20) + 1)


@pytest.mark.parametrize(
    "case",
    [
        (("-T", "file"), BODY, "100-continue"),
        (("-T", "file"), b"", None),
        (("-T", "file", "-H", "Expect:"), BODY, None),
        (("-d", "@file"), BODY, None),
        (("-d", "@file", "-H", "Expect: 100-continue"), BODY, "100-continue"),
        (("-d", "@file"), LARGE, "100-continue"),
        (("-d", "@file"), LARGE[1:], None),
        (("-d", "@file", "-H", "Transfer-Encoding: chunked"), BODY, None),
        (("-F", "name=@file"), LARGE, "100-continue"),
    ],
)
def test_it_is_sent_where_curl_sends_it(client, seen, tmp_path, case) -> None:
    words, content, expected = case
    (tmp_path / "file").write_bytes(content)
    assert client(*words, seen.url + "/a").code == 0
    (request,) = seen.requests
    assert request["expect"] == expected
    kept = content.translate(None, b"\r\n") if "-d" in words else content
    assert kept in request.body


def test_an_answer_in_its_place_spares_the_body(client, seen, tmp_path) -> None:
    (tmp_path / "file").write_bytes(BODY)
    seen.unexpected = 404
    done = client("-i", "-T", "file", seen.url + "/a")
    assert done.code == 0
    assert done.out.startswith(b"HTTP/1.1 404")
    assert [request.target for request in seen.requests] == ["/a"]


@pytest.mark.parametrize("words", [("-T", "file"), ("-T", "-")])
def test_what_417_refuses_is_sent_without_it(client, seen, tmp_path, words) -> None:
    (tmp_path / "file").write_bytes(BODY)
    seen.unexpected = 417
    done = client("-i", *words, seen.url + "/a", stdin=BODY)
    assert done.code == 0
    assert done.out.startswith(b"HTTP/1.1 417")
    assert b"HTTP/1.1 200 OK" in done.out
    assert [(one["expect"], one.body) for one in seen.requests] == [
        ("100-continue", b""),
        (None, BODY),
    ]


@pytest.mark.parametrize("backend", ["httpx", "curl"])
def test_417_after_a_body_that_is_gone_says_what_to_do(run, backend: str) -> None:
    def answer(_: bytes, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        came = b""
        while not came.endswith(b"0\r\n\r\n") and (data := connection.recv(100)):
            came += data
        connection.sendall(whole(b"", b"417 No"))

    with raw_server(answer) as server:
        words = ("-T", "-", f"{server.url}/x")
        done = run("get", "--backend", backend, *words, stdin=b"abc")
    assert done.code == 65
    gone = "standard input can't be sent once more: what was read of it is gone"
    assert done.err == (
        f"error: 127.0.0.1 refused Expect (417) too late: {gone}\n"
        "hint: -H 'Expect:' sends it without asking first\n"
    )


def test_http_1_0(client: Client) -> None:
    with raw_server(_old(b"200 OK")) as server:
        Path("file").write_bytes(b"abc")
        assert client("-0", "-T", "file", f"{server.url}/x").code == 0
        assert client("-0", "-T", "-", f"{server.url}/x", stdin=b"abc").code == 25
        (head,) = server.heads
    assert head.startswith(b"PUT /x HTTP/1.0\r\n")
    assert b"expect" not in head.lower()


def test_a_server_of_http_1_0_is_asked_by_it_from_then_on(client: Client) -> None:
    with raw_server(_old(b"307 Here", b"Location: /y")) as server:
        Path("file").write_bytes(b"abc")
        assert client("-L", "--max-redirs", "1", "-T", "file", f"{server.url}/x").code == 47
        first, second = server.heads
        assert first.startswith(b"PUT /x HTTP/1.1\r\n")
        assert second.startswith(b"PUT /y HTTP/1.0\r\n")
        assert (b"expect" in first.lower(), b"expect" in second.lower()) == (True, False)
        assert client("-L", "-T", "-", f"{server.url}/x", stdin=b"abc").code == 25
        assert len(server.heads) == 3


def _old(status: bytes, *fields: bytes) -> RawAnswer:
    """Return what answers by HTTP/1.0, before the content has come, and closes."""

    def answer(_: bytes, connection: socket.socket) -> None:
        told = whole(b"", status, *fields).replace(b"/1.1", b"/1.0", 1)
        connection.sendall(told)
        connection.shutdown(socket.SHUT_WR)

    return answer
