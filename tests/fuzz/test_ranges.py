"""A server that lies at random about the parts of a body, over loopback, to every client."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import certifi
import httpx
import httpx2
import pycurl
import pytest
import requests
from hypothesis import strategies as st

from mphttp.ranges import control, recovery, refusals
from mphttp.strategies import DelayedByContentLength, FullMesh, Handover, NDiffPorts, Strategy
from tests.lab.any_door import CLIENTS
from tests.lab.leaks import Opened, eventually, start
from tests.mphttp.ranges.origins import BODY, OTHER, SIZE, TAG, Asked, Origin, Peer
from tests.mphttp.transports.doors import DOORS

from .conftest import Fuzz

BROKEN = (
    httpx.TransportError,
    httpx2.TransportError,
    requests.RequestException,
    pycurl.error,
)
SILENCE = 1.0
"""Seconds for which clients wait for a byte."""
LONGEST = 45.0
"""Seconds that no download takes, whatever a server does and others on this machine do."""
_TRICKLE = 30  # bytes that come one at a time
_STATUSES = (200, 204, 301, 302, 304, 307, 400, 401, 404, 407, 412, 416, 429, 500, 503, 999)


@dataclass(frozen=True)
class Lie:
    """An answer; as it stands it is the right one.

    Args:
        status: its code.
        version: of HTTP.
        interim: 1xx heads before it.
        shift: bytes between the part that was asked for and the one that is told.
        longer: bytes that the length tells more than there should be.
        total: that the range tells.
        tag: the ETag field's value, "" for none.
        more: other fields.
        without: a field that is left out, in lower case.
        sent: the share of the body that is sent.
        extra: bytes after it.
        slow: whether its first bytes come one at a time.
        end: what becomes of the connection: "keep", "close", "reset" or "stall".
    """

    status: int = 206
    version: str = "1.1"
    interim: int = 0
    shift: int = 0
    longer: int = 0
    total: str = str(SIZE)
    tag: str = TAG
    more: tuple[str, ...] = ()
    without: str = ""
    sent: float = 1.0
    extra: bytes = b""
    slow: bool = False
    end: str = "keep"

    @property
    def convinces(self) -> bool:
        """Whether nothing in its head shows that it isn't the part that was asked for."""
        told = (self.status, self.shift, self.longer, self.tag, self.more, self.without)
        return told == (206, 0, 0, TAG, (), "") and self.total in (str(SIZE), "*")

    def answer(self, peer: Peer, asked: Asked) -> None:
        for _ in range(self.interim):
            peer.head(103, "Link: </x>")
        start, stop = asked.part.start + self.shift, asked.part.stop + self.shift
        fields = (
            f"ETag: {self.tag}" if self.tag else "X-No-Tag: 1",
            f"Content-Range: bytes {start}-{stop - 1}/{self.total}",
            f"Content-Length: {len(asked.part) + self.longer}",
        )
        kept = [f for f in fields if f.partition(":")[0].lower() != self.without]
        peer.head(self.status, *kept, *self.more, version=self.version)
        body = (BODY if self.convinces else OTHER)[asked.part.start : asked.part.stop]
        self.give(peer, body)

    def give(self, peer: Peer, body: bytes) -> None:
        """Send a body, or some of it, and do with the connection what is to be done."""
        body = body[: int(len(body) * self.sent)]
        if self.slow:
            for n in range(min(_TRICKLE, len(body))):
                peer.sock.sendall(body[n : n + 1])
            body = body[_TRICKLE:]
        peer.sock.sendall(body + self.extra)
        # What comes after a body that is too short would be taken for its rest, by anybody.
        end = "stall" if self.end == "keep" and self.sent < 1 else self.end
        {"close": peer.end, "reset": peer.reset, "stall": peer.linger}.get(end, int)()


@dataclass(frozen=True)
class Server:
    """A server: its first answer, and those to requests for parts, the last one again and again."""

    client: str
    strategy: Strategy
    first: Lie
    parts: tuple[Lie, ...] = field(default=(Lie(),))
    fields: tuple[str, ...] = (f"ETag: {TAG}", "Accept-Ranges: bytes")


