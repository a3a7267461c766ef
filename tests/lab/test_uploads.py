"""Uploads over two real paths, and requests whose path is dead: one cell for each client."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from mphttp import Deadline, DelayedByContentLength, FullMesh, Refresh, Report, Strategy, report_of
from mphttp.curl import CurlTransport, fetch
from mphttp.lab import LabClient, names
from mphttp.requests import MultipathAdapter
from mphttp.sampling import sampled_requests
from mphttp.strategies import Handover
from tests.mphttp.transports.doors import DOORS, Door
from tests.schema import checked

from .downloads import make_client, url

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

SIZE = 3_000_000
BODY = b"mphttp" * (SIZE // 6)
DIGEST = hashlib.sha256(BODY).hexdigest()
Put = Callable[[Strategy, bytes | Iterator[bytes]], tuple[str, Report]]


def echo() -> str:
    """Where the lab's origin says what it was sent."""
    return os.environ[names.ORIGIN] + "/echo"


def by_door(door: Door, strategy: Strategy, content: Any) -> tuple[str, Report]:
    with door.client(strategy=strategy) as client:
        response = client.request("PUT", echo(), content=content)
    return response.text, response.extensions["multipath"]


def by_requests(strategy: Strategy, content: Any) -> tuple[str, Report]:
    import requests

    with requests.Session() as session:
        session.mount("http://", MultipathAdapter(strategy))
        response = session.put(echo(), data=content, timeout=20)
    report = report_of(response)
    assert report is not None
    return response.text, report


def by_curl(strategy: Strategy, content: Any) -> tuple[str, Report]:
    response = fetch(echo(), strategy, method="PUT", content=content)
    return response.content.decode(), response.report


def by_curl_transport(strategy: Strategy, content: Any) -> tuple[str, Report]:
    import httpx

    with httpx.Client(transport=CurlTransport(strategy), timeout=20) as client:
        response = client.put(echo(), content=content)
    return response.text, response.extensions["multipath"]


CLIENTS: dict[str, Put] = {
    **{name: partial(by_door, door) for name, door in DOORS.items()},
    "requests": by_requests,
    "curl": by_curl,
    "CurlTransport": by_curl_transport,
}


def sent(report: Report, path: str) -> int:
    return sum(subflow.bytes_sent for subflow in report.subflows if subflow.path == path)


@pytest.mark.parametrize("client", CLIENTS)
def test_an_upload_takes_both_paths(client: str) -> None:
    """What counts is what the server acknowledged, and its digest is right; so samples tell."""
    with sampled_requests():
        text, report = CLIENTS[client](FullMesh(), BODY)
    assert text == DIGEST
    told = checked(report)
    assert told["bytes_sent"] == SIZE
    assert sent(report, "lte") > SIZE / 10
    assert sent(report, "wifi") > SIZE / 10
    assert report.problems == ()
    samples = [sum(sample["sent"].values()) for sample in told["samples"]]
    assert samples == sorted(samples)
    assert samples[0] < SIZE / 2, "the first was taken in mid-upload"
    assert samples[-1] == sent(report, "wifi") + sent(report, "lte")


def pieces() -> Iterator[bytes]:
    for start in range(0, SIZE, 60_000):
        yield BODY[start : start + 60_000]


@pytest.mark.parametrize("client", ["httpx", "requests", "curl"])
def test_pieces_of_unknown_length_take_a_second_path_once_they_are_many(client: str) -> None:
    text, report = CLIENTS[client](DelayedByContentLength(SIZE // 4), pieces())
    assert text == DIGEST
    assert SIZE / 10 < sent(report, "lte") < SIZE * 0.8


def test_a_fresh_subflow_every_so_many_acknowledged_bytes() -> None:
    text, report = CLIENTS["httpx"](Refresh(SIZE // 4), BODY)
    assert text == DIGEST
    assert 3 <= len(report.subflows) <= 5


def test_a_silent_path_is_left_in_mid_upload(lab: LabClient) -> None:
    lab.change("wifi", rate="8mbit", delay="5ms")
    fault = threading.Timer(1.0, lambda: lab.blackhole("wifi"))
    fault.start()
    try:
        text, report = CLIENTS["httpx"](Handover(), BODY)
    finally:
        fault.cancel()
        fault.join()
    assert text == DIGEST
    assert sent(report, "lte") > SIZE / 4
    wifi = next(subflow for subflow in report.subflows if subflow.path == "wifi")
    assert wifi.closed_at is not None


def test_a_deadline_takes_no_more_of_the_second_path_than_it_needs(lab: LabClient) -> None:
    """At 4 Mbit/s, 3 MB take 6.3 s; within 4 s, LTE is needed for a bit more than a third."""
    lab.change("wifi", rate="4mbit", delay="10ms")
    text, report = CLIENTS["httpx"](Deadline(4), BODY)
    assert text == DIGEST
    assert report.deadline is not None
    assert SIZE / 5 < sent(report, "lte") < SIZE * 0.75
    lab.reset()
    text, report = CLIENTS["httpx"](Deadline(60), BODY)
    assert text == DIGEST
    assert lab.counters()["lte"].up.syns == 0


@pytest.mark.usefixtures("quiet")
def test_small_uploads_leave_the_second_path_alone(lab: LabClient) -> None:
    with make_client(DelayedByContentLength(1_000_000)) as client:
        for _ in range(100):
            assert client.put(echo(), content=BODY[:10_000]).status_code == 200
    assert lab.counters()["lte"].up.syns == 0


@pytest.mark.parametrize("strategy", [Handover(), Deadline(8)], ids=["handover", "deadline"])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_kept_connection_whose_path_died_while_idle(
    lab: LabClient, strategy: Strategy, method: str
) -> None:
    """The request itself gets through by the other path."""
    with make_client(strategy, timeout=20) as client:
        client.get(url(1000)).raise_for_status()
        lab.blackhole("wifi")
        response = client.request(method, echo() if method == "PUT" else url(1000), content=b"x")
    report = response.extensions["multipath"]
    assert response.status_code == 200
    assert {s.path for s in report.subflows if s.bytes_received} == {"lte"}
