"""HTTP/2 without input and output, against h2 as the server."""

from __future__ import annotations

import tracemalloc

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
import pytest
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PushPromiseFrame,
    SettingsFrame,
)
from hypothesis import given
from hypothesis import strategies as st

from mphttp.transports.frames import FrameReader
from mphttp.transports.http2_errors import Code, Ended, Unsendable
from mphttp.transports.multiplex import Multiplex

HOST = [(b"Host", b"a.example"), (b"Connection", b"keep-alive")]
OK = [(b":status", b"200"), (b"x", b"1")]


class Pair:
    """A client of ours, and a server that says what a test wants."""

    def __init__(self) -> None:
        self.ours = Multiplex()
        self.server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.server.initiate_connection()
        self.ours.begin()
        self.exchange()

    def exchange(self) -> list[h2.events.Event]:
        """Let both hear all that the other has said; return what the server heard."""
        heard = []
        while True:
            to_server, to_client = said(self.ours), self.server.data_to_send()
            if to_server:
                heard += self.server.receive_data(to_server)
            if to_client:
                self.ours.receive(to_client)
            if not to_server and not to_client:
                return heard

    def get(self, *more: tuple[bytes, bytes]) -> int:
        number = self.ours.open(b"GET", b"https", b"/x", [*HOST, *more])
        self.exchange()
        return number

    def answer(self, number: int, *parts: bytes, end: bool = True) -> None:
        self.server.send_headers(number, OK)
        for part in parts:
            self.server.send_data(number, part)
        if end:
            self.server.end_stream(number)
        self.exchange()


def said(multiplex: Multiplex) -> bytes:
    """Take all that is to be sent."""
    data = bytes(multiplex.out)
    multiplex.sent(len(data))
    return data


def body(multiplex: Multiplex, number: int) -> bytes:
    came = b""
    while part := multiplex.part(number):
        came += part
    assert part == b""
    return came


def test_a_request_and_its_response() -> None:
    pair = Pair()
    number = pair.ours.open(b"GET", b"https", b"/x?y", HOST)
    request, end = pair.exchange()
    assert isinstance(request, h2.events.RequestReceived)
    assert isinstance(end, h2.events.StreamEnded)
    assert dict(request.headers or ()) == {
        b":method": b"GET",
        b":scheme": b"https",
        b":path": b"/x?y",
        b":authority": b"a.example",
    }
    assert pair.ours.head(number) is None
    pair.answer(number, b"12", b"345")
    assert pair.ours.head(number) == (200, [(b"x", b"1")])
    assert body(pair.ours, number) == b"12345"
    pair.ours.forget(number)
    assert pair.ours.streams.idle
    assert pair.exchange() == []


@given(st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=50)), max_size=30))
def test_responses_don_t_mix(parts: list[tuple[int, bytes]]) -> None:
    pair = Pair()
    numbers = [pair.get() for _ in range(4)]
    for number in numbers:
        pair.answer(number, end=False)
    for index, part in parts:
        pair.server.send_data(numbers[index], part)
    for number in numbers:
        pair.server.end_stream(number)
    pair.exchange()
    for index, number in enumerate(numbers):
        wanted = b"".join(part for whose, part in parts if whose == index)
        assert body(pair.ours, number) == wanted


def test_the_first_request_goes_alone_until_the_server_has_told() -> None:
    multiplex = Multiplex()
    multiplex.begin()
    assert multiplex.streams.room
    multiplex.open(b"GET", b"https", b"/", HOST)
    assert not multiplex.streams.room
    server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    server.update_settings({h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 3})
    server.initiate_connection()
    server.receive_data(said(multiplex))
    multiplex.receive(server.data_to_send())
    assert multiplex.streams.room


def test_a_stream_that_is_given_up_is_reset() -> None:
    pair = Pair()
    number = pair.get()
    pair.answer(number, b"12345", end=False)
    pair.ours.forget(number)
    (reset,) = pair.exchange()
    assert isinstance(reset, h2.events.StreamReset)
    assert reset.error_code == h2.errors.ErrorCodes.CANCEL
    assert pair.ours.streams.idle


def test_what_nobody_read_is_given_back_to_the_windows() -> None:
    """Otherwise, after so many bytes, no response would come any more."""
    pair = Pair()
    chunk = bytes(16384)
    for _ in range(300):
        number = pair.get()
        pair.answer(number, *[chunk] * 15, end=False)
        pair.ours.forget(number)
        pair.exchange()
    number = pair.get()
    pair.answer(number, chunk)
    assert body(pair.ours, number) == chunk


