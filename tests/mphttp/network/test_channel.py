"""Receiving and sending on real sockets: time-outs hold, and two threads may share TLS."""

from __future__ import annotations

import contextlib
import hashlib
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator

import anyio
import pytest
import trustme

from mphttp.network.channel import Channel, PlainChannel, TLSChannel, is_readable
from mphttp.network.channel_async import AsyncChannel
from mphttp.network.dial import multipath_socket
from mphttp.network.tls import Hello

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A connection over loopback, MPTCP where the kernel has it."""
    with multipath_socket(socket.AF_INET) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with multipath_socket(socket.AF_INET) as near:
            near.connect(listener.getsockname())
            far, _ = listener.accept()
            with far:
                yield near, far


@pytest.fixture(scope="module")
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What the near end trusts, and what the far end shows."""
    authority = trustme.CA()
    near = ssl.create_default_context()
    authority.configure_trust(near)
    far = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("near.example").configure_cert(far)
    return near, far


@pytest.fixture
def secured(
    pair: Pair, contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> Iterator[tuple[TLSChannel, ssl.SSLSocket]]:
    """The same connection under TLS."""
    near, far = pair
    channel = TLSChannel(near, Hello(contexts[0], "near.example"))
    accepted: list[ssl.SSLSocket] = []
    server = threading.Thread(
        target=lambda: accepted.append(contexts[1].wrap_socket(far, server_side=True))
    )
    server.start()
    channel.handshake(20)
    server.join()
    with channel.sock, accepted[0] as peer:
        yield channel, peer


@pytest.fixture(params=["plain", "TLS"])
def channels(request: pytest.FixtureRequest) -> tuple[Channel, socket.socket]:
    """A channel and its peer, which says nothing by itself."""
    if request.param == "TLS":
        secured: tuple[Channel, socket.socket] = request.getfixturevalue("secured")
        return secured
    near, far = request.getfixturevalue("pair")
    return PlainChannel(near), far


@pytest.mark.parametrize("timeout", [0.05, 1e-9])
def test_receiving_ends(channels: tuple[Channel, socket.socket], timeout: float) -> None:
    """A peer that says nothing is waited for as long as was said, however short that is."""
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        channels[0].receive(1, timeout)
    assert time.monotonic() - began >= timeout * 0.9


def test_signals_don_t_move_the_end(channels: tuple[Channel, socket.socket]) -> None:
    """Each interrupts the wait, and Python begins an interrupted call anew (PEP 475)."""
    ticks = 0

    def tick(*_: object) -> None:
        nonlocal ticks
        ticks += 1
        assert ticks < 1000, "still waiting after 10 s"

    before = signal.signal(signal.SIGALRM, tick)
    signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
    try:
        with pytest.raises(TimeoutError):
            channels[0].receive(1, 0.2)
        with pytest.raises(TimeoutError):
            channels[0].send(bytes(64 << 20), 0.2)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert ticks > 1


def test_sending_ends(channels: tuple[Channel, socket.socket]) -> None:
    """A peer that reads nothing fills every buffer, and then the limit holds."""
    with pytest.raises(TimeoutError):
        channels[0].send(bytes(64 << 20), 0.05)


def test_a_limit_is_for_one_call(channels: tuple[Channel, socket.socket]) -> None:
    """What comes after a call that took too long is read by the next one, which has no limit."""
    channel, peer = channels
    with pytest.raises(TimeoutError):
        channel.receive(1, 0.05)
    peer.sendall(b"x")
    assert channel.receive(1, None) == b"x"


def test_the_end_is_no_bytes(channels: tuple[Channel, socket.socket]) -> None:
    channel, peer = channels
    peer.close()
    assert channel.receive(1, 20) == b""


def test_directions_are_apart(pair: Pair) -> None:
    """A short limit for sending doesn't end a read."""
    near, far = pair
    channel = PlainChannel(near)
    with pytest.raises(TimeoutError):
        channel.send(bytes(64 << 20), 1e-9)
    far.sendall(b"x")
    assert channel.receive(1, 20) == b"x"


def test_a_socket_is_readable(pair: Pair) -> None:
    """What the pool asks before it uses a connection again."""
    near, far = pair
    assert not is_readable(near)
    far.sendall(b"x")
    channel = PlainChannel(near)
    channel.receive(1, 20)
    far.close()
    assert channel.receive(1, 20) == b""
    assert is_readable(near)
    near.close()
    assert is_readable(near)


@pytest.mark.parametrize("clean", [True, False])
def test_tls_tells_whether_that_was_the_end(
    secured: tuple[TLSChannel, ssl.SSLSocket], clean: bool
) -> None:
    """Anybody on the way can end a connection, but only the peer can say that it has."""
    channel, peer = secured
    peer.sendall(b"x")
    if clean:
        peer.setblocking(False)
        with contextlib.suppress(ssl.SSLWantReadError):  # it doesn't wait for ours
            peer.unwrap()
    socket.socket(fileno=peer.detach()).close()
    assert channel.receive(1, 20) == b"x"
    assert channel.receive(1, 20) == b""
    assert channel.cut is not clean


def test_the_rest_of_a_record_is_readable(secured: tuple[TLSChannel, ssl.SSLSocket]) -> None:
    """It is in OpenSSL's memory, where no poll of the socket sees it."""
    channel, peer = secured
    peer.sendall(b"body, and more")
    assert channel.receive(4, 20) == b"body"
    assert is_readable(channel.sock)
    channel.receive(100, 20)
    assert not is_readable(channel.sock)


def test_two_threads_share_tls(secured: tuple[TLSChannel, ssl.SSLSocket]) -> None:
    """One reads while the other sends, as HTTP/2 does; nothing is lost or changed on the way."""
    channel, peer = secured
    size = 8 << 20
    sent = bytes(range(256)) * (size // 256)

    def echo() -> None:
        left = size
        while left:
            data = peer.recv(65536)
            peer.sendall(data)
            left -= len(data)

    threads = [
        threading.Thread(target=echo),
        threading.Thread(target=lambda: channel.send(sent, 20)),
    ]
    for thread in threads:
        thread.start()
    came, left = hashlib.sha256(), size
    while left:
        data = channel.receive(65536, 20)
        came.update(data)
        left -= len(data)
    for thread in threads:
        thread.join()
    assert came.digest() == hashlib.sha256(sent).digest()


@pytest.fixture(params=["asyncio", "trio"])
def run(request: pytest.FixtureRequest) -> Callable[..., object]:
    """Run a coroutine in either kind of event loop."""
    return lambda main: anyio.run(main, backend=request.param)


def test_an_event_loop_waits(pair: Pair, run: Callable[..., object]) -> None:
    """Time-outs hold there, too, and then what comes is read."""
    near, far = pair

    async def main() -> None:
        channel = AsyncChannel(near)
        with pytest.raises(TimeoutError):
            await channel.receive(1, 0.05)
        with pytest.raises(TimeoutError):
            await channel.send(bytes(64 << 20), 0.05)
        far.sendall(b"x")
        assert await channel.receive(1, None) == b"x"

    run(main)


def test_others_have_their_turn(pair: Pair, run: Callable[..., object]) -> None:
    """A peer that is always ready doesn't keep other tasks from running."""
    near, far = pair
    done = threading.Event()

    def flood() -> None:
        with contextlib.suppress(OSError):  # the near end is closed at last
            while not done.is_set():
                far.sendall(bytes(65536))

    async def main() -> None:
        channel = AsyncChannel(near)
        async with anyio.create_task_group() as group:
            ran = anyio.Event()
            group.start_soon(lambda: _set(ran))
            while not ran.is_set():
                await channel.receive(65536, 20)

    async def _set(event: anyio.Event) -> None:
        event.set()

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        run(main)
    finally:
        done.set()
        near.close()
        thread.join()
