"""One request and its response by HTTP/1.1: however the bytes are cut, the body is the same."""

from __future__ import annotations

from collections.abc import Callable

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.http.cycle import ConnectionLost, Cycle, Head

OK = b"HTTP/1.1 200 OK\r\n"


def with_length(body: bytes) -> bytes:
    return OK + b"Content-Length: %d\r\n\r\n" % len(body) + body


def until_closed(body: bytes) -> bytes:
    return OK + b"\r\n" + body


def chunked(body: bytes) -> bytes:
    chunks = [body[start : start + 7] for start in range(0, len(body), 7)]
    cut = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return OK + b"Transfer-Encoding: chunked\r\n\r\n" + cut + b"0\r\n\r\n"


FRAMINGS: tuple[Callable[[bytes], bytes], ...] = (with_length, until_closed, chunked)


class Reader:
    """What a connection does with a cycle, its bytes cut anywhere."""

    def __init__(self, cycle: Cycle, parts: list[bytes]) -> None:
        self.cycle = cycle
        self.parts = parts
        self.rest = b""

    def read(self, most: int) -> bytes:
        if not self.rest:
            self.rest = self.parts.pop(0) if self.parts else b""
        came, self.rest = self.rest[:most], self.rest[most:]
        return came

    def head(self) -> Head:
        while (head := self.cycle.head()) is None:
            self.cycle.receive(self.read(65536))
        self.rest = self.cycle.take_rest() + self.rest
        return head

    def body(self) -> bytes:
        body = bytearray()
        while self.cycle.remaining:
            came = self.read(min(100, self.cycle.remaining))
            self.cycle.came(came)
            body += came
        while self.cycle.remaining is None and (chunk := self.cycle.chunk()) != b"":
            if chunk is None:
                self.cycle.receive(self.read(65536))
            else:
                body += chunk
        return bytes(body)


def asked(method: bytes = b"GET", *headers: tuple[bytes, bytes]) -> Cycle:
    """A cycle whose request is out."""
    cycle = Cycle(method)
    cycle.request(b"/", [(b"Host", b"x"), *headers])
    cycle.end()
    return cycle


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut bytes into parts, none of them empty: that would be the end."""
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    starts = [0, *ends]
    return [data[a:b] for a, b in zip(starts, ends, strict=False) if b > a]


@given(
    body=st.binary(max_size=300),
    framing=st.sampled_from(FRAMINGS),
    places=st.lists(st.integers(0, 10_000), max_size=20),
)
def test_a_body_comes_whole(
    body: bytes, framing: Callable[[bytes], bytes], places: list[int]
) -> None:
    """And the connection can be used again unless the body ended with it."""
    reader = Reader(asked(), cut(framing(body), places))
    head = reader.head()
    assert (head.version, head.status, head.reason) == (b"HTTP/1.1", 200, b"OK")
    assert reader.body() == body
    assert reader.cycle.reusable == (framing is not until_closed)
    assert reader.read(1) == b""


@given(body=st.binary(min_size=1, max_size=300), missing=st.integers(1, 400))
@pytest.mark.parametrize("framing", [with_length, chunked])
def test_a_body_that_ends_early_is_an_error(
    framing: Callable[[bytes], bytes], body: bytes, missing: int
) -> None:
    """Wherever the connection ends, in the head, between chunks, or in the middle of the body."""
    whole = framing(body)
    reader = Reader(asked(), cut(whole[: max(0, len(whole) - missing)], [3]))
    with pytest.raises(h11.RemoteProtocolError):
        _ = (reader.head(), reader.body())
    assert not reader.cycle.reusable


@given(body=st.binary(max_size=50), more=st.binary(min_size=1, max_size=50))
def test_what_comes_after_the_body_is_not_part_of_it(body: bytes, more: bytes) -> None:
    """It is left over, and whoever holds the connection can see that it can't be trusted."""
    reader = Reader(asked(), [with_length(body) + more])
    reader.head()
    assert reader.body() == body
    assert reader.rest == more


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        (b"HEAD", OK + b"Content-Length: 5\r\n\r\n"),
        (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
        (b"HEAD", OK + b"Transfer-Encoding: chunked\r\n\r\n"),
    ],
)
def test_some_responses_have_no_body(method: bytes, answer: bytes) -> None:
    """RFC 9112, section 6.3; the connection is as good as before."""
    reader = Reader(asked(method), [answer])
    reader.head()
    assert reader.body() == b""
    assert reader.cycle.reusable


