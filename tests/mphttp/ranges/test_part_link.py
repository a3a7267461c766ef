"""Where a server may end a connection that brings parts, and where that is a fault."""

from __future__ import annotations

import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from mphttp.kernel.values import Path, SocketAddress
from mphttp.network.dialer import Dialer
from mphttp.network.endpoint import Endpoint
from mphttp.network.errors import SystemErrors
from mphttp.network.route import Routes
from mphttp.ranges.link import Ended
from mphttp.ranges.part_link import PartLink
from mphttp.ranges.resource import Resource
from mphttp.ranges.sharing import Sent

SIZE = 40_000
PARTS = [(0, 20_000), (20_000, 30_000), (30_000, SIZE)]
TAG = '"one"'
Serve = Callable[[socket.socket], None]


def answer(part: int, *, last: bool) -> bytes:
    """Write the answer to a request for a part."""
    start, stop = PARTS[part]
    head = (
        "HTTP/1.1 206 Partial Content\r\n"
        f"Content-Range: bytes {start}-{stop - 1}/{SIZE}\r\n"
        f"Content-Length: {stop - start}\r\nETag: {TAG}\r\n"
        + "Connection: close\r\n" * last
        + "\r\n"
    )
    return head.encode() + bytes(stop - start)


def head_of(data: bytes, count: int) -> bytes:
    """Return the head of an answer and so many bytes of its part."""
    return data[: data.index(b"\r\n\r\n") + 4 + count]


def heads(sock: socket.socket, count: int) -> bytes:
    """Wait for so many requests."""
    came = b""
    while came.count(b"\r\n\r\n") < count:
        came += sock.recv(65536)
    return came


def reset(sock: socket.socket) -> None:
    """End a connection as a server does that hasn't read all that was asked of it."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@contextmanager
def link_to(*serves: Serve) -> Iterator[PartLink]:
    """Connect to a server that does what functions say, each with one connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            for serve in serves:
                served, _ = listener.accept()
                with served:
                    serve(served)

        thread = threading.Thread(target=accept)
        thread.start()
        place = SocketAddress(*listener.getsockname())
        sent = Sent(b"GET", b"http", place.host.encode(), place.port, b"/", [])
        resource = Resource(0, SIZE, SIZE, TAG, "", [(b"Host", b"127.0.0.1")])
        lo = Path("lo", socket.if_nametoindex("lo"), "127.0.0.1")
        dialer = Dialer(SystemErrors(), None, None, ())
        route = Routes(None).to(sent.scheme, sent.host, place.port)
        link = PartLink(sent, lambda: Endpoint(dialer, route), resource, lo, place)
        link.connect()
        try:
            yield link
        finally:
            link.close()
            thread.join()


def read(link: PartLink, count: int) -> None:
    """Read so many bytes."""
    while count:
        count -= len(link.read())
    assert count == 0


def ask(link: PartLink, *parts: int) -> None:
    for part in parts:
        link.ask(*PARTS[part])


@pytest.mark.parametrize("last", [False, True])
def test_it_ends_between_two_parts(last: bool) -> None:
    """The second was asked for already, and isn't answered; nothing is wrong."""

    def serve(sock: socket.socket) -> None:
        heads(sock, 2)
        sock.sendall(answer(0, last=last))

    with link_to(serve) as link:
        ask(link, 0, 1)
        read(link, 20_000)
        with pytest.raises(Ended):
            link.read()


@pytest.mark.parametrize("apart", [False, True])
def test_what_nobody_asked_for_is_no_answer(apart: bool) -> None:
    """A part that came too early would be taken for the one that is asked for next."""
    read_one, sent_more = threading.Event(), threading.Event()

    def serve(sock: socket.socket) -> None:
        heads(sock, 1)
        sock.sendall(answer(0, last=False) + answer(1, last=False) * (not apart))
        if apart:
            read_one.wait(20)
            sock.sendall(answer(1, last=False))
        sent_more.set()
        with suppress(ConnectionResetError):  # what it sent more isn't read
            sock.recv(1)

    with link_to(serve) as link:
        ask(link, 0)
        read(link, 20_000)
        read_one.set()
        assert sent_more.wait(20)
        ask(link, 1)
        with pytest.raises(Ended):
            link.read()
        link.close()


def test_it_is_reset_in_a_part_that_was_to_be_the_last() -> None:
    """What the server hadn't read makes its kernel reset the connection (RFC 9112, 9.6).

    As nginx does after so many requests, and Apache may: the next connection takes several again.
    """

    def serve(sock: socket.socket) -> None:
        heads(sock, 3)
        sock.sendall(answer(0, last=False) + head_of(answer(1, last=True), 5_000))
        reset(sock)

    def serve_again(sock: socket.socket) -> None:
        heads(sock, 2)
        sock.sendall(answer(1, last=False) + answer(2, last=False))

    with link_to(serve, serve_again) as link:
        ask(link, 0, 1, 2)
        read(link, 25_000)
        with pytest.raises(Ended):
            link.read()
        link.close()
        link.connect()
        ask(link, 1, 2)
        read(link, 20_000)


def test_it_is_reset_in_a_part_after_which_nothing_was_asked_for() -> None:
    """That is a fault, announced or not: nothing but the path can have broken it."""

    def serve(sock: socket.socket) -> None:
        heads(sock, 2)
        sock.sendall(answer(0, last=False) + head_of(answer(1, last=True), 5_000))
        reset(sock)

    with link_to(serve) as link:
        ask(link, 0, 1)
        read(link, 25_000)
        with pytest.raises(OSError, match="reset"):
            link.read()


def test_it_is_reset_unannounced_in_mid_part() -> None:
    def serve(sock: socket.socket) -> None:
        heads(sock, 3)
        sock.sendall(answer(0, last=False) + head_of(answer(1, last=False), 5_000))
        reset(sock)

    with link_to(serve) as link:
        ask(link, 0, 1, 2)
        read(link, 25_000)
        with pytest.raises(OSError, match="reset"):
            link.read()


def test_it_has_ended_before_the_next_part_is_asked_for() -> None:
    def serve(sock: socket.socket) -> None:
        heads(sock, 1)
        sock.sendall(answer(0, last=False))
        reset(sock)

    with link_to(serve) as link:
        ask(link, 0)
        read(link, 20_000)
        poll = select.poll()
        assert link.sock is not None
        poll.register(link.sock, select.POLLERR)
        poll.poll(10_000)
        link.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # the next write gets EPIPE
        ask(link, 1)
        with pytest.raises(Ended):
            link.read()


def test_nothing_is_asked_for_after_the_last() -> None:
    """A request that can't be answered would only provoke a reset."""
    came = b""

    def serve(sock: socket.socket) -> None:
        nonlocal came
        came = heads(sock, 2)
        sock.sendall(answer(0, last=False) + answer(1, last=True))
        while data := sock.recv(65536):
            came += data

    with link_to(serve) as link:
        ask(link, 0, 1)
        read(link, 30_000)
        ask(link, 2)
        with pytest.raises(Ended):
            link.read()
    assert came.count(b"GET ") == 2
