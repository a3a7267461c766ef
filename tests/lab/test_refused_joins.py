"""Subflows that are refused or killed each time: strategies back off, reports tell, bytes come."""

from __future__ import annotations

import math
import time

import httpx
import pytest

from mphttp import Deadline, FullMesh, Refresh
from mphttp.lab import LabClient, names
from mphttp.strategies import Open, OpenFailed, Steps, Transfer, Until

from .downloads import Fault, carried, carries, download, fetch, make_client, url
from .middleboxes import hint_of, in_server, killer
from .strategies import LTE, Scripted

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

SIZE = 3_000_000


def insists(transfer: Transfer) -> Steps:
    """Ask for a subflow on LTE whenever there is none."""
    while True:
        try:
            yield Open(LTE)
            while any(subflow.path == LTE for subflow in transfer.subflows):
                yield Until(event="subflow_closed", elapsed=transfer.elapsed + 0.05)
        except OpenFailed:
            yield Until(elapsed=transfer.elapsed + 0.02)


@pytest.mark.usefixtures("no_joins")
def test_a_server_that_refuses_is_not_asked_again_and_again(lab: LabClient) -> None:
    lab.change("wifi", rate="12mbit")
    report = download(Scripted(insists), url(SIZE))
    assert "multipath=" in hint_of(report, "the peer refused it")
    assert 1 <= lab.counters()["lte"].up.syns <= 3


@pytest.mark.usefixtures("no_joins")
def test_a_refusal_is_an_error_for_those_who_are_strict() -> None:
    with pytest.raises(httpx.TransportError, match="the peer refused it"):
        download(FullMesh(), url(SIZE), strict=True)


@pytest.mark.usefixtures("no_joins")
def test_the_next_response_comes_in_parts() -> None:
    """By `multipath="auto"`, over the same connection or another one."""
    with make_client(FullMesh()) as client:
        reports = [fetch(client, url(SIZE)) for _ in range(2)]
    reports.append(download(FullMesh(), url(SIZE)))
    assert [report.mechanism for report in reports][1:] == ["ranges", "ranges"]
    assert reports[0].mechanism in ("netlink+ranges", "broker+ranges", "ranges")
    assert carried(reports[-1], "lte") > SIZE / 10
    alone = download(FullMesh(), url(SIZE), multipath="mptcp")
    assert alone.mechanism in ("netlink", "broker")


@pytest.mark.parametrize("strategy", [Scripted(insists), Deadline(1)], ids=["insists", "deadline"])
def test_subflows_that_are_killed_each_time(lab: LabClient, strategy: Scripted) -> None:
    lab.change("wifi", rate="8mbit")
    with killer(lab):
        report = download(strategy, url(SIZE), multipath="mptcp")
    killed = [problem for problem in report.problems if "the subflow on lte ended" in problem.what]
    assert killed
    assert all("multipath=" in problem.hint for problem in killed)
    # One that brought data costs nothing the first time; then 1, 2, 4 s.
    most = 3 + math.log2(1 + report.seconds)
    opened = [event for event in report.events if event.kind == "subflow_opening"]
    assert 1 <= len(opened) <= most


def test_what_came_over_a_subflow_that_was_reset_stays_in_the_report(lab: LabClient) -> None:
    def reset() -> None:
        in_server(lab, "ss", "--tcp", "--kill", "dst", names.client_address(1))

    report = download(FullMesh(), url(SIZE), Fault(carries("lte", 200_000), reset))
    assert carried(report, "lte") >= 200_000
    assert carried(report, "wifi") + carried(report, "lte") >= SIZE


def test_a_syn_that_nobody_answers_is_told_also_when_the_body_ends_first(lab: LabClient) -> None:
    lab.blackhole("lte")
    lab.change("wifi", rate="16mbit")
    began = time.monotonic()
    report = download(FullMesh(), url(SIZE))
    assert time.monotonic() - began < 5
    assert "rp_filter" in hint_of(report, "nobody answered in 1")
    with pytest.raises(httpx.TransportError, match="nobody answered"):
        download(FullMesh(), url(SIZE), strict=True)


def test_a_short_body_says_nothing_of_a_handshake_that_takes_longer(lab: LabClient) -> None:
    lab.change("lte", delay="200ms")
    assert download(FullMesh(), url(10_000), strict=True).problems == ()


def test_many_replacements_are_no_reason_to_rest() -> None:
    report = download(Refresh(100_000, rotate=True), url(SIZE))
    assert len(report.subflows) >= 4
    assert download(FullMesh(), url(SIZE)).mechanism == "netlink"
