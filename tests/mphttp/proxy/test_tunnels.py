"""Bytes through the proxy: each once, in order, and each end as it was."""

from __future__ import annotations

import hashlib
import random
import socket
import struct
import threading
from collections.abc import Callable

import pytest

from mphttp.proxy.target import Target
from mphttp.strategies import Handover
from mphttp.tunnel import Upstream, flow

from .running import PATIENCE, Running, echo, everything, exactly, head, peer, running

Way = Callable[[Running, int], socket.socket]
WAYS: dict[str, Way] = {
    "socks": lambda proxy, port: proxy.socks("127.0.0.1", port),
    "socks-name": lambda proxy, port: proxy.socks("localhost", port),
    "connect": lambda proxy, port: proxy.tunnel(f"127.0.0.1:{port}"),
}
SIZE = 3_000_000


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    return WAYS[request.param]


@pytest.fixture(params=["splice", "copy"])
def moving(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """By splice, and as on a kernel whose sockets can't be spliced."""
    if request.param == "copy":

        def refuse(*_: object, **__: object) -> int:
            raise OSError(22, "Invalid argument")

        monkeypatch.setattr(flow.os, "splice", refuse)


@pytest.mark.usefixtures("moving")
def test_much_in_both_directions(way: Way) -> None:
    """More than all buffers hold comes back as it was, and the end after it."""
    data = random.Random(1).randbytes(SIZE)
    with running(Handover()) as proxy, peer(echo) as port, way(proxy, port) as sock:
        sending = threading.Thread(target=lambda: (sock.sendall(data), sock.shutdown(1)))
        sending.start()
        came = everything(sock)
        sending.join(PATIENCE)
    assert hashlib.sha256(came).digest() == hashlib.sha256(data).digest()
    assert [(report.bytes, report.protocol) for report in proxy.reports] == [(SIZE, "tcp")]


def test_small_messages_are_not_kept_back(way: Way) -> None:
    with running() as proxy, peer(echo) as port, way(proxy, port) as sock:
        for number in range(200):
            sock.sendall(bytes((number,)))
            assert exactly(sock, 1) == bytes((number,))


def test_what_is_sent_too_early_is_passed_on() -> None:
    """A client may not wait for the answer to its request."""
    with running() as proxy, peer(echo, 2) as port:
        target = f"127.0.0.1:{port}"
        with proxy.connect() as sock:
            sock.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\nearly".encode())
            head(sock)
            assert exactly(sock, 5) == b"early"
        with proxy.connect() as sock:
            request = (
                b"\x05\x01\x00" + b"\x05\x01\x00\x01\x7f\x00\x00\x01" + struct.pack("!H", port)
            )
            sock.sendall(request + b"early")
            assert exactly(sock, 2 + 10 + 5)[-5:] == b"early"


def test_the_server_ends_first(way: Way) -> None:
    """What the client says after that still arrives."""
    heard: list[bytes] = []

    def serve(sock: socket.socket) -> None:
        sock.sendall(b"that is all")
        sock.shutdown(socket.SHUT_WR)
        heard.append(everything(sock))

    with running() as proxy, peer(serve) as port, way(proxy, port) as sock:
        assert everything(sock) == b"that is all"
        sock.sendall(b"late")
        sock.shutdown(socket.SHUT_WR)
        assert everything(sock) == b""
    assert heard == [b"late"]


def test_a_broken_stream_isn_t_taken_for_a_whole_one(way: Way) -> None:
    """Where the server's connection is reset, so is the client's."""

    def serve(sock: socket.socket) -> None:
        exactly(sock, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with running() as proxy, peer(serve) as port, way(proxy, port) as sock:
        sock.sendall(b"x")
        with pytest.raises(ConnectionResetError):
            everything(sock)


def test_a_connection_that_is_given_up_isn_t_taken_for_a_whole_one(way: Way) -> None:
    """Where no path is left, the engine shuts it down: what is read then is no end."""
    with running() as proxy, peer(echo) as port, way(proxy, port) as sock:
        sock.sendall(b"x")
        exactly(sock, 1)
        (client,) = proxy.server._serving.values()
        assert client.tunnel is not None
        client.tunnel.connection.shut_down()
        with pytest.raises(ConnectionResetError):
            everything(sock)


def test_nobody_answers(way: Way) -> None:
    with running() as proxy, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionError) as refused:
            way(proxy, nobody.getsockname()[1])
    assert refused.value.args[1] in (5, 502)


def test_a_port_that_is_forwarded() -> None:
    said = b"\x05\x01\x00 or what looks like it"
    with (
        peer(echo) as port,
        running(fixed=Target("127.0.0.1", port)) as proxy,
        proxy.connect() as sock,
    ):
        sock.sendall(said)
        sock.shutdown(socket.SHUT_WR)
        assert everything(sock) == said


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "http"])
def test_through_another_proxy(way: Way, scheme: str) -> None:
    with running() as outer, peer(echo) as port:
        upstream = Upstream.of(f"{scheme}://127.0.0.1:{outer.port}")
        with running(upstream=upstream) as proxy, way(proxy, port) as sock:
            sock.sendall(b"twice")
            assert exactly(sock, 5) == b"twice"
        named = [line for line in outer.lines if "localhost" in line]
    if way is WAYS["socks-name"]:  # who looks the name up
        assert bool(named) == (scheme != "socks5")


def test_through_another_proxy_that_refuses(way: Way) -> None:
    with running() as outer:
        upstream = Upstream.of(f"socks5h://127.0.0.1:{outer.port}")
        with running(upstream=upstream) as proxy, pytest.raises(ConnectionError) as refused:
            way(proxy, 1)
    assert refused.value.args[1] in (1, 502)
