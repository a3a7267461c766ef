"""libcurl over two real paths: strategies, kinds of connections, what is shared, what is left."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pycurl
import pytest

from mphttp import (
    Deadline,
    DelayedByContentLength,
    FullMesh,
    Refresh,
    Report,
    SinglePath,
    Strategy,
    StrategyProblem,
)
from mphttp.curl import CurlRequest, CurlSession, CurlTransport, Limits, fetch, fetch_all
from mphttp.curl.session import Stepping
from mphttp.lab import LabClient, names
from mphttp.lab.content import sha256_of
from tests.schema import checked

from .downloads import carried, carries, size_in, url
from .downloads import fetch as fetch_with
from .leaks import Opened, eventually
from .strategies import LTE, StartsOn
from .test_nginx import WITH_MPTCP, folder, nginx  # noqa: F401  a fixture

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

SIZE = 1_000_000
ORIGINS = [names.ORIGIN, names.ORIGIN_TLS, names.ORIGIN_V6, names.ORIGIN_TLS_V6]
STEPPINGS: list[Stepping] = ["engine", "callback"]


def trust() -> str:
    return os.environ[names.CA]


def download(strategy: Strategy | None, address: str, **options: Any) -> Report:
    """Fetch over a new connection and hold the body against its checksum."""
    response = fetch(address, strategy, verify=trust(), **options)
    assert hashlib.sha256(response.content).digest() == sha256_of(size_in(address))
    assert response.report.bytes == size_in(address)
    return response.report


def client(strategy: Strategy | None = None, **options: Any) -> httpx.Client:
    transport = CurlTransport(strategy, **{"verify": trust(), **options})
    return httpx.Client(transport=transport, timeout=30)


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("stepping", STEPPINGS)
def test_both_paths_carry_a_body(lab: LabClient, origin: str, stepping: Stepping) -> None:
    report = download(FullMesh(), url(SIZE, origin=origin), stepping=stepping)
    told = checked(report)
    assert (told["protocol"], told["mechanism"], told["problems"]) == ("mptcp", "netlink", [])
    assert [(s["path"], s["initial"]) for s in told["subflows"]] == [("wifi", True), ("lte", False)]
    assert all(subflow["closed_at"] is not None for subflow in told["subflows"][1:])
    assert carried(report, "lte") > SIZE / 10


@pytest.mark.parametrize("stepping", STEPPINGS)
def test_refresh_replaces_the_subflow_by_and_by(lab: LabClient, stepping: Stepping) -> None:
    """Each stays on the path where the first was, and no two are there for long."""
    lab.change("wifi", rate="4mbit")
    report = download(Refresh(250_000), url(SIZE), stepping=stepping)
    assert 3 <= len(report.subflows) <= 5
    assert {subflow.path for subflow in report.subflows} == {"wifi"}
    assert report.problems == ()


def test_a_server_at_its_limit_is_asked_again_once_the_replaced_subflow_has_gone(
    lab: LabClient,
) -> None:
    """What a full queue still holds arrives long after the next replacement is due."""
    lab.change("wifi", rate="4mbit")
    report = download(Refresh(100_000), url(SIZE))
    assert len(report.subflows) >= 4
    assert "subflow_refused" in {event.kind for event in report.events}
    assert report.problems == ()


def test_a_new_subflow_for_every_kilobyte(lab: LabClient) -> None:
    """The paper's experiment: what reads waits for each, also where the body is there long since.

    The server allows two more subflows at a time, and never refuses one.
    """
    report = download(Refresh(1024), url(20 * 1024), stepping="callback")
    assert len(report.subflows) == 21
    assert {subflow.path for subflow in report.subflows} == {"wifi"}
    assert report.problems == ()


@pytest.mark.parametrize("stepping", STEPPINGS)
@pytest.mark.parametrize(("size", "subflows"), [(SIZE, 2), (SIZE // 2, 1)])
def test_a_second_subflow_for_large_objects_only(
    lab: LabClient, stepping: Stepping, size: int, subflows: int
) -> None:
    report = download(DelayedByContentLength(SIZE // 2), url(size), stepping=stepping)
    assert (report.length, len(report.subflows)) == (size, subflows)
    assert lab.counters()["lte"].up.syns == subflows - 1


@pytest.mark.parametrize("stepping", STEPPINGS)
@pytest.mark.parametrize("rule", ["rate", "half"])
def test_a_deadline_in_danger_opens_the_second_path(
    lab: LabClient, stepping: Stepping, rule: Any
) -> None:
    """4 Mbit/s alone would take 2 s."""
    lab.change("wifi", rate="4mbit")
    report = download(Deadline(1.5, rule=rule), url(SIZE), stepping=stepping)
    assert [subflow.path for subflow in report.subflows] == ["wifi", "lte"]
    assert carried(report, "lte") > 0


@pytest.mark.parametrize("rule", ["rate", "half"])
def test_a_deadline_out_of_danger_opens_nothing(lab: LabClient, rule: Any) -> None:
    report = download(Deadline(60, rule=rule), url(SIZE))
    assert report.deadline is not None
    assert report.deadline.met
    assert lab.counters()["lte"].up.syns == 0


@pytest.mark.parametrize("strategy", [SinglePath("lte"), StartsOn(lambda _: LTE)])
def test_a_strategy_chooses_where_the_connection_starts(lab: LabClient, strategy: Strategy) -> None:
    report = download(strategy, url(SIZE))
    assert [(s.path, s.initial) for s in report.subflows] == [("lte", True)]
    assert lab.counters()["wifi"].up.syns == 0


def test_a_path_on_which_nothing_starts(lab: LabClient) -> None:
    """Another takes its place, and the report says so."""
    lab.blackhole("lte")
    report = download(None, url(SIZE), paths=["lte", "wifi"], limits=Limits(connect=1))
    assert [subflow.path for subflow in report.subflows] == ["wifi"]
    assert "could not start on lte" in report.problems[0].what


def test_no_path_is_left(lab: LabClient) -> None:
    lab.cut("lte")
    with pytest.raises(pycurl.error, match="none of the interfaces lte reaches") as raised:
        download(None, url(SIZE), paths=["lte"])
    assert raised.value.args[0] == pycurl.E_COULDNT_CONNECT
    with client(paths=["lte"]) as http, pytest.raises(httpx.ConnectError, match="lte reaches"):
        http.get(url(SIZE))


def test_a_strict_transfer_raises(lab: LabClient) -> None:
    """It is our own exception, though it was raised in a callback of libcurl's."""
    lab.cut("lte")
    with pytest.raises(StrategyProblem, match="only wifi reaches the server"):
        download(FullMesh(), url(SIZE), strict=True)
    told = pytest.raises(httpx.TransportError, match="only wifi reaches the server")
    with client(FullMesh(), strict=True) as http, told:
        http.get(url(SIZE))


