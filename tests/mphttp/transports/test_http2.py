"""HTTP/2 by every door, with a peer that says what servers rarely, or never, say."""

# ruff: noqa: SIM117  the client outlives what is raised in it

from __future__ import annotations

import contextlib
import ssl
import threading
import time
from collections.abc import Callable

import pytest
import trustme
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from mphttp.transports.http2_errors import Code
from tests.mphttp.requests.servers import Proxy, Server, answer

from .doors import Door
from .http2_peer import Peer, data, serving
from .http2_requests import HTTP2, ONE_LIBRARY, PARTS, SIZE, once


@pytest.mark.parametrize("padding", [None, 0, 255])
def test_an_empty_frame_is_not_the_end(door: Door, padding: int | None) -> None:
    """Nor is one of padding alone (RFC 9113, section 6.1)."""

    def serve(peer: Peer) -> None:
        stream, _ = peer.request()
        peer.say(peer.head(stream), data(stream, b"first "))
        peer.heard()
        peer.say(data(stream, padding=padding))
        peer.heard()
        peer.say(data(stream, b"second", end=True))

    with serving(serve) as address, door.client(**HTTP2) as client:
        assert client.get(address).content == b"first second"


class Uploads:
    """A server that says GOAWAY in the middle of the first upload, and takes all others."""

    def __init__(self) -> None:
        self.came: list[bytes] = []

    def __call__(self, peer: Peer) -> None:
        stream, _ = peer.request()
        if peer.number == 0:
            peer.answer(stream, b"warm")
            stream, _ = peer.request()
            peer.until(DataFrame)
            peer.say(GoAwayFrame(last_stream_id=stream - 2))
            return
        self.came.append(peer.body(stream))
        peer.answer(stream, b"taken")


def test_a_body_that_was_begun_is_not_sent_again(door: Door) -> None:
    """Not what is left of it, that is: it would come as if it were all."""
    server = Uploads()
    with serving(server) as address, door.client(**HTTP2) as client:
        client.get(address)
        with pytest.raises(door.library.RemoteProtocolError, match="ended the connection"):
            client.request("POST", address, content=once(door, PARTS))
    assert server.came == []


def test_a_body_that_can_be_repeated_is_sent_again(door: Door) -> None:
    server = Uploads()
    with serving(server) as address, door.client(**HTTP2) as client:
        client.get(address)
        whole = b"".join(PARTS)
        assert client.request("POST", address, content=whole).content == b"taken"
    assert server.came == [whole]


def test_a_refused_stream_is_sent_again(door: Door) -> None:
    """Over the same connection, which is as good as before (RFC 9113, section 8.7)."""

    def serve(peer: Peer) -> None:
        for refused in (True, False):
            stream, fields = peer.request()
            body = peer.body(stream)
            assert (fields[b":method"], body) == (b"POST", b"twice")
            if refused:
                peer.say(RstStreamFrame(stream, Code.REFUSED_STREAM))
        peer.answer(stream, b"yes")
        assert peer.number == 0

    with serving(serve) as address, door.client(**HTTP2) as client:
        assert client.request("POST", address, content=b"twice").content == b"yes"


@pytest.mark.parametrize("refusal", ["stream", "connection"])
def test_who_refuses_for_ever_is_asked_five_times(door: Door, refusal: str) -> None:
    asked = []

    def serve(peer: Peer) -> None:
        while True:
            stream, _ = peer.request()
            asked.append(stream)
            if refusal == "stream":
                peer.say(RstStreamFrame(stream, Code.REFUSED_STREAM))
            else:
                peer.say(GoAwayFrame(last_stream_id=0))

    with serving(serve) as address, door.client(**HTTP2) as client:
        with pytest.raises(door.library.RemoteProtocolError):
            client.get(address)
    assert len(asked) == 5


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_kept_connection_that_ends(door: Door, method: str) -> None:
    """What may be done twice is asked once more (RFC 9110, section 9.2.2)."""
    asked = []

    def serve(peer: Peer) -> None:
        asked.append(peer.number)
        stream, _ = peer.request()
        peer.answer(stream, b"%d" % peer.number)
        peer.request()
        peer.sock.shutdown(2)

    with serving(serve) as address, door.client(**HTTP2) as client:
        client.get(address)
        if method == "GET":
            assert client.get(address).content == b"1"
        else:
            with pytest.raises((door.library.RemoteProtocolError, door.library.ReadError)):
                client.request("POST", address, content=b"once")
            assert asked == [0]


