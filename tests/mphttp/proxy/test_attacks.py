"""Clients that mean harm, or have no idea: they are refused, and leave nothing behind."""

from __future__ import annotations

import asyncio
import errno
import random
import socket
import time
from collections.abc import Callable

import pytest

from mphttp.proxy import client
from mphttp.proxy.limits import Limits
from mphttp.proxy.target import Target
from mphttp.proxy.users import parse_users
from mphttp.proxy.way_out import NotAllowed, WayOut
from mphttp.tunnel import Ways

from .running import PATIENCE, Running, echo, everything, exactly, head, peer, running


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def trickle(sock: socket.socket, data: bytes) -> bytes:
    """Send a byte at a time until the other side ends it; return what it says."""
    sock.settimeout(0.02)
    for byte in data * 1000:
        try:
            sock.sendall(bytes((byte,)))
            if not (came := sock.recv(65536)):
                return b""
            return came
        except TimeoutError:
            continue
        except OSError:
            return b""
    raise AssertionError("it goes on for ever")


@pytest.mark.parametrize("start", [b"GET http://a/ HTTP/1.1\r\nX: ", b"\x05\xff"])
def test_a_client_that_is_slow_on_purpose(start: bytes) -> None:
    """The limit is for all of the request: no byte moves it."""
    with running(limits=Limits(handshake=0.5)) as proxy, proxy.connect() as sock:
        sock.sendall(start)
        answer = trickle(sock, b"a")
        until(proxy.empty)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 408 ")


def test_a_flood_of_clients_that_say_nothing() -> None:
    """The oldest of them make room, and whoever has something to say is served."""
    limits = Limits(connections=20, unready=4)
    with running(limits=limits) as proxy, peer(echo) as port:
        silent = [proxy.connect() for _ in range(12)]
        for sock in silent[:8]:
            assert sock.recv(1) == b""
        with proxy.socks("127.0.0.1", port) as sock:
            sock.sendall(b"x")
            assert exactly(sock, 1) == b"x"
            assert proxy.server._clients.count <= 5
        for sock in silent:
            sock.close()
        until(proxy.empty)


def test_there_are_no_more_than_may_be() -> None:
    with running(limits=Limits(connections=2)) as proxy, peer(echo, 3) as port:
        first, second = (proxy.socks("127.0.0.1", port) for _ in range(2))
        with proxy.connect() as third:
            assert third.recv(1) == b""
        first.close()
        second.close()
        until(proxy.empty)


GARBAGE = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
    b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00",  # SOCKS4
    b"\x05\x00",
    b"\x05\x01\x00\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x50",  # BIND
    b"\x05\x01\x00\x05\x03\x00\x01\x7f\x00\x00\x01\x00\x50",  # UDP ASSOCIATE
    b"\x05\x01\x00\x05\x01\x00\x03\xff" + b"\r\n" * 128,
    b"\x00" * 100,
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"HELO example.org\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"A" * 200_000,
]


@pytest.mark.parametrize("data", GARBAGE)
def test_garbage(data: bytes) -> None:
    with running() as proxy:
        with proxy.connect() as sock:
            try:
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)
                everything(sock)
            except OSError:
                pass
        until(proxy.empty)
    assert proxy.reports == []


def test_random_garbage() -> None:
    chance = random.Random(3)
    with running() as proxy:
        for _ in range(100):
            with proxy.connect() as sock:
                sock.sendall(bytes((chance.choice((5, 71)),)) + chance.randbytes(64))
        until(proxy.empty)


SMUGGLED = [
    b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET http://b/ HTTP/1.1\r\n",
    b"Content-Length: 3\r\nContent-Length: 40\r\n\r\nabc",
    b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    b"Content-Length: 0x3\r\n\r\nabc",
    b"Content-Length: -1\r\n\r\n",
    b"Content-Length : 3\r\n\r\nabc",
]