@pytest.mark.parametrize("origin", [names.ORIGIN, names.ORIGIN_TLS])
def test_a_second_response_starts_clean(lab: LabClient, opened: Opened, origin: str) -> None:
    """On the same connection, whose second subflow went with the response that opened it."""
    lab.change("wifi", rate="4mbit")  # so that there is time for a second subflow
    with CurlSession(verify=trust()) as session:
        first = session.fetch(url(SIZE, origin=origin), FullMesh()).report
        assert [subflow.path for subflow in first.subflows] == ["wifi", "lte"]
        eventually(opened.subflows, 1)
        second = session.fetch(url(SIZE // 2, origin=origin)).report
    (subflow,) = second.subflows
    assert subflow.local == first.subflows[0].local
    assert SIZE // 2 <= subflow.bytes_received < SIZE
    assert second.events == second.problems == ()


def test_many_at_once(opened: Opened) -> None:
    """On one thread; each has its report, and a failure is that request's alone."""
    wanted = [url(size * 10_000) for size in range(1, 21)]
    missing = CurlRequest(f"http://{names.SERVER_ADDRESS}:1/")
    seen = set()
    for request, outcome in fetch_all([*wanted, missing], FullMesh(), at_once=8):
        if request is missing:
            assert isinstance(outcome, pycurl.error)
            continue
        assert not isinstance(outcome, Exception)
        assert hashlib.sha256(outcome.content).digest() == sha256_of(size_in(request.url))
        assert outcome.report.url == request.url
        seen.add(request.url)
    assert seen == set(wanted)


def test_an_exception_in_a_callback_reaches_the_caller(opened: Opened) -> None:
    """As it is, and not a byte of the rest goes on coming over any path."""

    class OursError(Exception):
        pass

    came = []

    def take(chunk: bytes) -> None:
        came.append(chunk)
        if sum(map(len, came)) > SIZE:
            raise OursError

    with CurlSession(FullMesh(), verify=trust()) as session:
        with pytest.raises(OursError):
            session.fetch(url(10 * SIZE), to=take)
        eventually(opened.subflows, 0)
        assert session.fetch(url(SIZE)).report.bytes == SIZE


def test_a_response_that_is_dropped_unread(opened: Opened) -> None:
    """Its subflows are gone at once: the body must not go on costing bytes on any path."""
    with client(FullMesh()) as http:
        with http.stream("GET", url(10 * SIZE)) as response:
            report = response.extensions["multipath"]
            chunks = response.iter_raw()
            while not carries("lte")(report):
                next(chunks)
        eventually(opened.subflows, 0)
        assert 0 < report.bytes < 10 * SIZE
        fetch_with(http, url(SIZE))


def test_a_client_closed_under_an_open_response(opened: Opened) -> None:
    http = client(FullMesh())
    response = http.send(http.build_request("GET", url(10 * SIZE)), stream=True)
    chunks = response.iter_raw()
    while not carries("lte")(response.extensions["multipath"]):
        next(chunks)
    http.close()
    eventually(opened.subflows, 0)
    with pytest.raises(httpx.TransportError):
        list(chunks)
    response.close()


def test_a_caller_who_stops_early_leaves_nothing(opened: Opened) -> None:
    """What `fetch_all` had on its way is given up."""
    outcomes = fetch_all([url(SIZE // 10), url(50 * SIZE), url(50 * SIZE)], FullMesh())
    request, _ = next(outcomes)
    assert request.url == url(SIZE // 10)
    outcomes.close()
    eventually(opened.subflows, 0)


def test_httpx_over_libcurl(opened: Opened) -> None:
    """Both paths, keep-alive, and a strategy of the request's own."""
    with client(FullMesh()) as http:
        reports = [fetch_with(http, url(SIZE, origin=names.ORIGIN_TLS)) for _ in range(3)]
        single = fetch_with(http, url(SIZE), extensions={"strategy": SinglePath()})
    assert len({report.subflows[0].local for report in reports}) == 1
    assert all(carried(report, "lte") > 0 for report in reports)
    assert [subflow.path for subflow in single.subflows] == ["wifi"]


@pytest.fixture
def http2_nginx(lab: LabClient, folder: Path) -> Iterator[Path]:  # noqa: F811  the fixture
    configuration = folder / "nginx.conf"
    configuration.write_text(configuration.read_text().replace("443 ssl;", "443 ssl http2;"))
    with nginx(lab, folder, WITH_MPTCP):
        yield folder / "authority.pem"


def test_responses_of_http2_share_a_connection(http2_nginx: Path) -> None:
    """And the second subflow, which is opened once."""
    address = f"https://{names.SERVER_ADDRESS}/bytes/{SIZE}"
    with CurlSession(FullMesh(), verify=str(http2_nginx), http2=True) as session:
        reports = []
        for _, outcome in session.fetch_all([address] * 4):
            assert not isinstance(outcome, Exception)
            assert hashlib.sha256(outcome.content).digest() == sha256_of(SIZE)
            assert outcome.http_version == "HTTP/2"
            reports.append(outcome.report)
    assert len({report.subflows[0].local for report in reports}) == 1
    assert len({report.subflows[1].id for report in reports}) == 1
    assert all(report.problems == () for report in reports)


def test_an_http2_stream_is_given_up_alone(http2_nginx: Path) -> None:
    """Its connection goes on with the next response."""
    address = f"https://{names.SERVER_ADDRESS}/bytes/{SIZE}"

    def refuse(_: bytes) -> None:
        raise KeyError("enough")

    with CurlSession(FullMesh(), verify=str(http2_nginx), http2=True) as session:
        before = session.fetch(address).report
        with pytest.raises(KeyError, match="enough"):
            session.fetch(address, to=refuse)
        after = session.fetch(address).report
    assert after.subflows[0].local == before.subflows[0].local
    assert carried(after, "lte") > 0
