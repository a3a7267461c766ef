"""A deadline over two real paths: the second is paused in time, kept for the next, and shared."""

from __future__ import annotations

import pytest

from mphttp import Deadline
from mphttp.lab import LabClient
from mphttp.stream import chunks

from .downloads import carried, download, fetch, make_client, url

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

SIZE = 1_500_000


def test_the_second_path_is_paused_once_the_first_can_finish_alone(lab: LabClient) -> None:
    """At 2 Mbit/s a megabyte and a half takes 6.5 s; with 5 s, LTE is needed for a part of it."""
    lab.change("wifi", rate="2mbit", delay="20ms")
    report = download(Deadline(5), url(SIZE))
    kinds = [event.kind for event in report.events]
    assert "subflow_paused" in kinds
    assert 0 < carried(report, "lte") < SIZE * 0.6
    assert carried(report, "wifi") > SIZE * 0.4


def test_what_is_kept_serves_the_next_response_without_a_handshake(lab: LabClient) -> None:
    lab.change("wifi", rate="1mbit", delay="20ms")
    with make_client(Deadline(2, keep=True)) as client:
        first = fetch(client, url(SIZE // 3))
        syns = lab.counters()["lte"].up.syns
        second = fetch(client, url(SIZE // 3))
    assert syns == 1
    assert lab.counters()["lte"].up.syns == 1
    assert first.subflows[1].local == second.subflows[1].local
    assert second.subflows[1].opened_at == 0
    assert carried(second, "lte") > 0
    assert "subflow_resumed" in [event.kind for event in second.events]


def test_what_is_kept_carries_nothing_for_a_response_that_does_not_need_it(lab: LabClient) -> None:
    lab.change("wifi", rate="1mbit", delay="20ms")
    with make_client(Deadline(2, keep=True)) as client:
        fetch(client, url(SIZE // 3))
        lab.change("wifi", rate="20mbit")
        second = fetch(client, url(SIZE // 3), extensions={"strategy": Deadline(30)})
    assert carried(second, "lte") < SIZE / 30  # what was under way when it was paused


def test_a_stream_has_every_chunk_whole_and_one_connection(lab: LabClient) -> None:
    with make_client(None) as client:
        got = list(chunks(client, [url(50_000 + n) for n in range(5)], period=0.3))
    assert [len(chunk.content) for chunk in got] == [50_000 + n for n in range(5)]
    assert len({chunk.report.subflows[0].local for chunk in got}) == 1
    assert all(chunk.deadline <= 0.31 for chunk in got)


def test_a_deadline_that_cannot_be_met_is_told_while_there_is_time(lab: LabClient) -> None:
    """Two megabytes take 16 s at 1 Mbit/s; a player takes what is smaller instead."""
    lab.change("wifi", rate="1mbit", delay="20ms")
    lab.cut("lte")
    large, small = url(2_000_000), url(50_000)
    with make_client(None) as client:
        (chunk,) = chunks(client, [(large, small)], period=4.0)
    assert chunk.url == small
    assert len(chunk.content) == 50_000
    with make_client(Deadline(4)) as client, client.stream("GET", large) as response:
        report = response.extensions["multipath"]
        pieces = response.iter_raw()
        while not report.deadline.expected:
            next(pieces)
        told = report.seconds
    assert told < 4
    assert report.deadline.expected > 8
    assert "deadline_unreachable" in [event.kind for event in report.events]
