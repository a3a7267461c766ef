"""Wrong answers to requests for parts, and what has to be said of each."""

from __future__ import annotations

import gzip
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from mphttp import Report

from .origins import BODY, OTHER, SIZE, TAG, Answer, Asked, Origin, Peer, right

Condition = Callable[[Origin, Report], bool]


def carried(report: Report) -> int:
    """Return the bytes that connections for parts have brought."""
    return sum(subflow.bytes_received for subflow in report.subflows[1:])


def brings(count: int) -> Condition:
    """Hold when connections for parts have brought so many bytes."""
    return lambda _, report: carried(report) >= count


def asked(count: int) -> Condition:
    """Hold when so many parts were asked for."""
    return lambda origin, _: len(origin.parts) >= count


@dataclass(frozen=True)
class Case:
    """An answer, and what comes of it.

    Args:
        answer: to each request for a part.
        words: a pattern for what the report says, "" for nothing.
        until: holds before the first response goes on, where there are no words.
    """

    answer: Answer
    words: str = ""
    until: Condition = lambda _, report: carried(report) > 0

    def done(self, origin: Origin, report: Report) -> bool:
        if self.words:
            return any(re.search(self.words, problem.what) for problem in report.problems)
        return self.until(origin, report)


def ignored(tag: str) -> Answer:
    """Answer with the whole, whatever was asked for."""

    def answer(peer: Peer, asked: Asked) -> None:
        peer.head(200, f"ETag: {tag}", f"Content-Length: {SIZE}", "Accept-Ranges: bytes")
        peer.sock.sendall(BODY if tag == TAG else OTHER)

    return answer


def lies(
    part: range | None = None, *, shift: int = 0, length: int = 0, total: int = SIZE
) -> Answer:
    """Answer 206 with other numbers than those that belong there."""

    def answer(peer: Peer, asked: Asked) -> None:
        told = part or range(asked.part.start + shift, asked.part.stop + shift)
        peer.head(
            206,
            f"ETag: {TAG}",
            f"Content-Range: bytes {told.start}-{told.stop - 1}/{total}",
            f"Content-Length: {len(told) + length}",
        )
        peer.send(range(told.start, told.stop + length))

    return answer


def status(code: int, *headers: str) -> Answer:
    """Answer with an error, and a body that is none of the object's."""

    def answer(peer: Peer, asked: Asked) -> None:
        peer.head(code, *headers, "Content-Length: 4")
        peer.sock.sendall(b"Why?")

    return answer


def with_fields(*headers: str, tag: str = TAG, body: bytes = BODY) -> Answer:
    """Answer with the right numbers, further header fields, and perhaps another version's bytes."""

    def answer(peer: Peer, asked: Asked) -> None:
        peer.part_head(asked.part, *headers, tag=tag)
        peer.sock.sendall(body[asked.part.start : asked.part.stop])

    return answer


def without(field: str) -> Answer:
    """Answer 206 without one of the header fields that it needs."""

    def answer(peer: Peer, asked: Asked) -> None:
        fields = {
            "ETag": TAG,
            "Content-Range": f"bytes {asked.part.start}-{asked.part.stop - 1}/{SIZE}",
            "Content-Length": str(len(asked.part)),
        }
        peer.head(206, *(f"{k}: {v}" for k, v in fields.items() if k != field))
        peer.send(asked.part)
        if field == "Content-Length":
            peer.end()

    return answer


def multipart(peer: Peer, asked: Asked) -> None:
    told = f"Content-Range: bytes {asked.part.start}-{asked.part.stop - 1}/{SIZE}"
    content = BODY[asked.part.start : asked.part.stop]
    body = b"--x\r\n" + told.encode() + b"\r\n\r\n" + content + b"\r\n--x--\r\n"
    kind = "Content-Type: multipart/byteranges; boundary=x"
    peer.head(206, f"ETag: {TAG}", kind, f"Content-Length: {len(body)}")
    peer.sock.sendall(body)


def compressed(peer: Peer, asked: Asked) -> None:
    """Answer with as many bytes as were asked for, but of a gzip file."""
    part = gzip.compress(BODY, 1)[: len(asked.part)].ljust(len(asked.part), b"\0")
    peer.part_head(asked.part, "Content-Encoding: gzip")
    peer.sock.sendall(part)


def chunked(peer: Peer, asked: Asked) -> None:
    peer.part_head(asked.part, "Transfer-Encoding: chunked")
    peer.sock.sendall(b"%x\r\n" % len(asked.part))
    peer.send(asked.part)
    peer.sock.sendall(b"\r\n0\r\n\r\n")