def test_a_negative_window_waits(door: Door) -> None:
    """SETTINGS may take back what was allowed (RFC 9113, section 6.9.2)."""
    came = b""

    def serve(peer: Peer) -> None:
        nonlocal came
        stream, _ = peer.request()
        while len(came) < 65535:
            came += peer.until(DataFrame).data
        peer.say(SettingsFrame(settings={SettingsFrame.INITIAL_WINDOW_SIZE: 5}))
        peer.say(WindowUpdateFrame(0, SIZE))
        peer.heard()
        before = time.process_time()
        waiting.wait(0.3)
        spent.append(time.process_time() - before)
        peer.say(WindowUpdateFrame(stream, SIZE))
        came += peer.body(stream)
        peer.answer(stream, b"ok")

    waiting, spent = threading.Event(), list[float]()
    with serving(serve) as address, door.client(**HTTP2) as client:
        sent = bytes(range(250)) * (SIZE // 250)
        assert client.request("POST", address, content=sent).content == b"ok"
    assert came == sent
    assert spent[0] < 0.15  # of the processor; it was an endless loop


def test_a_response_closed_early_is_reset(door: Door) -> None:
    """Before the connection is closed, too: the server hears of it."""
    heard = []

    def serve(peer: Peer) -> None:
        stream, _ = peer.request()
        peer.say(peer.head(stream), data(stream, b"12345"))
        heard.append(peer.reset(stream))
        heard.append(peer.until(GoAwayFrame).error_code)

    with serving(serve) as address, door.client(**HTTP2) as client:
        with client.stream(address):
            pass
    assert heard == [Code.CANCEL, Code.NO_ERROR]


def _upper(peer: Peer, stream: int) -> list[Frame]:
    return [peer.head(stream, (b"Upper", b"1"), end=True)]


"""For what is the same code whichever httpx that is."""


MALFORMED: dict[str, Callable[[Peer, int], list[Frame]]] = {
    "status": lambda p, n: [p.head(n, status=b"abc"), data(n, b"abc", end=True)],
    "status of four digits": lambda p, n: [p.head(n, status=b"2000", end=True)],
    "status with a sign": lambda p, n: [p.head(n, status=b"+20", end=True)],
    "status 101": lambda p, n: [p.head(n, status=b"101")],
    "no status": lambda p, n: [p.section(n, (b"x", b"y"), end=True)],
    "two": lambda p, n: [p.head(n, (b":status", b"200"), end=True)],
    "late status": lambda p, n: [p.section(n, (b"x", b"y"), (b":status", b"200"), end=True)],
    "pseudo": lambda p, n: [p.head(n, (b":path", b"/"), end=True)],
    "upper case": _upper,
    "name": lambda p, n: [p.head(n, (b"a b", b"1"), end=True)],
    "no name": lambda p, n: [p.head(n, (b"", b"1"), end=True)],
    "line": lambda p, n: [p.head(n, (b"x", b"1\r\ny: 2"), end=True)],
    "zero": lambda p, n: [p.head(n, (b"x", b"1\x002"), end=True)],
    "connection": lambda p, n: [p.head(n, (b"connection", b"close"), end=True)],
    "chunked": lambda p, n: [p.head(n, (b"transfer-encoding", b"chunked"), end=True)],
    "too long": lambda p, n: [p.head(n, (b"content-length", b"2")), data(n, b"abc", end=True)],
    "too short": lambda p, n: [p.head(n, (b"content-length", b"4")), data(n, b"abc", end=True)],
    "none of it": lambda p, n: [p.head(n, (b"content-length", b"4"), end=True)],
    "no length": lambda p, n: [p.head(n, (b"content-length", b"-1"), end=True)],
    "two lengths": lambda p, n: [p.head(n, (b"content-length", b"3, 4"), end=True)],
    "body first": lambda _, n: [data(n, b"abc", end=True)],
    "interim end": lambda p, n: [p.head(n, status=b"103", end=True)],
    "interim flood": lambda p, n: [p.head(n, status=b"103") for _ in range(200)],
    "two heads": lambda p, n: [p.head(n), p.head(n)],
    "trailers go on": lambda p, n: [p.head(n), p.section(n, (b"x", b"y"))],
    "status in trailers": lambda p, n: [p.head(n), p.head(n, end=True)],
    "name in trailers": lambda p, n: [p.head(n), p.section(n, (b"X", b"y"), end=True)],
    "long head": lambda p, n: [p.head(n, *[(b"x%d" % i, b"y" * 1000) for i in range(80)])],
    "no window": lambda _, n: [b"\0\0\4\x08\0" + n.to_bytes(4, "big") + bytes(4)],  # type: ignore[list-item]
    "window": lambda _, n: [WindowUpdateFrame(n, 2**31 - 1)],
}


@pytest.mark.slow
@pytest.mark.parametrize("door", ONE_LIBRARY, ids=lambda door: door.backend or "threads")
@pytest.mark.parametrize("kind", MALFORMED)
def test_a_malformed_response_is_one_stream_s_error(door: Door, kind: str) -> None:
    """And no one else's (RFC 9113, section 8.1.1)."""

    def serve(peer: Peer) -> None:
        good, _ = peer.request()
        peer.say(peer.head(good), data(good, b"first "))
        bad, _ = peer.request()
        frames = MALFORMED[kind](peer, bad)
        cut = [frame for frame in frames if isinstance(frame, HeadersFrame)]
        for frame in cut:
            if len(frame.data) > 16384:
                frames = _cut(frame)
        peer.say(*frames)
        assert peer.reset(bad) in (1, 3, 11)
        peer.say(data(good, b"second", end=True))

    with serving(serve) as address, door.client(**HTTP2) as client:
        with client.stream(address) as good:
            with pytest.raises(door.library.RemoteProtocolError, match="malformed"):
                client.get(address)
            assert good.read() == b"first second"


def _cut(frame: HeadersFrame) -> list[Frame]:
    parts = [frame.data[at : at + 16000] for at in range(0, len(frame.data), 16000)]
    first = HeadersFrame(frame.stream_id, parts[0])
    rest = [ContinuationFrame(frame.stream_id, part) for part in parts[1:]]
    rest[-1].flags.add("END_HEADERS")
    return [first, *rest]


def test_a_length_that_is_no_body_s(door: Door) -> None:
    """HEAD and 304 tell of a body that doesn't come (RFC 9110, section 8.6)."""

    def serve(peer: Peer) -> None:
        for status in (b"200", b"304"):
            stream, _ = peer.request()
            length = (b"content-length", b"5")
            peer.say(peer.head(stream, length, status=status, end=True))
        stream, _ = peer.request()
        peer.say(peer.head(stream, (b"content-length", b"2, 2")), data(stream, b"ok", end=True))

    with serving(serve) as address, door.client(**HTTP2) as client:
        assert client.request("HEAD", address).headers["content-length"] == "5"
        assert client.get(address).status_code == 304
        assert client.get(address).headers.get_list("content-length") == ["2"]


def test_an_end_without_end_stream_is_an_error(door: Door) -> None:
    """Also where all bytes of the length have come: whoever cuts the connection doesn't decide."""

    def serve(peer: Peer) -> None:
        stream, _ = peer.request()
        peer.say(peer.head(stream, (b"content-length", b"5")), data(stream, b"12345"))
        peer.heard()
        peer.sock.shutdown(1)

    with serving(serve) as address, door.client(**HTTP2) as client:
        with pytest.raises(door.library.RemoteProtocolError, match="disconnected"):
            client.get(address)


def test_a_proxy_s_tls_has_no_http2_within(door: Door) -> None:
    """It isn't offered there; who wants nothing else is told."""
    authority = trustme.CA()
    near = ssl.create_default_context()
    authority.configure_trust(near)
    far = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(far)
    with contextlib.ExitStack() as stack:
        server, proxy = Server(answer(b"ok"), context=far), Proxy(context=far)
        stack.callback(server.close)
        stack.callback(proxy.close)
        through = door.library.Proxy(f"https://{proxy.address}", ssl_context=near)
        options = {"proxy": through, "verify": near, "http2": True}
        with door.client(**options) as client:
            assert client.get(server.url).http_version == "HTTP/1.1"
        with door.client(http1=False, **options) as client:
            with pytest.raises(door.library.ConnectError, match="within the TLS"):
                client.get(server.url)
