"""Request bodies by HTTP/2: they leave without a pause, and their answers may come first."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hyperframe.frame import DataFrame, RstStreamFrame, WindowUpdateFrame

from mphttp.kernel.reading.info import IPPROTO_MPTCP

from .doors import DOORS, Door
from .http2_peer import Peer, data, serving

HTTP2 = {"http1": False, "http2": True}
ROOMY = {"INITIAL_WINDOW_SIZE": 1 << 30}
SIZE = 6_000_000
ONE_LIBRARY = [DOORS[name] for name in ("httpx", "httpx-asyncio", "httpx-trio")]


@pytest.fixture(params=ONE_LIBRARY, ids=lambda door: door.backend or "threads")
def door(request: pytest.FixtureRequest) -> Door:
    door: Door = request.param
    return door


def content_of(door: Door, parts: Iterator[bytes]) -> Any:
    if door.backend is None:
        return parts

    async def later() -> Any:
        for part in parts:
            yield part

    return later()


def test_a_full_queue_that_empties_is_no_reason_to_wait(door: Door) -> None:
    """With windows as wide as nginx's and a narrow socket; there is no time-out that ends it."""

    def serve(peer: Peer) -> None:
        peer.say(WindowUpdateFrame(0, 1 << 30))
        stream, _ = peer.request()
        got, done = 0, False
        while not done:
            frame = peer.until(DataFrame, stream)
            got, done = got + len(frame.data), "END_STREAM" in frame.flags
        peer.answer(stream, b"%d" % got)

    narrow = [(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)]
    with (
        serving(serve, **ROOMY) as address,
        door.client(**HTTP2, socket_options=narrow) as client,
    ):
        patient = {"timeout": {"read": None, "write": None}}
        response = client.request("PUT", address, content=bytes(SIZE), extensions=patient)
    assert response.content == b"%d" % SIZE
    assert response.extensions["multipath"].bytes_sent == SIZE


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "its head"])
def test_a_refusal_ends_a_body_without_end(door: Door, whole: bool) -> None:
    """No window is opened for it: its rest makes no difference (RFC 9113, section 8.1)."""
    answered = threading.Event()

    def endless() -> Iterator[bytes]:
        while True:
            yield bytes(10_000)

    def serve(peer: Peer) -> None:
        stream, _ = peer.request()
        peer.say(peer.head(stream, status=b"413"))
        if not whole:
            assert answered.wait(20)
        peer.say(data(stream, b"too much", end=True))
        peer.reset(stream)

    content = content_of(door, endless())
    with (
        serving(serve) as address,
        door.client(**HTTP2) as client,
        client.stream(address, content=content) as answer,
    ):
        answered.set()
        assert (answer.response.status_code, answer.read()) == (413, b"too much")
        assert answer.report.bytes_sent <= 65535


def test_two_uploads_are_counted_each_for_itself() -> None:
    """One has arrived; the other's bytes wait, and are no reason not to say so.

    It is the engine that counts, whatever the door. Where MPTCP fell back to TCP, the kernel counts
    some of what waits twice (SIOCOUTQ, 6.18).
    """
    door = DOORS["httpx"]
    small, heard, told = 300_000, threading.Event(), threading.Event()
    left = 0

    def large() -> Iterator[bytes]:
        nonlocal left
        while not told.is_set() and left < 100_000_000:
            left += 10_000
            yield bytes(10_000)
            heard.wait(20)

    def serve(peer: Peer) -> None:
        peer.say(WindowUpdateFrame(0, 1 << 30))
        first, _ = peer.request()
        peer.until(DataFrame, first)
        heard.set()
        second, _ = peer.request()
        while "END_STREAM" not in peer.until(DataFrame, second).flags:
            pass
        peer.answer(second, b"there")
        assert told.wait(20)
        with_end = peer.until(DataFrame, first)
        while "END_STREAM" not in with_end.flags:
            with_end = peer.until(DataFrame, first)
        peer.answer(first, b"there, too")

    with (
        serving(serve, protocol=IPPROTO_MPTCP, **ROOMY) as address,
        door.client(**HTTP2) as client,
    ):
        responses: list[Any] = []
        upload = threading.Thread(
            target=lambda: responses.append(client.request("PUT", address, content=large()))
        )
        upload.start()
        try:
            assert heard.wait(20)
            with client.client.stream("PUT", address, content=bytes(small)) as answer:
                before = -1
                while before != left:  # until nothing more of the other can leave
                    before = left
                    time.sleep(0.02)
                assert answer.read() == b"there"
            report = answer.extensions["multipath"]
            assert report.bytes_sent == small
        finally:
            told.set()
            upload.join()
    assert responses[0].extensions["multipath"].bytes_sent == left


def test_a_reset_without_an_answer_is_an_error(door: Door) -> None:
    def serve(peer: Peer) -> None:
        stream, _ = peer.request()
        peer.until(DataFrame, stream)
        peer.say(RstStreamFrame(stream, 2))

    with (
        serving(serve) as address,
        door.client(**HTTP2) as client,
        pytest.raises(door.library.RemoteProtocolError, match="reset"),
    ):
        client.request("PUT", address, content=bytes(SIZE))
