"""What may be wrong with a first response: others make up for it, or nobody asks them."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from mphttp import Report
from mphttp.strategies import NDiffPorts
from tests.lab.leaks import eventually
from tests.mphttp.transports.doors import DOORS

from .origins import BODY, QUARTER, SIZE, TAG, Answer, Asked, Origin, Peer, right, whole_with
from .parts import carried, http_date, lies, reset_within, short, stalls, status

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("nothing_left")]

IN_PARTS = (f"ETag: {TAG}", "Accept-Ranges: bytes")
LONG_AGO = "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT"
EACH = pytest.mark.parametrize("door", ["httpx", "httpx-asyncio", "httpx-trio"])


def client(door: str, **options: object):  # type: ignore[no-untyped-def]
    settings = {"strategy": NDiffPorts(2), "multipath": "ranges", "verify": False, **options}
    return DOORS[door].client(**settings)


def read(door: str, origin: Origin, until: Callable[[Report], bool], **options: object) -> Report:
    """Read a body to its end, the first response going on when something holds."""
    headers = options.pop("headers", {})
    wanted = options.pop("wanted", BODY)
    with client(door, **options) as made, made.stream(origin.url, headers=headers) as answer:
        body, report = b"", answer.report
        for part in answer.parts():
            body += part
            if not origin.gate.is_set() and len(body) >= min(QUARTER, len(wanted) // 4):
                eventually(lambda: until(report), True)
                origin.gate.set()
        assert body == wanted
    told: Report = report
    return told


# It breaks off, and the others bring the rest.


@EACH
@pytest.mark.parametrize("fault", [Peer.reset, Peer.end], ids=["reset", "short"])
def test_where_it_breaks_off_others_bring_the_rest(
    door: str, fault: Callable[[Peer], None]
) -> None:
    with Origin(whole_with(*IN_PARTS, then=fault)) as origin:
        report = read(door, origin, lambda report: carried(report) > 0)
    assert not [p for p in report.problems if "failed with" in p.what]


@EACH
def test_where_it_stalls_others_bring_the_rest(door: str) -> None:
    """The test never sends the rest of the first response."""
    with Origin(whole_with(*IN_PARTS, then=Peer.linger)) as origin:
        read(door, origin, lambda report: carried(report) > 0)


def test_where_it_dribbles_others_bring_the_rest() -> None:
    def dribble(peer: Peer) -> None:
        for byte in range(QUARTER, QUARTER + 50):
            peer.send(range(byte, byte + 1))
        peer.linger()

    with Origin(whole_with(*IN_PARTS, then=dribble)) as origin:
        read("httpx", origin, lambda report: carried(report) > 0)


# It breaks off, and nobody can bring the rest.


@EACH
@pytest.mark.parametrize(
    "part",
    [reset_within, short, status(503), lies(shift=1)],
    ids=["reset", "short", "busy", "lies"],
)
def test_where_nobody_brings_the_rest_it_is_the_librarys_error(door: str, part: Answer) -> None:
    """What came until then is right."""
    body = bytearray()

    def read_on() -> None:
        with client(door) as made, made.stream(origin.url) as answer:
            for piece in answer.parts():
                body.extend(piece)
                if len(body) >= QUARTER and not origin.gate.is_set():
                    eventually(lambda: bool(answer.report.problems), True)
                    origin.gate.set()

    broken = pytest.raises((httpx.ReadError, httpx.RemoteProtocolError))
    with Origin(whole_with(*IN_PARTS, then=Peer.reset), part) as origin, broken:
        read_on()
    assert QUARTER <= len(body) < SIZE
    assert BODY.startswith(body)


@EACH
def test_where_all_stall_it_is_a_time_out(door: str) -> None:
    limits = {"timeout": {"read": 0.5, "connect": 5, "write": 5, "pool": 5}}

    def read_on() -> None:
        with client(door) as made, made.stream(origin.url, extensions=limits) as answer:
            for _ in answer.parts():
                origin.gate.set()

    late = pytest.raises(httpx.ReadTimeout)
    with Origin(whole_with(*IN_PARTS, then=Peer.linger), stalls) as origin, late:
        read_on()


# It can't be fetched in parts.


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        (("Accept-Ranges: bytes",), "no strong validator"),
        (("Accept-Ranges: bytes", f"ETag: W/{TAG}"), "no strong validator"),
        (("Accept-Ranges: bytes", "ETag: unquoted"), "no strong validator"),
        (("Accept-Ranges: bytes", LONG_AGO), "no strong validator"),  # without a Date
        (
            ("Accept-Ranges: bytes", f"ETag: W/{TAG}", LONG_AGO, f"Date: {http_date(0)}"),
            "no strong",
        ),
        (("Accept-Ranges: none", f"ETag: {TAG}"), "the server offers no ranges"),
        ((f"ETag: {TAG}",), "the server offers no ranges"),
    ],
)
def test_where_it_cant_be_fetched_in_parts_nobody_asks(headers: tuple[str, ...], why: str) -> None:
    with Origin(whole_with(*headers)) as origin:
        report = read("httpx", origin, lambda _: True)
    assert why in report.problems[0].what
    assert "one path carries it all" in report.problems[0].what
    assert report.mechanism == "none"
    assert origin.connections == 1


def test_a_body_without_length_comes_over_one_path() -> None:
    def chunked(peer: Peer, asked: Asked) -> None:
        peer.head(200, *IN_PARTS, "Transfer-Encoding: chunked")
        peer.sock.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (SIZE, BODY))

    with Origin(chunked) as origin:
        report = read("httpx", origin, lambda _: True)
    assert "doesn't tell its length" in report.problems[0].what
    assert origin.connections == 1


def test_a_date_is_as_good_as_a_tag() -> None:
    """It is sent as If-Range, and an answer of another date isn't taken."""

    def dated(peer: Peer, asked: Asked) -> None:
        told = f"Content-Range: bytes {asked.part.start}-{asked.part.stop - 1}/{SIZE}"
        peer.head(206, LONG_AGO, told, f"Content-Length: {len(asked.part)}")
        peer.send(asked.part)

    first = whole_with("Accept-Ranges: bytes", LONG_AGO, f"Date: {http_date(0)}")
    with Origin(first, dated) as origin:
        read("httpx", origin, lambda report: carried(report) >= QUARTER)
    assert {asked.headers["if-range"] for asked in origin.parts} == {LONG_AGO.partition(": ")[2]}