@pytest.mark.parametrize("rest", SMUGGLED)
def test_a_request_that_could_be_two(rest: bytes) -> None:
    """No byte of it reaches the origin."""
    heard: list[bytes] = []
    with running() as proxy, peer(lambda sock: heard.append(sock.recv(1))) as port:
        with proxy.connect() as sock:
            sock.sendall(f"POST http://127.0.0.1:{port}/ HTTP/1.1\r\nHost: a\r\n".encode() + rest)
            assert head(sock).split()[1] in (b"400", b"501")
        until(proxy.empty)
    assert heard == []


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost", "::ffff:127.0.0.1", "127.1"])
def test_loops(host: str) -> None:
    """Nothing leads back to the proxy itself, in whatever way its address is written."""
    with running() as proxy:
        port = proxy.port
        with pytest.raises(ConnectionError) as refused:
            proxy.socks(host, port)
        assert refused.value.args[1] == 2
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        with pytest.raises(ConnectionError) as refused:
            proxy.tunnel(place)
        assert refused.value.args[1] == 403
        with proxy.connect() as sock:
            sock.sendall(f"GET http://{place}/ HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            assert head(sock).split()[1] == b"403"
        until(proxy.empty)


@pytest.mark.parametrize(("to_itself", "status"), [(False, b"200"), (True, b"508")])
def test_a_client_that_is_a_connection_of_the_proxy_s_own(to_itself: bool, status: bytes) -> None:
    """By both ends: one that leads elsewhere may begin at the same port."""
    with running() as proxy, peer(echo) as port, proxy.connect() as sock:
        elsewhere = ("127.0.0.1", proxy.port if to_itself else port)
        proxy.server._shared.way_out.own.add((sock.getsockname(), elsewhere))
        sock.sendall(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert head(sock).split()[1] == status


def test_a_loop_by_way_of_another() -> None:
    """What comes back from the proxy that it leads to is known when it comes in."""
    with running() as inner, running(fixed=Target("127.0.0.1", inner.port)) as outer:
        with outer.connect() as sock:
            place = f"127.0.0.1:{inner.port}"
            sock.sendall(f"CONNECT {place} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            assert head(sock).split()[1] == b"403"
        until(inner.empty)
        until(outer.empty)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "::1",
        "localhost",
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "10.0.0.1",
        "0.0.0.0",
    ],
)
def test_another_machine_reaches_nothing_private(host: str) -> None:
    """Whatever listens there is never connected to."""

    async def ask() -> None:
        way_out = WayOut(lambda _: None, Ways(connect_timeout=5))
        with pytest.raises(NotAllowed) as refused:
            await way_out.open(Target(host, 80), local_client=False)
        assert refused.value.errno == errno.EACCES

    asyncio.run(ask())


def with_password(proxy: Running, words: bytes) -> bytes:
    with proxy.connect() as sock:
        sock.sendall(b"GET http://127.0.0.1:1/ HTTP/1.1\r\nHost: a\r\n" + words + b"\r\n")
        return head(sock).split()[1]


def test_users_and_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_WRONG_PASSWORD", 0.01)
    right = b"Proxy-Authorization: Basic c29tZWJvZHk6c2VjcmV0\r\n"
    with running(users=parse_users(b"somebody:secret\n")) as proxy:
        assert with_password(proxy, right) == b"502"  # it was let in, and nobody listens there
        for words in (b"", b"Proxy-Authorization: Basic eDp5\r\n", right + right):
            assert with_password(proxy, words) == b"407"
        with proxy.connect() as sock:
            sock.sendall(b"\x05\x01\x00")
            assert exactly(sock, 2) == b"\x05\xff"
        with proxy.connect() as sock:
            sock.sendall(b"\x05\x01\x02\x01\x08somebody\x05wrong")
            assert exactly(sock, 4) == b"\x05\x02\x01\x01"
            assert sock.recv(1) == b""
        until(proxy.empty)
