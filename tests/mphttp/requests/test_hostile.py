"""Servers, and whoever is on the way to them, that send what no server should."""

from __future__ import annotations

import socket
import ssl
import threading
from http.client import HTTPException
from typing import NamedTuple

import pytest
import requests
import urllib3

from .conftest import Open
from .conftest import Start as StartProxy
from .servers import Start, Talk, answer, chunked, head_of, pour, until_closed

INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def session(start: Start, open_session: Open) -> requests.Session:
    return open_session()


class Tls(NamedTuple):
    """What TLS and proxies need."""

    context: ssl.SSLContext
    authority: str
    proxy: StartProxy


@pytest.fixture
def tls(context: ssl.SSLContext, authority: str, proxy: StartProxy) -> Tls:
    return Tls(context, authority, proxy)


def says(*answers: bytes) -> Talk:
    """Answer each request with the next of these, and end the connection after the last."""

    def talk(sock: socket.socket) -> None:
        for given in answers:
            if head_of(sock):
                sock.sendall(given)

    return talk


@pytest.mark.parametrize(
    "came",
    [
        OK,
        OK.rstrip(),
        OK + b"Content-Le",
        OK + b"Content-Length: 0",
        OK + b"Content-Length: 0\r\n",
        INTERIM + OK,
    ],
)
def test_a_head_that_is_cut_is_none(session: requests.Session, start: Start, came: bytes) -> None:
    """`http.client` takes the connection's end for the head's, and all that is missing for none."""
    with pytest.raises(requests.ConnectionError, match="in the middle of a head"):
        session.get(start(says(came)).url)


@pytest.mark.parametrize("status", [b"100 Continue", b"102 Processing", b"103 Early Hints"])
def test_an_interim_response_is_not_the_answer(
    session: requests.Session, start: Start, status: bytes
) -> None:
    """RFC 9110, section 15.2; the connection is as good as before."""
    early = b"HTTP/1.1 " + status + b"\r\nX: early\r\n\r\n"
    url = start(says(early + early + answer(b"one"), early + answer(b"two"))).url
    for body in (b"one", b"two"):
        response = session.get(url, timeout=20)
        assert (response.status_code, response.content) == (200, body)
        assert "X" not in response.headers


SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"


def test_a_switched_connection_is_nobody_else_s(session: requests.Session, start: Start) -> None:
    """What comes over it is another protocol's."""
    asked = {"Connection": "upgrade", "Upgrade": "echo"}
    url = start(says(SWITCH, answer(b"another protocol's"))).url
    assert session.get(url, headers=asked, timeout=20).status_code == 101
    session.get(start(says(answer())).url, timeout=20)
    assert session.get(url, headers=asked, timeout=20).status_code == 101


def test_nobody_asked_for_another_protocol(session: requests.Session, start: Start) -> None:
    with pytest.raises(requests.ConnectionError, match="101"):
        session.get(start(says(SWITCH)).url, timeout=20)


def test_interim_responses_have_an_end(session: requests.Session, start: Start) -> None:
    def flood(sock: socket.socket) -> None:
        head_of(sock)
        pour(sock, INTERIM)

    with pytest.raises(requests.ConnectionError, match="interim"):
        session.get(start(flood).url, timeout=None)


@pytest.mark.parametrize("banner", [b"SSH-2.0-OpenSSH_9.2\r\n", b"J\x00\x00\x00\n8.0"])
def test_another_protocol_s_server_is_an_error_at_once(
    session: requests.Session, start: Start, banner: bytes
) -> None:
    def greet(sock: socket.socket) -> None:
        sock.sendall(banner)
        while sock.recv(65536):
            """Wait, as it would."""

    with pytest.raises(requests.ConnectionError, match="BadStatusLine"):
        session.get(start(greet).url, timeout=None)