@EACH
def test_parts_of_a_part_are_where_they_belong(door: str) -> None:
    """A request with a Range of its own has a 206 for its first response."""
    wanted = range(100_001, 1_100_000)

    def first(peer: Peer, asked: Asked) -> None:
        peer.part_head(asked.part, "Accept-Ranges: bytes")
        middle = wanted.start + len(wanted) // 4
        peer.send(range(wanted.start, middle))
        peer.wait()
        peer.send(range(middle, wanted.stop))

    own = {"Range": f"bytes={wanted.start}-{wanted.stop - 1}"}
    with Origin(first) as origin:
        read(
            door,
            origin,
            lambda report: carried(report) > 0,
            headers=own,
            wanted=BODY[wanted.start : wanted.stop],
        )
    assert max(asked.part.stop for asked in origin.parts) == wanted.stop
    assert min(asked.part.start for asked in origin.parts) > wanted.start


def test_what_a_request_carried_a_parts_request_carries_too() -> None:
    """But for what would make it another request."""
    own = {"Authorization": "Basic eDp5", "X-Own": "1", "If-None-Match": '"zero"'}
    with Origin() as origin:
        read("httpx", origin, lambda report: carried(report) > 0, headers=own)
    for asked in origin.parts:
        assert asked.headers["authorization"] == "Basic eDp5"
        assert asked.headers["x-own"] == "1"
        assert asked.headers["if-range"] == TAG
        assert "if-none-match" not in asked.headers


def test_right_parts_of_a_right_response() -> None:
    """Both kinds of connections did their share, and the report tells."""
    with Origin(part=right) as origin:
        report = read("httpx", origin, lambda report: carried(report) >= 2 * QUARTER)
    assert report.mechanism == "ranges"
    assert [subflow.initial for subflow in report.subflows] == [True, False]
    assert not report.problems or {p.what for p in report.problems} == {
        "only lo reaches the server"
    }