def test_one_reader_that_waits_doesn_t_stop_another() -> None:
    """The first has the whole of its window unread."""
    pair = Pair()
    waits, reads = pair.get(), pair.get()
    pair.answer(waits, end=False)
    while window := pair.server.local_flow_control_window(waits):
        pair.server.send_data(waits, bytes(min(window, 16384)))
        pair.exchange()
    pair.answer(reads, b"12345")
    assert body(pair.ours, reads) == b"12345"


def test_a_body_is_sent_as_the_windows_let_it() -> None:
    pair = Pair()
    number = pair.get((b"Content-Length", b"100000"))
    left, came = memoryview(bytes(100_000)), 0
    while left:
        size = pair.ours.send(number, left)
        if size is None:
            pair.server.acknowledge_received_data(came, number)
            pair.exchange()
            continue
        left = left[size:]
        heard = pair.exchange()
        came = sum(len(e.data or b"") for e in heard if isinstance(e, h2.events.DataReceived))
    pair.ours.end(number)
    assert any(isinstance(event, h2.events.StreamEnded) for event in pair.exchange())


def test_an_answer_before_the_end_of_the_request() -> None:
    """The rest isn't sent (RFC 9113, section 8.1)."""
    pair = Pair()
    number = pair.get((b"Content-Length", b"100000"))
    pair.answer(number, b"no")
    pair.server.reset_stream(number)
    pair.exchange()
    assert pair.ours.send(number, memoryview(bytes(100_000))) == 0
    pair.ours.end(number)
    assert pair.ours.head(number) == (200, [(b"x", b"1")])
    assert body(pair.ours, number) == b"no"


def test_the_server_resets_a_stream() -> None:
    """That one alone, after what has come of it."""
    pair = Pair()
    bad, good = pair.get(), pair.get()
    pair.answer(bad, b"12345", end=False)
    pair.server.reset_stream(bad, h2.errors.ErrorCodes.INTERNAL_ERROR)
    pair.answer(good, b"67")
    assert pair.ours.part(bad) == b"12345"
    with pytest.raises(Ended, match="INTERNAL_ERROR") as caught:
        pair.ours.part(bad)
    assert not caught.value.untouched
    assert body(pair.ours, good) == b"67"


def test_a_server_that_never_does_anything() -> None:
    """What it didn't look at may be sent again; the connections count how often."""
    pair = Pair()
    number = pair.get()
    pair.ours.receive(GoAwayFrame(0, last_stream_id=0, error_code=1).serialize())
    with pytest.raises(Ended, match="PROTOCOL_ERROR") as caught:
        pair.ours.head(number)
    assert caught.value.untouched


def test_a_goodbye() -> None:
    """What is under way is finished; what comes after may be sent over another connection."""
    pair = Pair()
    seen, unseen = pair.get(), pair.get()
    pair.ours.receive(GoAwayFrame(0, last_stream_id=seen).serialize())
    assert pair.ours.leaving
    with pytest.raises(Ended, match="NO_ERROR") as caught:
        pair.ours.head(unseen)
    assert caught.value.untouched
    pair.ours.forget(unseen)
    pair.answer(seen, b"12345")
    assert body(pair.ours, seen) == b"12345"
    with pytest.raises(Ended, match="takes no more") as caught:
        pair.ours.open(b"GET", b"https", b"/", HOST)
    assert caught.value.untouched


def test_a_goodbye_that_is_meant() -> None:
    pair = Pair()
    number = pair.get()
    pair.ours.receive(GoAwayFrame(0, last_stream_id=number, error_code=11).serialize())
    pair.ours.receive(b"")
    with pytest.raises(Ended, match="ENHANCE_YOUR_CALM"):
        pair.ours.head(number)


@given(st.lists(st.integers(1, 40), max_size=60), st.booleans(), st.booleans())
def test_what_comes_may_be_cut_anywhere(cuts: list[int], before: bool, after: bool) -> None:
    """Within a goodbye, too."""
    pair = Pair()
    number = pair.get()
    goodbye = GoAwayFrame(0, last_stream_id=number, additional_data=b"see you").serialize()
    pair.server.send_headers(number, OK)
    pair.server.send_data(number, b"12345", end_stream=True)
    said = goodbye * before + pair.server.data_to_send() + goodbye * after
    for cut in cuts:
        if said:
            pair.ours.receive(said[:cut])
            said = said[cut:]
    if said:
        pair.ours.receive(said)
    assert pair.ours.leaving is (before or after)
    assert body(pair.ours, number) == b"12345"


