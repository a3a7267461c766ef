"""What a server of HTTP/2 may send, well-formed or not, in any order, to the real connection."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import anyio
import httpcore
import httpx
from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from hypothesis import strategies as st

from mphttp.network.channel import PlainChannel
from mphttp.network.channel_async import AsyncChannel
from mphttp.network.stream import AsyncMultipathStream, MultipathStream
from mphttp.transports.host import Host
from mphttp.transports.http2 import AsyncHTTP2Connection, HTTP2Connection

from .conftest import Fuzz

HOST = Host(httpx, httpcore)
LIMITS = {"timeout": {"read": 0.05, "write": 0.05, "pool": 0.05}}
LATEST = 20.0  # seconds for one input: many times all limits together, on a machine that is busy
UPLOAD = bytes(100_000)
STREAMS = (1, 3, 5)
_ERRORS = (
    httpcore.ProtocolError,
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ConnectionNotAvailable,
)

numbers = st.sampled_from([*STREAMS] * 4 + [0, 2, 7, 2**31 - 1])
texts = st.sampled_from([b"", b"x", b"200", b"103", b"404", b"20", b"5", b"12345"]) | st.binary(
    max_size=9
)
names = st.sampled_from(
    [b":status"] * 6
    + [b"content-length", b"x", b"X", b"connection", b":path", b"te", b"set-cookie"]
)
blocks = st.one_of(
    st.just([(b":status", b"200")]),
    st.just([(b":status", b"103")]),
    st.integers(0, 9).map(lambda n: [(b":status", b"200"), (b"content-length", b"%d" % n)]),
    st.just([(b"trailer", b"x")]),
    st.lists(st.tuples(names, texts), max_size=4),
).map(lambda fields: Encoder().encode(fields)) | st.binary(max_size=12)
wild = st.sampled_from([0, 1, 5, 100, 16383, 16384, 65535, 2**24, 2**31 - 1, 2**32 - 1])


def _flags(*names: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(names), unique=True) if names else st.just([])


def _padded(frame: Callable[..., Frame], number: int, body: bytes, padding: int, flags: Any) -> Any:
    return frame(max(1, number), body, pad_length=padding if "PADDED" in flags else 0, flags=flags)


frames = st.one_of(
    st.builds(
        lambda *given: _padded(DataFrame, *given),
        numbers,
        st.binary(max_size=9),
        st.integers(0, 255),
        _flags("END_STREAM", "PADDED"),
    ),
    st.builds(
        lambda *given: _padded(HeadersFrame, *given),
        numbers,
        blocks,
        st.integers(0, 9),
        st.just(["END_HEADERS"]) | _flags("END_STREAM", "PADDED", "PRIORITY", "END_HEADERS"),
    ),
    st.builds(
        lambda n, block, flags: ContinuationFrame(max(1, n), block, flags=flags),
        numbers,
        blocks,
        _flags("END_HEADERS"),
    ),
    st.builds(lambda n, code: RstStreamFrame(max(1, n), code), numbers, st.integers(0, 15)),
    st.builds(lambda told: SettingsFrame(settings=told), st.dictionaries(st.integers(1, 9), wild)),
    st.builds(lambda: SettingsFrame(flags=["ACK"])),
    st.builds(WindowUpdateFrame, numbers, wild),
    st.builds(lambda flags: PingFrame(opaque_data=b"12345678", flags=flags), _flags("ACK")),
    st.builds(lambda n, code: GoAwayFrame(0, n, code), numbers, st.integers(0, 15)),
    st.builds(lambda n: PriorityFrame(max(1, n), depends_on=5), numbers),
    st.builds(
        lambda n, b: PushPromiseFrame(max(1, n), 2, b, flags=["END_HEADERS"]), numbers, blocks
    ),
).map(lambda frame: frame.serialize())
raw = st.builds(
    lambda kind, flags, number, body: (
        struct.pack(">I", len(body))[1:] + bytes([kind, flags]) + struct.pack(">I", number) + body
    ),
    st.integers(0, 12),
    st.integers(0, 255),
    numbers,
    st.binary(max_size=20),
)
answers = st.builds(
    lambda n, body: (
        HeadersFrame(n, Encoder().encode([(b":status", b"200")]), flags=["END_HEADERS"]).serialize()
        + DataFrame(n, body, flags=["END_STREAM"]).serialize()
    ),
    st.sampled_from(STREAMS),
    st.binary(max_size=50),
)
own = st.sampled_from(STREAMS)
tame = st.one_of(
    answers,
    st.builds(
        lambda n, body, padding, flags: _padded(DataFrame, n, body, padding, flags),
        own,
        st.binary(max_size=9),
        st.integers(0, 255),
        _flags("PADDED"),
    ),
    st.builds(lambda n, body: DataFrame(n, body, flags=["END_STREAM"]), own, st.binary(max_size=9)),
    st.builds(
        lambda n, status, flags: HeadersFrame(
            n, Encoder().encode([(b":status", status)]), flags=["END_HEADERS", *flags]
        ),
        own,
        st.sampled_from([b"200", b"200", b"103", b"413"]),
        st.sampled_from([[], [], [], ["END_STREAM"]]),
    ),
    st.builds(WindowUpdateFrame, st.sampled_from([0, *STREAMS]), st.integers(1, 100_000)),
    st.builds(lambda size: SettingsFrame(settings={4: size}), st.integers(0, 200_000)),
    st.builds(lambda: PingFrame(opaque_data=b"12345678")),
    st.builds(RstStreamFrame, own, st.sampled_from([0, 7, 8])),
).map(lambda frame: frame if isinstance(frame, bytes) else frame.serialize())
_HEADS = b"".join(
    HeadersFrame(n, Encoder().encode([(b":status", b"200")]), flags=["END_HEADERS"]).serialize()
    for n in STREAMS
)
_ENDS = b"".join(DataFrame(n, flags=["END_STREAM"]).serialize() for n in STREAMS)
scripts = st.builds(
    lambda how, heads, said, ends: how + heads + b"".join(said) + ends,
    st.binary(min_size=2, max_size=2),
    st.sampled_from([_HEADS, b""]),
    st.lists(tame, max_size=25)
    | st.lists(st.one_of(tame, tame, frames), max_size=25)
    | st.lists(st.one_of(frames, frames, frames, raw, answers), max_size=25),
    st.sampled_from([_ENDS, b""]),
)


def framed(script: bytes) -> dict[int, bytes]:
    """Return the bodies that are whole, as a script frames them, read as plainly as can be."""
    bodies: dict[int, bytes] = dict.fromkeys(STREAMS, b"")
    whole: dict[int, bytes] = {}
    while len(script) >= 9:
        length, kind, flags = int.from_bytes(script[:3]), script[3], script[4]
        number = int.from_bytes(script[5:9]) & 0x7FFFFFFF
        payload, script = script[9 : 9 + length], script[9 + length :]
        if len(payload) < length or number not in bodies or number in whole:
            continue
        if kind == 0:
            padding = payload[0] + 1 if flags & 8 and payload else 0
            bodies[number] += payload[bool(padding) : len(payload) - max(0, padding - 1)]
        if kind in (0, 1) and flags & 1:
            whole[number] = bodies[number]
    return whole


class Server:
    """The peer: it lets three requests come, says its script, and leaves, or stays."""

    def __init__(self, sock: socket.socket, script: bytes) -> None:
        sock.settimeout(LATEST)
        self._sock = sock
        self._how, self._script = script[:2].ljust(2, b"\0"), script[2:]

    def run(self) -> None:
        with self._sock as sock, suppress(OSError):
            sock.sendall(SettingsFrame().serialize())
            self._requests()
            if self._how[0] & 4:
                reads = threading.Thread(target=self._drain)
                reads.start()
            size = self._how[1] + 1
            for at in range(0, len(self._script), size):
                sock.sendall(self._script[at : at + size])
            if self._how[0] & 8:
                sock.shutdown(socket.SHUT_WR)
            if self._how[0] & 4:
                reads.join()
            else:
                self._drain()

    def _requests(self) -> None:
        came = self._sock.makefile("rb", buffering=0)
        with came:
            rest, seen = self._exactly(came, 24), 0
            while seen < len(STREAMS):
                rest = self._exactly(came, 9)
                self._exactly(came, int.from_bytes(rest[:3]))
                seen += rest[3] == 1

    @staticmethod
    def _exactly(came: Any, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = came.read(size - len(data))
            if not more:
                raise ConnectionError
            data += more
        return data

    def _drain(self) -> None:
        with suppress(OSError):
            while self._sock.recv(1 << 16):
                pass


def _requests(*, blocking: bool) -> list[httpcore.Request]:
    def once() -> Iterator[bytes]:
        yield UPLOAD

    async def once_async() -> AsyncIterator[bytes]:
        yield UPLOAD

    host = [("Host", "a.example")]
    length = ("Content-Length", str(len(UPLOAD)))
    upload = once() if blocking else once_async()
    address = "http://a.example/"
    return [
        httpcore.Request("GET", address, headers=host, extensions=dict(LIMITS)),
        httpcore.Request(
            "POST", address, headers=[*host, length], content=upload, extensions=dict(LIMITS)
        ),
        httpcore.Request("GET", address, headers=host, extensions=dict(LIMITS)),
    ]


def _ask(connection: HTTP2Connection, request: httpcore.Request) -> tuple[int, bytes] | None:
    try:
        response = connection.handle_request(request)
        try:
            body = b"".join(response.stream)
        finally:
            response.stream.close()
    except _ERRORS:
        return None
    return response.extensions["stream_id"], body


async def _ask_async(
    connection: AsyncHTTP2Connection, request: httpcore.Request, told: list[Any]
) -> None:
    try:
        response = await connection.handle_async_request(request)
        try:
            body = b"".join([part async for part in response.stream])
        finally:
            await response.stream.aclose()
    except _ERRORS:
        return
    told.append((response.extensions["stream_id"], body))


def _with_threads(sock: socket.socket, pool: ThreadPoolExecutor) -> list[Any]:
    stream = MultipathStream(PlainChannel(sock), None, HOST.errors)
    connection = HTTP2Connection(stream, HOST, None)
    try:
        told = list(pool.map(lambda r: _ask(connection, r), _requests(blocking=True)))
        _check(connection)
    finally:
        connection.close()
    return told


async def _with_tasks(sock: socket.socket) -> list[Any]:
    stream = AsyncMultipathStream(AsyncChannel(sock), None, HOST.errors)
    connection = AsyncHTTP2Connection(stream, HOST, None)
    told: list[Any] = []
    try:
        async with anyio.create_task_group() as tasks:
            for request in _requests(blocking=False):
                tasks.start_soon(_ask_async, connection, request, told)
        _check(connection)
    finally:
        await connection.aclose()
    return told


def _check(connection: HTTP2Connection | AsyncHTTP2Connection) -> None:
    """No place is lost, and what waits to be sent is bounded."""
    assert connection._multiplex.streams.idle
    assert len(connection._multiplex.out) < 1 << 20


def test_http2(fuzz: Fuzz[bytes]) -> None:
    """No hang, no other exception than the library's own, and no body but what was framed."""
    with ThreadPoolExecutor(len(STREAMS) + 1) as pool:

        def talk(script: bytes) -> None:
            ours, theirs = socket.socketpair()
            serving = pool.submit(Server(theirs, script).run)
            begun, how = time.monotonic(), script[:1].ljust(1, b"\0")[0] % 3
            try:
                if how == 0:
                    told = _with_threads(ours, pool)
                else:
                    backend = "asyncio" if how == 1 else "trio"
                    told = anyio.run(_with_tasks, ours, backend=backend)
            finally:
                ours.close()
                serving.result(LATEST)
            assert time.monotonic() - begun < LATEST
            whole = framed(script[2:])
            for number, body in filter(None, told):
                assert body == whole.get(number)

        fuzz(scripts, talk)