def short(peer: Peer, asked: Asked) -> None:
    """Send half of the part, and close."""
    peer.part_head(asked.part)
    peer.send(asked.part[: len(asked.part) // 2])
    peer.end()


def reset_within(peer: Peer, asked: Asked) -> None:
    peer.part_head(asked.part)
    peer.send(asked.part[: len(asked.part) // 2])
    peer.reset()


def reset_at_once(peer: Peer, asked: Asked) -> None:
    peer.reset()


def closed_at_once(peer: Peer, asked: Asked) -> None:
    peer.end()


def closing(version: str = "1.1", header: str = "Connection: close") -> Answer:
    """Answer rightly, one part a connection."""

    def answer(peer: Peer, asked: Asked) -> None:
        peer.part_head(asked.part, header, version=version)
        peer.send(asked.part)
        peer.reset() if version == "1.1" else peer.end()

    return answer


def closes_silently(peer: Peer, asked: Asked) -> None:
    """Answer rightly, and close, which nobody was told."""
    right(peer, asked)
    peer.end()


def stalls(peer: Peer, asked: Asked) -> None:
    peer.part_head(asked.part)
    peer.send(asked.part[: len(asked.part) // 2])
    peer.linger()


def dribbles(peer: Peer, asked: Asked) -> None:
    """Send the head and the first hundred bytes one at a time, then nothing."""
    told = f"ETag: {TAG}\r\nContent-Range: bytes {asked.part.start}-{asked.part.stop - 1}/{SIZE}"
    head = f"HTTP/1.1 206 So\r\n{told}\r\nContent-Length: {len(asked.part)}\r\n\r\n".encode()
    for byte in head + BODY[asked.part.start :][:100]:
        peer.sock.sendall(bytes([byte]))
    peer.linger()


def garbage(peer: Peer, asked: Asked) -> None:
    peer.sock.sendall(b"\x16\x03\x01 what is this?\r\n\r\n" * 10)
    peer.linger()


def endless_head(peer: Peer, asked: Asked) -> None:
    peer.sock.sendall(b"HTTP/1.1 206 So\r\n")
    for _ in range(100):
        peer.sock.sendall(b"X-Filler: %b\r\n" % (b"x" * 4000))
    peer.linger()


def replaced(peer: Peer, asked: Asked) -> None:
    """Answer rightly two times; from then on the object is another one."""
    earlier = [one for one in peer.origin.parts if one.at <= asked.at]
    if len(earlier) <= 2:
        right(peer, asked)
    elif len(earlier) % 2:
        with_fields(tag='"two"', body=OTHER)(peer, asked)
    else:
        ignored('"two"')(peer, asked)


def replaced_within(peer: Peer, asked: Asked) -> None:
    """Notice in the middle of a part that the object is another one now, and break off."""
    peer.part_head(asked.part)
    peer.send(asked.part[:1000])
    peer.reset()


def once(answer: Answer, then: Answer = right) -> Answer:
    """Give one answer to the first request for a part, and another to all that follow."""
    fresh = threading.Lock()

    def choose(peer: Peer, asked: Asked) -> None:
        (answer if fresh.acquire(blocking=False) else then)(peer, asked)

    return choose


def http_date(seconds: float) -> str:
    """Write a date so many seconds from now."""
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


CHANGED = "has changed since the response began"
GONE = "reset by peer|in the middle of a part"  # whether it was the reading that met the reset
CASES = {
    "right": Case(right, until=brings(QUARTER := SIZE // 4)),
    "ignores Range": Case(ignored(TAG), "offers ranges and then ignores them"),
    "ignores Range, changed": Case(ignored('"two"'), CHANGED),
    "another part": Case(lies(shift=-1), "another part than it was asked for"),
    "the beginning": Case(lies(range(1000)), "another part than it was asked for"),
    "longer than told": Case(lies(length=10), "another part than it was asked for"),
    "shorter than told": Case(lies(length=-10), "another part than it was asked for"),
    "no length": Case(without("Content-Length"), "another part than it was asked for"),
    "no range": Case(without("Content-Range"), "didn't say which part"),
    "no validator": Case(without("ETag"), CHANGED),
    "another total": Case(lies(total=SIZE + 1), CHANGED),
    "another tag": Case(with_fields(tag='"two"', body=OTHER), CHANGED),
    "a weak tag": Case(with_fields(tag='W/"one"'), CHANGED),
    "two tags": Case(with_fields('ETag: "two"'), CHANGED),
    "two ranges": Case(with_fields("Content-Range: bytes 0-1/2"), "didn't say which part"),
    "multipart": Case(multipart, "a multipart answer"),
    "compressed": Case(compressed, "another content coding"),
    "chunked": Case(chunked, "how long it is"),
    "416": Case(status(416, f"Content-Range: bytes */{SIZE}"), CHANGED),
    "412": Case(status(412), CHANGED),
    "redirect": Case(status(302, "Location: http://localhost:1/"), "answered 302"),
    "404": Case(status(404), "answered 404"),
    "500": Case(status(500), "answered 500"),
    "no content": Case(lambda peer, _: peer.head(204), "answered 204"),
    "503 for good": Case(status(503), "is busy: it answered 503"),
    "429 for now": Case(status(429, "Retry-After: 600"), "is busy: it answered 429"),
    "503 nonsense": Case(status(503, "Retry-After: soon"), "is busy: it answered 503"),
    "short": Case(short, GONE),
    "reset within": Case(reset_within, GONE),
    "reset at once": Case(reset_at_once, f"{GONE}|instead of an answer"),
    "closed at once": Case(closed_at_once, "instead of an answer"),
    "closing": Case(closing(), until=asked(4)),
    "HTTP/1.0": Case(closing("1.0", "X: y"), until=asked(4)),
    "closes silently": Case(closes_silently, until=asked(4)),
    "stalls": Case(stalls),
    "dribbles": Case(dribbles),
    "garbage": Case(garbage, "illegal status line"),
    "endless head": Case(endless_head, "too long"),
    "replaced": Case(replaced, CHANGED),
    "replaced within": Case(replaced_within, GONE),
}
