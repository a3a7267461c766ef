"""Servers, and whoever is on the way to them, that send what no server should: every door."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.mphttp.requests.servers import Proxy, Start, Talk, head_of, pour

from .doors import Contexts, Door

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize("banner", [b"SSH-2.0-OpenSSH_9.2\r\n", b"J\x00\x00\x00\n8.0"])
def test_another_protocol_s_server_is_an_error_at_once(
    door: Door, start: Start, banner: bytes
) -> None:
    """It waits for the client to go on, so that a time-out of a minute would be waited for."""

    def greet(sock: socket.socket) -> None:
        sock.sendall(banner)
        while sock.recv(65536):
            """Wait, as it would."""

    url = start(greet).url
    with door.client() as client, pytest.raises(door.library.RemoteProtocolError, match="illegal"):
        client.get(url, timeout=None)


INTERIM = b"HTTP/1.1 103 Early Hints\r\n\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start_of_it", "more"),
    [(b"", INTERIM), (INTERIM + OK, b"X"), (CHUNKED, b"0"), (CHUNKED + b"0\r\n", b"X")],
    ids=["interim responses", "a head", "a chunk's line", "trailers"],
)
def test_a_trickle_is_no_progress(
    door: Door, start: Start, start_of_it: bytes, more: bytes
) -> None:
    """What never becomes a response, or a part of its body, moves no time-out."""
    given_up = threading.Event()

    def trickle(sock: socket.socket) -> None:
        head_of(sock)
        sock.sendall(start_of_it)
        while not given_up.wait(0.05):
            sock.sendall(more)

    url = start(trickle).url
    with door.client() as client:
        try:
            with pytest.raises(door.library.ReadTimeout):
                client.get(url, timeout=door.library.Timeout(20, read=0.4))
        finally:
            given_up.set()


def test_interim_responses_have_an_end(door: Door, start: Start) -> None:
    def flood(sock: socket.socket) -> None:
        head_of(sock)
        pour(sock, INTERIM)

    url = start(flood).url
    with door.client() as client, pytest.raises(door.library.RemoteProtocolError, match="interim"):
        client.get(url, timeout=None)


@pytest.mark.parametrize("size", [b"8000000000000000", b"f" * 17, b"+5", b"5_0"])
def test_nothing_of_a_chunk_comes_before_its_size_is_one(
    door: Door, start: Start, size: bytes
) -> None:
    def talk(sock: socket.socket) -> None:
        head_of(sock)
        sock.sendall(CHUNKED + b"4\r\ngood\r\n" + size + b"\r\nno body of anybody's\r\n")
        head_of(sock)

    url, came = start(talk).url, list[bytes]()
    illegal = pytest.raises(door.library.RemoteProtocolError, match="chunk header")
    with door.client() as client, client.stream(url) as answer, illegal:
        came.extend(answer.parts())
    assert b"".join(came) == b"good"


def secured(talk: Callable[[ssl.SSLSocket], None], context: ssl.SSLContext) -> Talk:
    """Do the same under TLS; the connection ends without a word for it."""

    def begin(sock: socket.socket) -> None:
        tls = context.wrap_socket(sock, server_side=True, suppress_ragged_eofs=False)
        try:
            talk(tls)
        finally:
            socket.socket(fileno=tls.detach()).close()

    return begin


ENDS = {
    "until closed": (OK + b"\r\nbody", False),
    "a length": (OK + b"Content-Length: 4\r\n\r\nbody", True),
    "chunks": (CHUNKED + b"4\r\nbody\r\n0\r\n\r\n", True),
}


@pytest.mark.parametrize("within", [False, True], ids=["TLS", "TLS in TLS"])
@pytest.mark.parametrize("end", ENDS)
def test_who_cuts_tls_can_t_make_a_body_look_whole(
    door: Door, start: Start, contexts: Contexts, end: str, within: bool
) -> None:
    """RFC 9112, section 9.8: what says itself where it ends needs no closure alert."""
    (near, far), (answer, whole) = contexts, ENDS[end]
    near.options |= ssl.OP_IGNORE_UNEXPECTED_EOF  # as in Python 3.11.2

    def talk(tls: ssl.SSLSocket) -> None:
        head_of(tls)
        tls.sendall(answer)

    url = f"https://127.0.0.1:{start(secured(talk, far)).port}/"
    proxy = Proxy(context=far)
    through = door.library.Proxy(f"https://{proxy.address}", ssl_context=near)
    try:
        with door.client(verify=near, proxy=through if within else None) as client:
            if whole:
                assert client.get(url).content == b"body"
                return
            with pytest.raises(door.library.RemoteProtocolError, match="close_notify"):
                client.get(url)
    finally:
        proxy.close()


def test_tls_that_says_so_ends_a_body(door: Door, start: Start, contexts: Contexts) -> None:
    near, far = contexts

    def talk(tls: ssl.SSLSocket) -> None:
        head_of(tls)
        tls.sendall(OK + b"\r\nbody")
        with contextlib.suppress(OSError):  # the client has closed without a word of its own
            tls.unwrap()

    url = f"https://127.0.0.1:{start(secured(talk, far)).port}/"
    with door.client(verify=near) as client:
        assert client.get(url).content == b"body"


FORGED = OK + b"Content-Length: 6\r\n\r\nforged"


@pytest.mark.parametrize(
    "parts",
    [
        [OK + b"Content-Length: 4\r\n\r\nbody"],
        [OK + b"Content-Length: 4\r\n\r\n", b"body"],
        [CHUNKED + b"4\r\nbody\r\n0\r\n\r\n"],
        [CHUNKED, b"4\r\nbody\r\n0\r\n\r\n"],
        [b"HTTP/1.1 204 No Content\r\n\r\n"],
    ],
    ids=["a length", "a length, apart", "chunks", "chunks, apart", "no body"],
)
@pytest.mark.parametrize("tls", [False, True], ids=["TCP", "TLS"])
def test_what_comes_after_a_body_is_no_answer(
    door: Door, start: Start, contexts: Contexts, parts: list[bytes], tls: bool
) -> None:
    """In the same record or segment, too: the connection ends with it."""
    near, far = contexts
    heard: list[bytes] = []

    def talk(sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while asked := head_of(sock):
            heard.append(asked)
            if len(heard) > 1:
                sock.sendall(OK + b"Content-Length: 4\r\n\r\ntrue")
                continue
            for part in [*parts[:-1], parts[-1] + FORGED]:
                sock.sendall(part)

    service = start(secured(talk, far) if tls else talk)
    url = f"{'https' if tls else 'http'}://127.0.0.1:{service.port}/"
    with door.client(verify=near) as client:
        first = client.get(url)
        assert first.content == (b"" if first.status_code == 204 else b"body")
        assert client.get(url).content == b"true"
    assert service.connections == 2


@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
def test_a_kept_connection_that_ends_is_replaced(door: Door, start: Start, method: str) -> None:
    """RFC 9110, section 9.2.2: a request that may have been done is sent again if it may be."""
    ends = iter([True])

    def talk(sock: socket.socket) -> None:
        if next(ends, False):
            head_of(sock)
            sock.sendall(OK + b"Content-Length: 2\r\n\r\nok")
            sock.recv(1)  # the next request is there, and is never answered
            return
        while head_of(sock):
            sock.sendall(OK + b"Content-Length: 5\r\n\r\nagain")

    service = start(talk)
    url = f"http://127.0.0.1:{service.port}/"
    with door.client() as client:
        assert client.get(url).content == b"ok"
        if method == "POST":
            with pytest.raises((door.library.ReadError, door.library.RemoteProtocolError)):
                client.request(method, url, content=b"x")
        else:
            content = {"content": b"x" if method == "PUT" else b""}
            assert client.request(method, url, **content).content == b"again"
    assert service.connections == (1 if method == "POST" else 2)


def test_a_body_that_can_t_be_read_again_is_not_sent_again(door: Door, start: Start) -> None:
    ends = iter([True])

    def talk(sock: socket.socket) -> None:
        head_of(sock)
        if next(ends, False):
            sock.sendall(OK + b"Content-Length: 2\r\n\r\nok")
            sock.recv(1)

    def parts() -> Iterator[bytes]:
        yield b"x"

    async def parts_later() -> object:
        yield b"x"

    service = start(talk)
    url = f"http://127.0.0.1:{service.port}/"
    with door.client() as client:
        client.get(url)
        content = parts() if client.portal is None else parts_later()
        with pytest.raises((door.library.ReadError, door.library.RemoteProtocolError)):
            client.request("PUT", url, content=content)
    assert service.connections == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Transfer-Encoding": "chunked", "Content-Length": "5"},
        {"Transfer-Encoding": "gzip"},
        {"Content-Length": "5, 5"},
        [("Content-Length", "1"), ("Content-Length", "1")],
        {"Content-Length": "4"},
    ],
)
def test_a_request_has_one_end(door: Door, start: Start, headers: object) -> None:
    """Who puts a second one there may want to smuggle another request; nothing of it leaves."""
    came = bytearray()

    def talk(sock: socket.socket) -> None:
        while part := sock.recv(65536):
            came.extend(part)

    url = start(talk).url
    with door.client() as client, pytest.raises(door.library.LocalProtocolError):
        client.request("POST", url, content=b"12345", headers=headers)
    assert not came
