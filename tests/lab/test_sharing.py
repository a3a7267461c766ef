"""What responses share: connections, the engine, a client's threads, and a process's children."""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from mphttp import FullMesh, Refresh, Report, SinglePath
from mphttp.engine.exchange import Exchange
from mphttp.engine.stepping import Stepping
from mphttp.lab import LabClient, names

from .downloads import Fault, carried, carries, download, fetch, make_client, url
from .leaks import Opened, eventually

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

SIZE = 1_000_000


@pytest.mark.parametrize("origin", [names.ORIGIN, names.ORIGIN_TLS])
def test_a_second_response_starts_clean(lab: LabClient, opened: Opened, origin: str) -> None:
    """On the same connection, whose second subflow went with the response that opened it."""
    lab.change("wifi", rate="4mbit")  # so that there is time for a second subflow
    with make_client(FullMesh()) as client:
        first = fetch(client, url(SIZE, origin=origin))
        assert [subflow.path for subflow in first.subflows] == ["wifi", "lte"]
        eventually(opened.subflows, 1)
        second = fetch(client, url(SIZE // 2, origin=origin), extensions={"strategy": SinglePath()})
    (subflow,) = second.subflows
    assert subflow.local == first.subflows[0].local
    # Some of the first body may come again: the server hadn't heard yet that it had arrived.
    assert SIZE // 2 <= subflow.bytes_received < SIZE
    assert second.events == second.problems == ()


def test_every_response_opens_its_own_second_subflow(lab: LabClient) -> None:
    lab.change("wifi", rate="4mbit")  # so that there is time for it
    with make_client(FullMesh()) as client:
        reports = [fetch(client, url(SIZE // 2)) for _ in range(4)]
    assert len({report.subflows[0].local for report in reports}) == 1
    assert len({report.subflows[1].local for report in reports}) == 4
    for report in reports:
        assert SIZE // 2 <= carried(report, "wifi") + carried(report, "lte") < SIZE


def test_the_only_subflow_that_is_left_is_no_backup(lab: LabClient) -> None:
    """Refresh has replaced what the connection began with; the next response builds on the rest."""
    lab.change("wifi", rate="4mbit")  # so that there is time for it
    with make_client(Refresh(SIZE // 2)) as client:
        first, second = (fetch(client, url(SIZE)) for _ in range(2))
    assert first.subflows[0].closed_at is not None
    assert {subflow.backup for subflow in (*first.subflows, *second.subflows)} == {False}
    assert "subflow_paused" not in {event.kind for event in (*first.events, *second.events)}


def test_the_engine_may_come_at_the_very_start_of_a_response(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where it turns for others on the connection: what it asked for is closed at the end."""
    turns = 0

    def prompt(stepping: Stepping) -> bool:
        nonlocal turns
        exchange = sys._getframe(1).f_locals.get("self")
        if isinstance(exchange, Exchange) and exchange._started and not turns:
            turns += 1
            exchange.turn(time.monotonic())
        return vars(stepping)["prompt"] is True

    monkeypatch.setattr(Stepping, "prompt", property(prompt, _set_prompt), raising=False)
    with make_client(FullMesh()) as client:
        fetch(client, url(1000))  # is whole before the second subflow is there
        assert turns == 1
        fetch(client, url(SIZE))
        eventually(opened.subflows, 1)


def _set_prompt(stepping: Stepping, value: bool) -> None:
    vars(stepping)["prompt"] = value


def test_a_report_of_a_closed_response_stays_as_it_is(lab: LabClient) -> None:
    with make_client(FullMesh()) as client:
        first = fetch(client, url(SIZE))
        told = first.to_dict()
        fetch(client, url(SIZE))
        assert first.to_dict() == told
    assert first.to_dict() == told


def test_a_response_that_is_dropped_unread(opened: Opened) -> None:
    """Its subflows are gone at once: the body must not go on costing bytes on any path."""
    with make_client(FullMesh()) as client:
        with client.stream("GET", url(10 * SIZE)) as response:
            report = response.extensions["multipath"]
            chunks = response.iter_raw()
            while not carries("lte")(report):
                next(chunks)
        eventually(opened.subflows, 0)
        assert 0 < report.bytes < 10 * SIZE
        fetch(client, url(SIZE))


def test_a_client_closed_under_an_open_response(opened: Opened) -> None:
    client = make_client(FullMesh())
    response = client.send(client.build_request("GET", url(10 * SIZE)), stream=True)
    chunks = response.iter_raw()
    while not carries("lte")(response.extensions["multipath"]):
        next(chunks)
    client.close()
    eventually(opened.subflows, 0)
    with pytest.raises(httpx.TransportError):
        list(chunks)
    response.close()


def test_threads_share_a_client(lab: LabClient) -> None:
    def work(_: int) -> list[Report]:
        return [fetch(client, url(SIZE // 4)) for _ in range(3)]

    with make_client(FullMesh()) as client, ThreadPoolExecutor(4) as pool:
        reports = [report for batch in pool.map(work, range(4)) for report in batch]
    assert len(reports) == 12
    assert [report.problems for report in reports] == [()] * 12
    assert all(carried(report, "wifi") > 0 for report in reports)


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_fork_in_the_middle_of_a_download(lab: LabClient) -> None:
    """The child makes clients of its own, with both paths; the parent's download goes on."""
    children: list[int] = []

    def fork() -> None:
        child = os.fork()
        if child == 0:
            os._exit(0 if carried(download(FullMesh(), url(SIZE)), "lte") > 0 else 1)
        children.append(child)

    report = download(FullMesh(), url(2 * SIZE), Fault(carries("wifi"), fork))
    assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 0
    assert carried(report, "lte") > SIZE / 2