@pytest.mark.parametrize(
    ("headers", "answer"),
    [
        ([], OK + b"Connection: close\r\nContent-Length: 0\r\n\r\n"),
        ([(b"Connection", b"close")], OK + b"Content-Length: 0\r\n\r\n"),
        ([], b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ([], OK + b"Proxy-Connection: Close\r\nContent-Length: 0\r\n\r\n"),
    ],
)
def test_either_side_can_end_the_connection(
    headers: list[tuple[bytes, bytes]], answer: bytes
) -> None:
    """RFC 9112, section 9.3."""
    reader = Reader(asked(b"GET", *headers), [answer])
    reader.head()
    assert reader.body() == b""
    assert not reader.cycle.reusable


def test_a_request_that_was_not_sent_whole_spoils_the_connection() -> None:
    cycle = Cycle(b"POST")
    cycle.request(b"/", [(b"Host", b"x"), (b"Content-Length", b"5")])
    cycle.data(b"123")
    reader = Reader(cycle, [with_length(b"no")])
    reader.head()
    assert reader.body() == b"no"
    assert not cycle.reusable


def test_lengths_that_differ_are_an_error() -> None:
    """A smuggled second length must not decide where the next response begins (RFC 9112, 6.3)."""
    reader = Reader(asked(), [OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n12345"])
    with pytest.raises(h11.RemoteProtocolError):
        reader.head()


def test_a_server_that_says_nothing_is_told_as_such() -> None:
    with pytest.raises(ConnectionLost, match="without sending a response"):
        Reader(asked(), []).head()


def test_a_head_without_end_is_an_error() -> None:
    """Not more than 100 KiB are kept of it."""
    reader = Reader(asked(), [OK + b"X: " + bytes(200_000)])
    with pytest.raises(h11.RemoteProtocolError):
        reader.head()


@pytest.mark.parametrize(
    "banner", [b"SSH-2.0-OpenSSH_9.2\r\n", b"220 mail.example ESMTP\r\n", b"J", b"HTTQ"]
)
def test_what_can_t_become_http_is_an_error_at_once(banner: bytes) -> None:
    """Such a server waits for us: its first bytes are all that ever come."""
    cycle = asked()
    with pytest.raises(h11.RemoteProtocolError, match="illegal status line"):
        cycle.receive(banner)


def test_what_follows_an_interim_response_must_be_http_too() -> None:
    cycle = asked()
    cycle.receive(b"HTTP/1.1 103 Early Hints\r\n\r\nSSH")
    with pytest.raises(h11.RemoteProtocolError, match="illegal status line"):
        cycle.head()


def test_interim_responses_have_an_end() -> None:
    reader = Reader(asked(), [b"HTTP/1.1 103 Early Hints\r\n\r\n"] * 1000)
    with pytest.raises(h11.RemoteProtocolError, match="more than 100 interim responses"):
        reader.head()
    assert len(reader.parts) > 800


@pytest.mark.parametrize("line", [b"1;%b\r\na\r\n" % bytes(b"x" * 50_000), b"0" * 90_000])
def test_the_frames_of_chunks_have_an_end(line: bytes) -> None:
    """An extension of a chunk is nobody's, however little of a body it comes with."""
    flood = Reader(asked(), [OK + b"Transfer-Encoding: chunked\r\n\r\n", *[line] * 100])
    flood.head()
    with pytest.raises(h11.RemoteProtocolError):
        flood.body()
    assert len(flood.parts) > 90


@pytest.mark.slow
def test_chunks_of_a_byte_each_are_no_flood() -> None:
    body = bytes(100_000)
    cut = b"".join(b"1;a=b\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    reader = Reader(asked(), [OK + b"Transfer-Encoding: chunked\r\n\r\n" + cut])
    reader.head()
    assert reader.body() == body


def test_what_comes_after_the_last_chunk_spoils_the_connection() -> None:
    reader = Reader(asked(), [chunked(b"whole") + b"HTTP/1.1 200 OK\r\n"])
    reader.head()
    assert reader.body() == b"whole"
    assert not reader.cycle.reusable


@pytest.mark.parametrize(
    "headers",
    [
        [(b"Content-Length", b"3"), (b"Transfer-Encoding", b"chunked")],
        [(b"Content-Length", b"3"), (b"content-length", b"3")],
        [(b"Content-Length", b"3, 3")],
        [(b"Content-Length", b"+3")],
        [(b"Transfer-Encoding", b"gzip")],
        [(b"Transfer-Encoding", b"identity")],
        [(b"Transfer-Encoding", b"gzip, chunked")],
        [(b"Transfer-Encoding", b"chunked"), (b"Transfer-Encoding", b"chunked")],
    ],
)
def test_a_request_has_one_end(headers: list[tuple[bytes, bytes]]) -> None:
    """RFC 9112, section 11.2: else proxy and server may each see another one."""
    with pytest.raises(h11.LocalProtocolError):
        Cycle(b"POST").request(b"/", [(b"Host", b"x"), *headers])
