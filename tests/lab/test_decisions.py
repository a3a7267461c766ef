"""The paper's strategies over two real paths: the links' own counters say what they did."""

from __future__ import annotations

import pytest

from mphttp import Deadline, DelayedByContentLength, Refresh
from mphttp.lab import LabClient

from .downloads import carried, download, fetch, make_client, url

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

SIZE = 1_000_000


def test_small_objects_leave_the_second_path_alone(lab: LabClient, quiet: None) -> None:
    with make_client(DelayedByContentLength(100_000)) as client:
        for _ in range(20):
            fetch(client, url(10_000))
        fetch(client, url(100_000))
    assert lab.counters()["lte"].up.packets == 0


def test_a_large_object_opens_the_second_path(lab: LabClient) -> None:
    report = download(DelayedByContentLength(100_000), url(SIZE))
    assert lab.counters()["lte"].up.syns == 1
    assert carried(report, "lte") > SIZE / 10


@pytest.mark.parametrize("rule", ["rate", "half"])
def test_a_deadline_out_of_danger_sends_no_packet(lab: LabClient, quiet: None, rule: str) -> None:
    report = download(Deadline(20, rule=rule), url(SIZE))
    assert report.deadline
    assert report.deadline.met
    assert lab.counters()["lte"].up.packets == 0


@pytest.mark.parametrize("rule", ["rate", "half"])
def test_a_deadline_in_danger_opens_the_second_path(lab: LabClient, rule: str) -> None:
    """At 2 Mbit/s a megabyte takes 4 s; half of it isn't there after half of 3 s."""
    lab.change("wifi", rate="2mbit")
    report = download(Deadline(3, rule=rule), url(SIZE))
    assert report.deadline
    assert report.deadline.seconds == 3
    assert carried(report, "lte") > 0
    (opened,) = (subflow.opened_at for subflow in report.subflows if subflow.path == "lte")
    assert opened > 0.3


def test_a_deadline_that_was_not_met_is_told(lab: LabClient) -> None:
    lab.cut("lte")
    report = download(Deadline(0.1), url(SIZE))
    assert report.deadline
    assert report.deadline.met is False


def test_refresh_replaces_subflow_by_subflow(lab: LabClient) -> None:
    """One after the other on the same path, each with a port of its own, and not a byte lost."""
    report = download(Refresh(250_000), url(4 * SIZE))
    assert len(report.subflows) >= 6
    assert {subflow.path for subflow in report.subflows} == {"wifi"}
    assert len({subflow.local for subflow in report.subflows}) == len(report.subflows)
    # The one that works at the end need not be the newest: that may have come too late.
    assert sum(subflow.closed_at is None for subflow in report.subflows) <= 1
    # A subflow drains before it is closed, so that several may be; but not until the response ends.
    for replaced in report.subflows[: len(report.subflows) // 3]:
        assert replaced.closed_at is not None
        assert replaced.closed_at <= report.subflows[-1].opened_at
    assert lab.counters()["wifi"].up.syns >= len(report.subflows)
