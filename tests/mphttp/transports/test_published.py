"""What was published of other clients and may hold for any: servers and arguments, every door."""

# ruff: noqa: SIM117  the client outlives what is raised in it
from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from tests.mphttp.requests.servers import pour

from .conftest import Serve
from .doors import DOORS, Door

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        CHUNKED + b"5\r\n12345XX0\r\n\r\n",
        CHUNKED + b"5\n12345\r\n0\r\n\r\n",
        CHUNKED + b"+5\r\n12345\r\n0\r\n\r\n",
        CHUNKED + b"0x5\r\n12345\r\n0\r\n\r\n",
        CHUNKED + b"5_0\r\n12345\r\n0\r\n\r\n",
        CHUNKED + b"-5\r\n12345\r\n0\r\n\r\n",
        CHUNKED + b"f" * 30 + b"\r\n12345",
        OK + b"Transfer-Encoding: \x0bchunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: identity\r\n\r\n12345",
        OK + b"Transfer-Encoding: chunked, identity\r\n\r\n5\r\n12345\r\n0\r\n\r\n",
        OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n123456",
        OK + b"Content-Length: +5\r\n\r\n12345",
        OK + b"Content-Length: 5 5\r\n\r\n12345",
        OK + b"Content-Length : 5\r\n\r\n12345",
        OK + b"X\x00Y: 1\r\n\r\n",
    ],
)
def test_a_framing_that_others_read_differently(door: Door, serve: Serve, answer: bytes) -> None:
    """A body has one end, or is an error: a proxy on the way may see another one."""
    with door.client() as client, pytest.raises(door.library.RemoteProtocolError):
        client.get(serve(answer))


def test_where_both_are_said_chunks_count(door: Door, serve: Serve) -> None:
    """And the connection isn't used again (RFC 9112, section 6.3)."""
    both = OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n"
    with door.client() as client:
        try:
            assert client.get(serve(both)).content == b"12345"
        except door.library.RemoteProtocolError:
            """As right."""


@pytest.mark.parametrize("line", [b"x: y\r\n", b"x" * 1000, b" y\r\n"])
def test_a_head_that_never_ends(door: Door, line: bytes) -> None:
    """It takes neither all memory nor all time."""
    with socket.create_server(("127.0.0.1", 0)) as listener, door.client() as client:

        def answer() -> None:
            sock, _ = listener.accept()
            with sock, contextlib.suppress(OSError):
                sock.recv(65536)
                sock.sendall(OK + b"a: b\r\n")
                poured.append(pour(sock, line * (65536 // len(line))))

        poured: list[int] = []
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        with pytest.raises(door.library.RemoteProtocolError):
            client.get(f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout=20)
        thread.join(20)
    assert 0 < sum(poured) < 32 << 20  # most of which is in the kernel's buffers


@pytest.mark.parametrize("method", ["GET / HTTP/1.1\r\nX: y\r\n\r\nGET", "GE T", ""])
def test_a_method_that_says_more(door: Door, method: str) -> None:
    """Nothing of it leaves."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with door.client() as client, pytest.raises((door.library.LocalProtocolError, ValueError)):
            client.request(method, address)
        listener.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            sock, _ = listener.accept()
            with sock:
                assert sock.recv(100) == b""


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:{}/a b\r\nX: y", "http://127.0.0.1\r\nX: y:{}/", "http://a b:{}/"]
)
def test_a_url_that_says_more(door: Door, url: str) -> None:
    """Either it is no URL, or what it holds is quoted."""
    heads: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener, door.client() as client:

        def take() -> None:
            with contextlib.suppress(OSError):
                sock, _ = listener.accept()
                with sock:
                    heads.append(sock.recv(65536))
                    sock.sendall(OK + b"Content-Length: 0\r\n\r\n")

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        with contextlib.suppress(door.library.InvalidURL, door.library.TransportError):
            client.get(url.format(listener.getsockname()[1]), timeout=5)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(20)
    assert not any(b"\r\nX: y" in head for head in heads)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@contextlib.contextmanager
def tls_server(authority: trustme.CA, *names: str) -> Iterator[int]:
    """Shake one hand with a certificate for these names."""
    far = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names).configure_cert(far)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def shake() -> None:
            with contextlib.suppress(OSError):
                sock, _ = listener.accept()
                sock.settimeout(20)
                with far.wrap_socket(sock, server_side=True) as tls:
                    tls.recv(65536)
                    tls.sendall(OK + b"Content-Length: 2\r\n\r\nok")

        thread = threading.Thread(target=shake, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join(20)


@pytest.mark.parametrize("http2", [False, True])
@pytest.mark.parametrize("names", [("other.example",), ("*.0.0.1",)], ids=["other", "wildcard"])
def test_a_certificate_for_somebody_else(
    door: Door, authority: trustme.CA, names: tuple[str, ...], http2: bool
) -> None:
    """An address isn't a name, and no wildcard stands for a part of it."""
    near = ssl.create_default_context()
    authority.configure_trust(near)
    with tls_server(authority, *names) as port:
        with door.client(verify=near, http2=http2) as client:
            with pytest.raises(door.library.ConnectError, match="certificate verify failed"):
                client.get(f"https://127.0.0.1:{port}/")


def test_nobody_is_trusted_but_who_was_named(door: Door, authority: trustme.CA) -> None:
    """The system's authorities don't count beside one's own."""
    near = ssl.create_default_context(cafile=None)
    trustme.CA().configure_trust(near)
    with tls_server(authority, "127.0.0.1") as port, door.client(verify=near) as client:
        with pytest.raises(door.library.ConnectError, match="certificate verify failed"):
            client.get(f"https://127.0.0.1:{port}/")


ONE_OF_EACH: list[Any] = [DOORS["httpx"], DOORS["httpx-asyncio"], DOORS["httpx-trio"]]


@pytest.mark.parametrize("door", ONE_OF_EACH, ids=lambda door: door.backend or "threads")
def test_a_proxy_hears_nothing_of_what_goes_through_its_tunnel(
    door: Door, authority: trustme.CA
) -> None:
    """Fields for the server, with their secrets, are for the server."""
    heads: list[bytes] = []
    near = ssl.create_default_context()
    authority.configure_trust(near)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            sock, _ = listener.accept()
            with sock:
                heads.append(sock.recv(65536))
                sock.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=refuse, daemon=True)
        thread.start()
        proxy = f"http://user:proxys@127.0.0.1:{listener.getsockname()[1]}"
        with door.client(proxy=proxy, verify=near) as client:
            with pytest.raises(door.library.ProxyError):
                client.get(
                    "https://www.example/secret-path",
                    headers={"Authorization": "Bearer servers", "Cookie": "a=servers"},
                )
        thread.join(20)
    (head,) = heads
    assert head.startswith(b"CONNECT www.example:443 ")
    assert b"Proxy-Authorization" in head.title()
    assert b"servers" not in head
    assert b"secret-path" not in head
