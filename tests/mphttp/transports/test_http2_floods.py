"""HTTP/2 by every door: frames without end, and none, within the limits of time."""

# ruff: noqa: SIM117  the client outlives what is raised in it

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from hyperframe.frame import (
    Frame,
    GoAwayFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from mphttp.transports.http2_errors import Code
from tests.mphttp.requests.servers import pour

from .doors import Door
from .http2_peer import Peer, data, serving
from .http2_requests import HTTP2, ONE_LIBRARY, SIZE


def test_a_window_that_stays_shut_is_a_time_out_of_one_stream(door: Door) -> None:
    def serve(peer: Peer) -> None:
        stream, _ = peer.request()
        assert peer.reset(stream) == Code.CANCEL
        stream, _ = peer.request()
        peer.answer(stream, b"fine")
        assert peer.number == 0

    with serving(serve) as address, door.client(**HTTP2) as client:
        limits = door.library.Timeout(20, write=0.1)
        with pytest.raises(door.library.WriteTimeout):
            client.request("POST", address, content=bytes(SIZE), timeout=limits)
        assert client.get(address).content == b"fine"


def test_a_response_that_is_late_ends_alone(door: Door) -> None:
    """Its stream is reset; what comes for it all the same takes nothing from others' windows."""

    def serve(peer: Peer) -> None:
        stream, _ = peer.request()
        peer.say(peer.head(stream), data(stream, b"12345"))
        assert peer.reset(stream) == Code.CANCEL
        peer.say(data(stream, bytes(1000)), peer.section(stream, (b"x", b"y"), end=True))
        stream, _ = peer.request()
        peer.answer(stream, b"fine")
        assert peer.number == 0

    with serving(serve) as address, door.client(**HTTP2) as client:
        with pytest.raises(door.library.ReadTimeout):
            client.get(address, timeout=0.1)
        assert client.get(address).content == b"fine"


FLOODS: dict[str, Callable[[int], list[Frame]]] = {
    "ping": lambda _: [PingFrame(opaque_data=b"12345678")],
    "ping answers": lambda _: [PingFrame(opaque_data=b"12345678", flags=["ACK"])],
    "settings": lambda _: [SettingsFrame(settings={1: 100, 3: 5})],
    "window": lambda _: [WindowUpdateFrame(0, 1)],
    "priority": lambda n: [PriorityFrame(n, depends_on=0)],
    "unknown": lambda n: [b"\0\0\0\xee\0" + n.to_bytes(4, "big")],  # type: ignore[list-item]
    "empty data": lambda n: [data(n)],
    "padding": lambda n: [data(n, padding=255)],
    "reset": lambda _: [RstStreamFrame(1, 8)],
    "goaway": lambda n: [GoAwayFrame(last_stream_id=n)],
    "closed data": lambda _: [data(1, b"12345")],
}


@pytest.mark.slow
@pytest.mark.parametrize("door", ONE_LIBRARY, ids=lambda door: door.backend or "threads")
@pytest.mark.parametrize("kind", FLOODS)
def test_time_outs_hold_under_a_flood(door: Door, kind: str) -> None:
    def serve(peer: Peer) -> None:
        stream, _ = peer.request()
        peer.answer(stream, b"warm")
        stream, _ = peer.request()
        peer.say(peer.head(stream))
        flood = b"".join(f if isinstance(f, bytes) else f.serialize() for f in FLOODS[kind](stream))
        pour(peer.sock, flood * 50)
        raise EOFError

    with serving(serve) as address, door.client(**HTTP2) as client:
        client.get(address)
        with pytest.raises((door.library.ReadTimeout, door.library.RemoteProtocolError)):
            client.get(address, timeout=0.3)


def test_a_flood_comes_to_an_end_without_a_limit_of_time(door: Door) -> None:
    """The client says that it is enough."""

    def serve(peer: Peer) -> None:
        stream, _ = peer.request()
        pour(peer.sock, PriorityFrame(stream).serialize() * 50)
        raise EOFError

    with serving(serve) as address, door.client(**HTTP2) as client:
        with pytest.raises((door.library.RemoteProtocolError, door.library.ReadError)):
            client.get(address, timeout=None)


def test_a_trickle_of_frames_is_no_progress(door: Door) -> None:
    """A deadline is fixed once; so little comes here that it is no flood."""

    def serve(peer: Peer) -> None:
        stream, _ = peer.request()
        peer.say(peer.head(stream))
        try:
            while not given_up.wait(0.002):
                peer.say(PingFrame(), data(stream))
        except (ConnectionError, TimeoutError):
            raise EOFError from None

    given_up = threading.Event()
    with serving(serve) as address, door.client(**HTTP2) as client:
        with pytest.raises(door.library.ReadTimeout):
            client.get(address, timeout=0.2)
        given_up.set()
