"""A path that would make a download slower than the preferred one alone is ended, and rests."""

from __future__ import annotations

import pytest

from mphttp import Deadline, DelayedByContentLength, FullMesh, Strategy
from mphttp.lab import LabClient

from .downloads import carried, download, fetch, make_client, url

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

SIZE = 3_000_000
EVENT = "path_held_up"


@pytest.fixture
def _weak(lab: LabClient, fast: None) -> None:  # "fast" comes first
    """Let LTE have a hundredth of Wi-Fi's rate: what it is given would take it many seconds."""
    lab.change("wifi", rate="10mbit", delay="10ms")
    lab.change("lte", rate="100kbit", delay="10ms", queue="100kB")


@pytest.mark.usefixtures("_weak")
@pytest.mark.parametrize("strategy", [FullMesh(), DelayedByContentLength(10_000), Deadline(1)])
def test_a_path_that_holds_up_the_other_is_ended(strategy: Strategy) -> None:
    report = download(strategy, url(SIZE))
    held_up = [event for event in report.events if event.kind == EVENT]
    assert {event.path for event in held_up} == {"lte"}
    subflows = [subflow for subflow in report.subflows if subflow.path == "lte"]
    assert len(subflows) <= 2  # it may be tried again when it has rested for 5 s
    assert all(subflow.closed_at is not None for subflow in subflows)
    assert subflows[0].closed_at < report.seconds
    assert carried(report, "lte") < SIZE / 10
    told = [problem for problem in report.problems if "held up" in problem.what]
    assert told
    assert all("--path" in problem.hint for problem in told)


@pytest.fixture
def _long_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what held up others rest for longer than a busy machine takes for the first body."""
    monkeypatch.setattr("mphttp.core.backoff._FIRST_HARMFUL", 60.0)


@pytest.mark.usefixtures("_weak", "_long_rest")
def test_what_held_up_one_response_rests_in_the_next() -> None:
    with make_client(FullMesh()) as client:
        fetch(client, url(SIZE))
        report = fetch(client, url(SIZE // 10))
    assert [subflow.path for subflow in report.subflows] == ["wifi"]
    assert any("held up" in problem.what for problem in report.problems)


@pytest.mark.usefixtures("_weak", "_long_rest")
def test_what_held_up_one_connection_rests_in_another() -> None:
    download(FullMesh(), url(SIZE))
    report = download(FullMesh(), url(SIZE // 10))
    assert [subflow.path for subflow in report.subflows] == ["wifi"]


@pytest.mark.parametrize("delay", ["10ms", "60ms"])
def test_a_path_that_helps_stays(lab: LabClient, delay: str) -> None:
    lab.change("wifi", rate="10mbit", delay="10ms")
    lab.change("lte", rate="10mbit", delay=delay)
    report = download(FullMesh(), url(SIZE))
    assert report.problems == ()
    assert carried(report, "lte") > SIZE / 10
