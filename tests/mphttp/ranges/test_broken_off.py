"""A first response that breaks off, and a strategy that has opened nothing: every client."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import certifi
import httpx
import pycurl
import pytest
import requests

from mphttp import Report
from mphttp.ranges import control, reader
from mphttp.strategies import DelayedByContentLength, Path, SinglePath, Steps, Strategy, Transfer
from tests.lab.any_door import CLIENTS

from .origins import BODY, QUARTER, SIZE, TAG, Answer, Asked, Origin, Peer, right, whole_with
from .parts import closed_at_once, lies, once, reset_at_once, reset_within, stalls, status

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("nothing_left")]

IN_PARTS = (f"ETag: {TAG}", "Accept-Ranges: bytes")
BROKEN = (requests.RequestException, pycurl.error, httpx.TransportError)
NEVER = DelayedByContentLength(2**40)
"""Opens nothing of its own for these bodies."""


TWO = pytest.mark.parametrize("client", ["httpx", "curl"])
"""Those whose readers differ most."""


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def read(
    client: str,
    part: Answer,
    fault: Callable[[Peer], None] = Peer.reset,
    *,
    strategy: Strategy = NEVER,
    headers: tuple[str, ...] = IN_PARTS,
    **options: Any,
) -> tuple[bytes, Report | None, Origin]:
    """Read a body of which the first response brings a quarter; the report is None on an error."""
    body, report = bytearray(), None
    made = CLIENTS[client](strategy, trust=certifi.where(), multipath="ranges", **options)
    with Origin(whole_with(*headers, then=fault), part) as origin, made as opened:
        origin.gate.set()
        try:
            report = opened.read(origin.url, body.extend)
        except BROKEN:
            assert BODY.startswith(body)
    return bytes(body), report, origin


@pytest.mark.parametrize("fault", [Peer.reset, Peer.end], ids=["reset", "short"])
def test_another_connection_brings_the_rest(client: str, fault: Callable[[Peer], None]) -> None:
    body, report, origin = read(client, right, fault)
    assert body == BODY
    assert report is not None
    assert [asked.part.start > 0 for asked in origin.parts] == [True] * len(origin.parts)
    first, *others = report.subflows
    assert first.bytes_received > 0  # though the kernel has forgotten it
    assert first.closed_at is not None
    assert sum(subflow.bytes_received for subflow in others) > SIZE / 2
    assert any("ended" in problem.what for problem in report.problems)
    assert any(event.kind == "subflow_closed" for event in report.events)


@TWO
@pytest.mark.parametrize(
    "part",
    [reset_at_once, closed_at_once, status(503, "Retry-After: 86400"), lies(shift=1)],
    ids=["reset", "closed", "busy", "lies"],
)
def test_where_nobody_brings_the_rest_it_is_an_error(client: str, part: Answer) -> None:
    """Within a few seconds, also where the caller would wait without a limit."""
    body, report, _ = read(client, part)
    assert report is None
    assert len(body) < SIZE


def test_without_a_validator_it_is_an_error(client: str) -> None:
    """Nothing would show that the rest is of the same version."""
    body, report, origin = read(client, right, headers=("Accept-Ranges: bytes",))
    assert report is None
    assert len(body) <= QUARTER
    assert origin.connections == 1


def test_a_server_that_is_busy_for_long_after_it_brought_something_is_not_waited_for(
    client: str,
) -> None:
    """Without a time-out of the caller's that would be a wait without end."""
    busy = once(right, status(429, "Retry-After: 3600"))
    _, report, _ = read(client, busy)
    assert report is None


@TWO
def test_a_server_that_is_busy_for_a_moment_is_waited_for(client: str) -> None:
    body, report, _ = read(client, once(right, once(status(503, "Retry-After: 1"))))
    assert body == BODY
    assert report is not None


@TWO
def test_one_that_never_answers_is_given_up(client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "OPEN_TIMEOUT", 0.3)
    _, report, _ = read(client, lambda peer, _: peer.linger())
    assert report is None


def test_where_all_fall_silent_it_is_an_error(client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MOST_SILENCE", 0.5)
    monkeypatch.setattr("mphttp.curl.joined.MOST_SILENCE", 0.5)
    _, report, _ = read(client, stalls)
    assert report is None


@TWO
def test_a_server_that_resets_each_part_brings_no_wrong_byte(client: str) -> None:
    """As long as something comes each time, it goes on; tries that bring nothing are counted."""
    body, report, origin = read(client, reset_within)
    assert (body == BODY) is (report is not None)
    assert origin.connections < 50


@dataclass(frozen=True)
class Nowhere(DelayedByContentLength):
    """Go on nowhere."""

    name = "nowhere"
    size: int = 2**40

    def resume_on(self, paths: Any) -> tuple[Path, ...]:
        return ()


@pytest.mark.parametrize("strategy", [Nowhere(), SinglePath()], ids=["nowhere", "single"])
def test_a_strategy_that_wants_no_other_connection_gets_none(strategy: Strategy) -> None:
    _, report, origin = read("httpx", right, strategy=strategy)
    assert report is None
    assert origin.connections == 1


@dataclass(frozen=True)
class Crashing(Strategy):
    """A strategy whose answer is no answer."""

    name = "crashing"

    def run(self, transfer: Transfer) -> Steps:
        yield from ()

    def resume_on(self, paths: Any) -> tuple[Path, ...]:
        raise RuntimeError("no idea")


def test_a_strategy_that_crashes_then_is_reported() -> None:
    body, report, _ = read("httpx", right, strategy=Crashing())
    assert body == BODY
    assert report is not None
    assert any("no idea" in problem.what for problem in report.problems)


def test_headers_and_target_of_the_rest_are_those_of_the_first_request() -> None:
    def check(peer: Peer, asked: Asked) -> None:
        assert asked.headers["if-range"] == TAG
        right(peer, asked)

    body, _, origin = read("httpx", check)
    assert body == BODY
    assert {asked.target for asked in origin.asked} == {"/"}
