"""Faults behind requests and libcurl: the body whole and right, or the library's own error."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import certifi
import httpx
import pycurl
import pytest
import requests

from mphttp import Report
from mphttp.curl import CurlSession, Limits
from mphttp.ranges.carrier import PartsCarrier
from mphttp.strategies import NDiffPorts
from tests.lab.any_door import CLIENTS, Stopped
from tests.lab.leaks import eventually

from .origins import BODY, QUARTER, SIZE, TAG, Answer, Origin, Peer, whole, whole_with
from .parts import lies, reset_within, short, stalls, status

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("nothing_left")]

IN_PARTS = (f"ETag: {TAG}", "Accept-Ranges: bytes")
SOME = QUARTER - 2**15
"""What requests surely gives of a quarter: pieces that are whole."""
DOORS = ["requests", "curl", "httpx-curl"]
BROKEN = (requests.RequestException, pycurl.error, httpx.TransportError)


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def client(door: str, **options: Any) -> Any:
    settings = {"trust": certifi.where(), "multipath": "ranges", **options}
    return CLIENTS[door](NDiffPorts(2), **settings)


def read(
    made: Any, origin: Origin, body: bytearray, until: Callable[[], bool] | None = None
) -> Report:
    """Read a body; the first response goes on when parts have come, or something else holds."""
    until = until or (lambda: len(origin.parts) > 2)

    def take(piece: bytes) -> None:
        body.extend(piece)
        if len(body) >= SOME and not origin.gate.is_set():
            eventually(until, True)
            origin.gate.set()

    report: Report = made.read(origin.url, take)
    return report


def test_what_the_engine_had_no_time_to_see_is_in_the_report(
    door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections that have brought bytes, though it hadn't looked since it asked for them."""
    look = PartsCarrier.look

    def look_at_the_end(carrier: PartsCarrier, now: float) -> None:
        if not threading.current_thread().name.startswith("mphttp"):
            look(carrier, now)

    monkeypatch.setattr(PartsCarrier, "look", look_at_the_end)
    body = bytearray()
    with client(door) as made, Origin(whole) as origin:
        report = read(made, origin, body)
    assert body == BODY
    assert sum(subflow.bytes_received for subflow in report.subflows[1:]) > 0


@pytest.mark.parametrize(
    "first",
    [
        whole,
        whole_with(*IN_PARTS, then=Peer.reset),
        whole_with(*IN_PARTS, then=Peer.end),
        whole_with(*IN_PARTS, then=Peer.linger),
    ],
    ids=["right", "reset", "short", "stalls"],
)
def test_the_body_is_whole(door: str, first: Answer) -> None:
    """Whatever becomes of the first response, and the client goes on."""
    with client(door) as made:
        for _ in range(2):
            body = bytearray()
            with Origin(first) as origin:
                report = read(made, origin, body)
            assert body == BODY
            assert (report.mechanism, report.bytes) == ("ranges", SIZE)
            assert sum(subflow.bytes_received for subflow in report.subflows[1:]) > 0


@pytest.mark.parametrize("part", [reset_within, short, status(404), lies(shift=1), stalls])
def test_the_first_response_brings_what_others_don_t(door: str, part: Answer) -> None:
    body = bytearray()
    with Origin(whole, part) as origin, client(door) as made:
        read(made, origin, body, lambda: len(origin.parts) > 0)
    assert body == BODY


@pytest.mark.parametrize("part", [reset_within, status(404)])
def test_where_nobody_brings_the_rest_it_is_the_library_s_error(door: str, part: Answer) -> None:
    """What came until then is right."""
    body = bytearray()
    first = whole_with(*IN_PARTS, then=Peer.reset)
    with Origin(first, part) as origin, client(door) as made, pytest.raises(BROKEN):
        read(made, origin, body, lambda: len(origin.parts) > 0)
    assert SOME <= len(body) < SIZE
    assert BODY.startswith(body)


@pytest.mark.parametrize("door", ["requests", "httpx-curl"])
def test_where_all_stall_it_is_a_time_out(door: str) -> None:
    first = whole_with(*IN_PARTS, then=Peer.linger)
    late = pytest.raises(BROKEN, match=r"[Tt]imed out|in time|too slow")
    with Origin(first, stalls) as origin, client(door, timeout=1) as made, late:
        read(made, origin, bytearray(), lambda: len(origin.parts) > 0)


def test_what_has_no_validator_comes_over_one_connection(door: str) -> None:
    body = bytearray()
    with Origin(whole_with("Accept-Ranges: bytes")) as origin, client(door) as made:
        report = read(made, origin, body, lambda: True)
    assert body == BODY
    assert report.mechanism == "none"
    assert "no strong validator" in report.problems[0].what
    assert origin.connections == 1


def test_a_caller_that_has_enough(door: str) -> None:
    """All connections end with it."""

    def enough() -> bool:
        if len(origin.parts) > 2:
            raise Stopped
        return False

    with Origin(whole) as origin, client(door) as made, pytest.raises(Stopped):
        read(made, origin, bytearray(), enough)


def test_a_part_asks_as_the_first_request_did(door: str) -> None:
    """With the same fields, but for those of the range."""
    with Origin(whole) as origin, client(door) as made:
        read(made, origin, bytearray())
    first, *others = origin.asked
    for asked in others:
        own = {"range", "if-range"}
        assert asked.headers.keys() - own == first.headers.keys() - {"connection"}
        assert asked.headers["host"] == first.headers["host"]


def test_a_total_limit_of_libcurl_s_holds_for_all() -> None:
    """Also when libcurl's own transfer is over."""
    first = whole_with(*IN_PARTS, then=Peer.reset)
    body = bytearray()

    def take(piece: bytes) -> None:
        body.extend(piece)
        if len(body) >= SOME:
            eventually(lambda: len(origin.parts) > 0, True)
            origin.gate.set()

    late = pytest.raises(pycurl.error, match=str(pycurl.E_OPERATION_TIMEDOUT))
    made = CurlSession(NDiffPorts(2), multipath="ranges")
    with Origin(first, stalls) as origin, made as session, late:
        session.fetch(origin.url, to=take, limits=Limits(total=1.5))
