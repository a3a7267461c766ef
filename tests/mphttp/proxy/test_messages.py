"""What becomes of requests and answers that are forwarded."""

from __future__ import annotations

import h11
import pytest

from mphttp.proxy.messages import Refusal, answer_for_client, own_answer, understood
from mphttp.proxy.target import Target

NAME = b"mphttp-test"
POST = b"POST http://a/ HTTP/1.1\r\nHost: a\r\n"


def parsed(data: bytes) -> h11.Request:
    talk = h11.Connection(h11.SERVER)
    talk.receive_data(data)
    event = talk.next_event()
    assert isinstance(event, h11.Request)
    return event


def fields(message: h11.Request | h11.Response | h11.InformationalResponse) -> dict[bytes, bytes]:
    return {bytes(name): bytes(value) for name, value in message.headers}


def test_what_was_for_the_proxy_alone_goes_no_further() -> None:
    asked = understood(
        parsed(
            b"GET http://example.org:81/a HTTP/1.1\r\nHost: elsewhere\r\n"
            b"Proxy-Authorization: Basic eA==\r\nProxy-Connection: keep-alive\r\n"
            b"Connection: x-own, close\r\nX-Own: 1\r\nTE: trailers\r\n"
            b"Upgrade: h2c\r\nAccept: */*\r\nCookie: a=b\r\n\r\n"
        ),
        NAME,
    )
    assert (asked.target, asked.request.target) == (Target("example.org", 81), b"/a")
    assert fields(asked.request) == {
        b"host": b"example.org:81",
        b"accept": b"*/*",
        b"cookie": b"a=b",
        b"via": b"1.1 " + NAME,
    }


def test_connection_can_t_name_what_frames_the_message() -> None:
    asked = understood(
        parsed(POST + b"Content-Length: 3\r\nConnection: content-length, host\r\n\r\nabc"),
        NAME,
    )
    assert fields(asked.request)[b"content-length"] == b"3"
    assert fields(asked.request)[b"host"] == b"a"


def test_a_tunnel() -> None:
    asked = understood(parsed(b"CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n"), NAME)
    assert (asked.target, asked.tunnel) == (Target("::1", 443), True)


def test_options_of_all_of_an_origin() -> None:
    asked = understood(parsed(b"OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n"), NAME)
    assert asked.request.target == b"*"


@pytest.mark.parametrize(
    ("status", "data"),
    [
        # Smuggled: two servers could read these in two ways (RFC 9112, 11.2).
        (400, POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        (400, POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
        (400, b"POST http://a/ HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        (400, b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"),
        # Not for a proxy.
        (400, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        (400, b"GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        (400, b"CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n"),
        (400, b"CONNECT http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        (400, b"GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        (405, b"TRACE http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        (508, b"GET http://a/ HTTP/1.1\r\nHost: a\r\nVia: 1.0 fred, 1.1 " + NAME + b" (x)\r\n\r\n"),
    ],
)
def test_what_is_refused(status: int, data: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        understood(parsed(data), NAME)
    assert refused.value.status == status


@pytest.mark.parametrize(
    "data",
    [
        POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        POST + b"Content-Length: +3\r\n\r\nabc",
        POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length : 3\r\n\r\nabc",
        b"GET http://a/ HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        b"GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET http://a/ HTTP/1.1\r\n\r\n",
        b"GET http://a/ b HTTP/1.1\r\nHost: a\r\n\r\n",
        b"G\tT http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_what_h11_refuses(data: bytes) -> None:
    with pytest.raises((h11.RemoteProtocolError, Refusal)):
        understood(parsed(data), NAME)


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_an_answer_with_two_lengths(method: bytes) -> None:
    """Chunks count, and the length goes no further: the client gets one framing."""
    told = h11.Response(
        status_code=200,
        headers=[(b"Content-Length", b"3"), (b"Transfer-Encoding", b"chunked"), (b"X", b"1")],
    )
    assert set(fields(answer_for_client(told, NAME))) == {b"x", b"via"}


def test_an_answer_keeps_its_length_and_loses_what_was_for_the_proxy() -> None:
    told = h11.Response(
        status_code=404,
        headers=[
            (b"Content-Length", b"3"),
            (b"Connection", b"close, x"),
            (b"Keep-Alive", b"timeout=5"),
            (b"Proxy-Authenticate", b"Basic"),
            (b"X", b"1"),
        ],
        reason=b"Gone",
    )
    answer = answer_for_client(told, NAME)
    assert (answer.status_code, answer.reason) == (404, b"Gone")
    assert fields(answer) == {b"content-length": b"3", b"via": b"1.1 " + NAME}


def test_an_answer_of_the_proxy_s_own_ends_the_connection() -> None:
    response, body = own_answer(407, "é\r\nX: 1")
    assert fields(response)[b"connection"] == b"close"
    assert b"Basic" in fields(response)[b"proxy-authenticate"]
    assert fields(response)[b"content-length"] == str(len(body)).encode()