_ends = st.sampled_from(["keep", "keep", "close", "reset", "stall"])
_shares = st.sampled_from([1.0, 1.0, 0.5, 0.999, 0.01, 0.0])
_fields = st.sampled_from(
    [
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked",
        "Content-Encoding: gzip",
        "Content-Encoding: identity",
        "Content-Type: multipart/byteranges; boundary=x",
        "Content-Length: 3",
        "Content-Range: bytes 0-1/2",
        'ETag: "two"',
        "Connection: close",
        "Retry-After: 0",
        "Retry-After: 1",
        "Retry-After: 86400",
        "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT",
        "Retry-After: \xff",
        "Location: http://127.0.0.2:1/",
        "Location: //\xff",
        "Set-Cookie: a=b",
        "WWW-Authenticate: Basic realm=x",
        "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT",
    ]
)
_lies = st.builds(
    Lie,
    status=st.just(206) | st.just(206) | st.sampled_from(_STATUSES),
    version=st.sampled_from(["1.1", "1.1", "1.1", "1.0", "2.0", "x"]),
    interim=st.sampled_from([0, 0, 0, 1, 50]),
    shift=st.sampled_from([0, 0, 0, 0, 1, -1, 100_000]),
    longer=st.sampled_from([0, 0, 0, 0, 1, -1, 2**40, -(2**20)]),
    total=st.sampled_from([str(SIZE), str(SIZE), "*", str(SIZE + 1), "0", "x", "9" * 30]),
    tag=st.sampled_from([TAG, TAG, TAG, TAG, '"two"', f"W/{TAG}", "", "\xff"]),
    more=st.just(()) | st.just(()) | st.lists(_fields, max_size=3).map(tuple),
    without=st.sampled_from(["", "", "", "etag", "content-range", "content-length"]),
    sent=_shares,
    extra=st.just(b"") | st.just(b"") | st.sampled_from([b"x", b"HTTP/1.1 200 OK\r\n\r\n"]),
    slow=st.sampled_from([False, False, True]),
    end=_ends,
)
_right = st.builds(Lie, sent=_shares, slow=st.sampled_from([False, False, True]), end=_ends)
_strategies = st.sampled_from(
    [NDiffPorts(2), NDiffPorts(3), FullMesh(), Handover(0.2), DelayedByContentLength(2**40)]
)
_servers = st.builds(
    Server,
    client=st.sampled_from([*CLIENTS, "httpx2"]),
    strategy=_strategies,
    first=_right,
    parts=st.lists(_right | _lies, min_size=1, max_size=6).map(tuple),
    fields=st.just((f"ETag: {TAG}", "Accept-Ranges: bytes"))
    | st.sampled_from([("Accept-Ranges: bytes",), (f"ETag: W/{TAG}",), ()]),
)


@contextmanager
def served(server: Server) -> Iterator[str]:
    """Serve a body as badly as that."""
    parts = iter(server.parts)

    def first(peer: Peer, asked: Asked) -> None:
        peer.head(200, f"Content-Length: {SIZE}", *server.fields)
        server.first.give(peer, BODY)

    def part(peer: Peer, asked: Asked) -> None:
        next(parts, server.parts[-1]).answer(peer, asked)

    with Origin(first, part) as origin:
        yield origin.url


def read(server: Server, url: str, body: bytearray) -> Any:
    """Read it all; return the report."""
    options: dict[str, Any] = {"multipath": "ranges", "strategy": server.strategy}
    if server.client in DOORS:
        verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        with (
            DOORS[server.client].client(verify=verify, **options) as client,
            client.stream(url, timeout=SILENCE) as answer,
        ):
            for piece in answer.parts():
                body += piece
            return answer.report
    with CLIENTS[server.client](trust=certifi.where(), timeout=SILENCE, **options) as client:
        return client.read(url, body.extend)


def test_ranges(fuzz: Fuzz[Server], monkeypatch: pytest.MonkeyPatch) -> None:
    """No wrong byte is called whole, nothing hangs, and nothing is left."""
    monkeypatch.setattr(refusals, "_LEAST_WAIT", 0.1)
    monkeypatch.setattr(control, "OPEN_TIMEOUT", 0.5)
    for name in ("_ASKED", "_STAGGER", "_PAUSE"):
        monkeypatch.setattr(recovery, name, 0.05)

    def download(server: Server) -> None:
        body, opened, began = bytearray(), Opened(), time.monotonic()
        with served(server) as url:
            try:
                report = read(server, url, body)
            except BROKEN:
                assert BODY.startswith(body)
            else:
                assert body == BODY
                assert report.bytes == SIZE
                ids = [subflow.id for subflow in report.subflows]
                assert len(set(ids)) == len(ids)
                assert not [p for p in report.problems if "failed with" in p.what]
        assert time.monotonic() - began < LONGEST
        eventually(opened.own, {"descriptors": 0, "threads": 0})

    start()
    fuzz(_servers, download, examples=3)