@pytest.mark.parametrize(
    ("start_of_it", "more"),
    [(b"", INTERIM), (INTERIM + OK, b"X"), (CHUNKED, b"0"), (CHUNKED + b"0\r\n", b"X: y\r\n")],
    ids=["interim responses", "a head", "a chunk's line", "trailers"],
)
def test_a_trickle_is_no_progress(
    session: requests.Session, start: Start, start_of_it: bytes, more: bytes
) -> None:
    """What never becomes a response, or a part of its body, moves no time-out."""
    given_up = threading.Event()

    def trickle(sock: socket.socket) -> None:
        head_of(sock)
        sock.sendall(start_of_it)
        while not given_up.wait(0.05):
            sock.sendall(more)

    url = start(trickle).url
    try:
        with pytest.raises((requests.exceptions.ReadTimeout, requests.ConnectionError)) as raised:
            session.get(url, timeout=(20, 0.4))
        assert "timed out" in str(raised.value)
    finally:
        given_up.set()


def test_a_body_byte_by_byte_is_progress(session: requests.Session, start: Start) -> None:
    def drip(sock: socket.socket) -> None:
        head_of(sock)
        sock.sendall(CHUNKED)
        for _ in range(12):
            threading.Event().wait(0.05)
            sock.sendall(b"1\r\nx\r\n")
        sock.sendall(b"0\r\n\r\n")
        head_of(sock)

    assert session.get(start(drip).url, timeout=(20, 0.4)).content == b"x" * 12


@pytest.mark.parametrize("line", [b"1;%b\r\na\r\n" % (b"x" * 50_000), b"X" * 70_000])
def test_frames_have_an_end(session: requests.Session, start: Start, line: bytes) -> None:
    def flood(sock: socket.socket) -> None:
        head_of(sock)
        sock.sendall(CHUNKED)
        pour(sock, line)

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        session.get(start(flood).url, timeout=None)


@pytest.mark.parametrize(
    "end",
    [
        b"8000000000000000\r\nno",
        b"0" * 16 + b"2\r\nno",
        b"+2\r\nno",
        b" 2\r\nno",
        b"0x2\r\nno",
        b"-2\r\nno",
        b"2_0\r\nno",
        b"2 0\r\nno",
        b"4\r\ngoodX\r\n",
        b"0",
    ],
)
@pytest.mark.parametrize("raw", [False, True], ids=["urllib3", "http.client"])
def test_chunks_have_one_reading(
    session: requests.Session, start: Start, end: bytes, raw: bool
) -> None:
    """Nothing is taken for a size that `int` takes for one, and none of its bytes for a body."""

    def talk(sock: socket.socket) -> None:
        head_of(sock)
        sock.sendall(CHUNKED + b"4\r\ngood\r\n" + end)

    response, came = session.get(start(talk).url, timeout=20, stream=True), list[bytes]()
    parts = iter(lambda: response.raw._fp.read(4), b"") if raw else response.iter_content(4)
    with response, pytest.raises((requests.exceptions.ChunkedEncodingError, HTTPException)):
        came.extend(parts)
    assert set(came) == {b"good"}


@pytest.mark.parametrize("told", [CHUNKED + b"%x\r\n", OK + b"Content-Length: %d\r\n\r\n"])
def test_no_memory_is_taken_at_a_server_s_word(
    session: requests.Session, start: Start, told: bytes
) -> None:
    def talk(sock: socket.socket) -> None:
        head_of(sock)
        sock.sendall(told % (2**63 - 1) + b"body")

    response = session.get(start(talk).url, timeout=20, stream=True)
    with response, pytest.raises(urllib3.exceptions.ProtocolError, match="IncompleteRead"):
        response.raw.read()


def test_trailers_have_an_end(session: requests.Session, start: Start) -> None:
    def flood(sock: socket.socket) -> None:
        head_of(sock)
        sock.sendall(CHUNKED + b"0\r\n")
        pour(sock, b"X: y\r\n" * 1000)

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        session.get(start(flood).url, timeout=None)