@pytest.mark.parametrize(
    "came",
    [b"", bytes(9), b"\0\0\x04\x07" + bytes(9)],
    ids=["nothing", "data of no stream", "half of a goodbye"],
)
def test_the_end_of_the_connection_is_every_stream_s(came: bytes) -> None:
    pair = Pair()
    first, second = pair.get(), pair.get()
    pair.answer(first, b"whole")
    pair.ours.receive(came)
    assert pair.ours.leaving
    assert pair.ours.head(first) == (200, [(b"x", b"1")])
    assert body(pair.ours, first) == b"whole"
    with pytest.raises(Ended):
        pair.ours.head(second)


def test_a_header_that_is_none_is_refused() -> None:
    """And its stream isn't one."""
    pair = Pair()
    with pytest.raises(Unsendable):
        pair.ours.open(b"GET", b"https", b"", HOST)
    assert pair.ours.streams.idle


def say(multiplex: Multiplex, number: int, data: bytes) -> None:
    """Send a body that is short."""
    multiplex.send(number, memoryview(data))
    multiplex.end(number)


def headers(number: int, block: bytes, *flags: str) -> bytes:
    return bytes(HeadersFrame(number, block, flags=flags).serialize())


def ended_with(pair: Pair, code: int) -> None:
    """Check that the whole connection is over, and that the server is told why."""
    assert pair.ours.leaving
    reader = FrameReader()
    (goodbye,) = [f for f in reader.read(said(pair.ours)) if isinstance(f, GoAwayFrame)]
    assert goodbye.error_code == code


def test_a_head_that_grows_as_it_is_decompressed() -> None:
    """An HPACK bomb: 4 kB that are kept once and named thousands of times."""
    pair = Pair()
    number = pair.get()
    kept = b"\x40\x01x\x7f\xa1\x1e" + bytes([ord("y")]) * 4000
    pair.ours.receive(headers(number, b"\x88" + kept + b"\xbe" * 12_000, "END_HEADERS"))
    ended_with(pair, Code.ENHANCE_YOUR_CALM)
    with pytest.raises(Ended, match="header list larger"):
        pair.ours.head(number)


@pytest.mark.parametrize("size", [0, 16384])
def test_a_head_without_end(size: int) -> None:
    """CONTINUATION after CONTINUATION, empty or not."""
    pair = Pair()
    number = pair.get()
    pair.ours.receive(headers(number, b"\x88"))
    more = ContinuationFrame(number, bytes(size)).serialize()
    for _ in range(100):
        pair.ours.receive(more)
    ended_with(pair, Code.ENHANCE_YOUR_CALM)


@pytest.mark.parametrize("question", [PingFrame(), SettingsFrame()], ids=["PING", "SETTINGS"])
def test_answers_that_nobody_reads(question: Frame) -> None:
    pair = Pair()
    for _ in range(3000):
        pair.ours.receive(question.serialize())
    assert len(pair.ours.out) < 20_000
    ended_with(pair, Code.ENHANCE_YOUR_CALM)


def test_tables_that_change_size_for_ever() -> None:
    """Only the smallest and the last are told of (RFC 7541, section 4.2)."""
    pair = Pair()
    for size in range(500):
        told = SettingsFrame(settings={SettingsFrame.HEADER_TABLE_SIZE: size % 7 * 100})
        pair.ours.receive(told.serialize())
        said(pair.ours)
    assert len(pair.ours._writer._tables) == 2


@pytest.mark.slow
def test_a_body_that_comes_byte_by_byte_takes_no_more_room() -> None:
    pair = Pair()
    number = pair.get()
    pair.answer(number, end=False)
    bits = DataFrame(number, b"ab").serialize() * 1000
    tracemalloc.start()
    for _ in range(20):
        pair.ours.receive(bits)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 2 * 40_000
    assert pair.ours.part(number) == b"ab" * 20_000


def test_more_than_the_window() -> None:
    """It is that stream's error; what is unread stays within the window."""
    pair = Pair()
    number, other = pair.get(), pair.get()
    pair.answer(number, end=False)
    for _ in range(100):
        pair.ours.receive(DataFrame(number, bytes(16384)).serialize())
    assert len(pair.ours.part(number) or b"") == 1 << 18
    with pytest.raises(Ended, match="window"):
        pair.ours.part(number)
    pair.answer(other, b"12345")
    assert body(pair.ours, other) == b"12345"


def filled(pair: Pair, number: int) -> int:
    """Send as much of a body as the windows let through; return how much."""
    size = 0
    while window := pair.server.local_flow_control_window(number):
        pair.server.send_data(number, bytes(min(window, 16384)))
        size += min(window, 16384)
    pair.exchange()
    return size


def test_no_number_of_readers_that_don_t_read_stops_another() -> None:
    """Nor do those that read much, and then no more; nor do all together take more memory."""
    pair = Pair()
    numbers = [pair.get() for _ in range(99)]
    for number in numbers:
        pair.answer(number, end=False)
    for number in numbers[:8]:
        for _ in range(6):
            filled(pair, number)
            pair.ours.part(number)
            pair.exchange()
    for number in numbers:
        filled(pair, number)
    assert sum(len(stream.unread) for stream in pair.ours.streams.by_number.values()) < 1 << 26
    reads = pair.get()
    pair.answer(reads, end=False)
    came = 0
    for _ in range(40):
        filled(pair, reads)
        came += len(pair.ours.part(reads) or b"")
        pair.exchange()
    assert came > 40 * (1 << 17)


def test_who_reads_gets_more_at_once() -> None:
    """So that a fast and long way is used."""
    pair = Pair()
    number = pair.get()
    pair.answer(number, end=False)
    sizes = []
    for _ in range(10):
        sizes.append(filled(pair, number))
        pair.ours.part(number)
        pair.exchange()
    assert sizes[0] == 1 << 18
    assert sizes[-1] == 1 << 23


def test_a_push_is_not_taken() -> None:
    """It was declined; its head would stay in memory for nobody."""
    pair = Pair()
    number = pair.get()
    push = PushPromiseFrame(number, 2, b"\x82\x84\x87", flags=["END_HEADERS"])
    pair.ours.receive(push.serialize())
    ended_with(pair, Code.PROTOCOL_ERROR)


def test_trailers_are_no_body() -> None:
    pair = Pair()
    number = pair.get()
    pair.server.send_headers(number, OK)
    pair.server.send_data(number, b"12345")
    pair.server.send_headers(number, [(b"x-checksum", b"1")], end_stream=True)
    pair.exchange()
    assert pair.ours.head(number) == (200, [(b"x", b"1")])
    assert pair.ours.streams.by_number[number].trailers == [b"x-checksum: 1\r\n"]
    assert body(pair.ours, number) == b"12345"


@pytest.mark.parametrize(
    ("method", "target", "more"),
    [
        (b"GET\r\nx: y", b"/", []),
        (b"GET", b"/ HTTP/1.1\r\nx: y", []),
        (b"GET", b"/", [(b"x", b"1\r\ny: 2")]),
        (b"GET", b"/", [(b"x\r\ny", b"1")]),
        (b"GET", b"/", [(b":path", b"/other")]),
        (b"POST", b"/", [(b"Content-Length", b"5"), (b"Transfer-Encoding", b"chunked")]),
    ],
)
def test_a_request_that_says_more_than_one_thing(
    method: bytes, target: bytes, more: list[tuple[bytes, bytes]]
) -> None:
    """A proxy that speaks HTTP/1.1 further on would send it as two."""
    pair = Pair()
    with pytest.raises(Unsendable):
        pair.ours.open(method, b"https", target, [*HOST, *more])
    assert pair.ours.streams.idle
    assert said(pair.ours) == b""


@pytest.mark.parametrize(("sent", "told"), [(4, "shorter"), (6, "longer")])
def test_a_body_that_isn_t_what_was_said(sent: int, told: str) -> None:
    pair = Pair()
    number = pair.get((b"Content-Length", b"5"))
    with pytest.raises(Unsendable, match=told):
        say(pair.ours, number, bytes(sent))
    pair.ours.forget(number)
    assert any(isinstance(event, h2.events.StreamReset) for event in pair.exchange())


def test_secrets_are_kept_out_of_the_table() -> None:
    """What compresses well tells of what it was compressed with (RFC 7541, section 7.1.3)."""
    pair = Pair()
    said(pair.ours)
    secrets = [(b"Authorization", b"Basic c2VjcmV0"), (b"Cookie", b"a=1"), (b"X", b"1")]
    pair.ours.open(b"GET", b"https", b"/", [*HOST, *secrets])
    assert [name for name, _ in pair.ours._writer._encoder.header_table.dynamic_entries] == [
        b"x",
        b":authority",
    ]