@pytest.mark.parametrize("within", [False, True], ids=["TLS", "TLS in TLS"])
@pytest.mark.parametrize("framing", ["until closed", "a length", "chunks"])
def test_who_cuts_tls_can_t_make_a_body_look_whole(
    session: requests.Session, start: Start, tls: Tls, framing: str, within: bool
) -> None:
    """RFC 9112, section 9.8: what says itself where it ends needs no closure alert."""
    given = {"until closed": until_closed, "a length": answer, "chunks": chunked}[framing](b"body")

    def talk(sock: socket.socket) -> None:
        secure = tls.context.wrap_socket(sock, server_side=True)
        head_of(secure)
        secure.sendall(given)
        socket.socket(fileno=secure.detach()).close()

    session.verify = tls.authority
    if within:
        session.proxies["https"] = f"https://{tls.proxy(context=tls.context).address}"
    url = start(talk).url.replace("http:", "https:")
    if framing != "until closed":
        assert session.get(url, timeout=20).content == b"body"
        return
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="close_notify"):
        session.get(url, timeout=20)


FORGED = answer(b"forged")


@pytest.mark.parametrize(
    "given",
    [answer(b"body"), chunked(b"body"), answer(bytes(65536)), b"HTTP/1.1 204 No\r\n\r\n"],
    ids=["a length", "chunks", "the size of a buffer", "no body"],
)
@pytest.mark.parametrize("secure", [False, True], ids=["TCP", "TLS"])
def test_what_comes_after_a_body_is_no_answer(
    session: requests.Session, start: Start, tls: Tls, given: bytes, secure: bool
) -> None:
    """In the same record or segment, too: the connection ends with it."""
    answers = iter([given + FORGED, answer(b"true"), answer(b"true")])

    def talk(sock: socket.socket) -> None:
        sock = tls.context.wrap_socket(sock, server_side=True) if secure else sock
        with sock:
            while head_of(sock):
                sock.sendall(next(answers))

    url = start(talk).url.replace("http:", "https:" if secure else "http:")
    first = session.get(url, timeout=20, verify=tls.authority)
    assert first.content in (b"body", bytes(65536), b"")
    assert session.get(url, timeout=20, verify=tls.authority).content == b"true"


@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "tunnel"])
def test_a_kept_connection_that_ends_is_replaced(
    session: requests.Session, start: Start, tls: Tls, method: str, proxied: bool
) -> None:
    """RFC 9110, section 9.2.2: a request that may have been done is sent again if it may be."""
    ends = iter([True])

    def talk(sock: socket.socket) -> None:
        sock = tls.context.wrap_socket(sock, server_side=True) if proxied else sock
        with sock:
            if next(ends, False):
                head_of(sock)
                sock.sendall(answer(b"ok"))
                sock.recv(1)  # the next request is there, and is never answered
                return
            while head_of(sock):
                sock.sendall(answer(b"again"))

    session.verify = tls.authority
    url = start(talk).url.replace("http:", "https:" if proxied else "http:")
    if proxied:
        session.proxies["https"] = f"http://{tls.proxy().address}"
    data = None if method == "GET" else b"x"
    assert session.get(url, timeout=20).content == b"ok"
    if method == "POST":
        with pytest.raises(requests.ConnectionError):
            session.post(url, data=data, timeout=20)
    else:
        assert session.request(method, url, data=data, timeout=20).content == b"again"


@pytest.mark.parametrize(
    "headers",
    [
        {"Transfer-Encoding": "chunked", "Content-Length": "5"},
        {"Transfer-Encoding": "gzip"},
        {"Content-Length": "5, 5"},
        {"Content-Length": "4"},
        {"Content-Length": "6"},
    ],
)
@pytest.mark.parametrize("kind", ["bytes", "parts", "nothing"])
def test_a_request_has_one_end(
    session: requests.Session, start: Start, headers: dict[str, str], kind: str
) -> None:
    """Who puts a second one there may want to smuggle another request."""
    came = bytearray()

    def talk(sock: socket.socket) -> None:
        while part := sock.recv(65536):
            came.extend(part)

    data = {"bytes": b"12345", "parts": iter([b"12345"]), "nothing": None}[kind]
    asked = requests.Request("PUT", start(talk).url, data=data).prepare()
    asked.headers.update(headers)
    with pytest.raises(requests.exceptions.InvalidHeader):
        session.send(asked, timeout=20)
    assert kind != "bytes" or not came
