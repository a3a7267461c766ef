"""A connection that can't be joined: the same response goes on with range connections."""

from __future__ import annotations

import gc
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from mphttp import (
    Background,
    Deadline,
    DelayedByContentLength,
    DropSlow,
    FullMesh,
    Handover,
    HandshakeOn,
    Refresh,
    Report,
    SinglePath,
    Strategy,
)
from mphttp.engine.guard import PATIENCE
from mphttp.lab import LabClient, names
from mphttp.ranges.carrier import PartsCarrier
from mphttp.strategies import Open, Steps, Transfer, Until
from tests.schema import checked

from .any_door import CLIENTS, HTTP2, Stopped, any_client, fetch
from .downloads import Fault, carried, carries, download, get, make_client, url
from .downloads import fetch as fetch_of
from .leaks import eventually
from .middleboxes import REFUSING, hint_of, killing, middlebox
from .strategies import LTE, Scripted
from .test_curl import http2_nginx  # noqa: F401  a fixture
from .test_nginx import SIZE as FILE_SIZE
from .test_nginx import folder  # noqa: F401  a fixture

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

SIZE = 3_000_000


def helped() -> int:
    """Count the responses that range connections helped, and that aren't forgotten."""
    gc.collect()
    return sum(isinstance(thing, PartsCarrier) for thing in gc.get_objects())


def check(report: Report, *, least: float = SIZE / 5) -> None:
    """Hold that the connection and another one brought a body, and that the report says why.

    Where the refusal came before the head of the response, that begins with ranges.
    """
    told = checked(report)
    assert told["protocol"] == "mptcp"
    assert told["mechanism"] in ("netlink+ranges", "ranges")
    assert hint_of(report, "was not opened")
    assert carried(report, "lte") > least
    assert carried(report, "wifi") > SIZE / 20
    assert all(s.closed_at is not None for s in report.subflows if not s.initial)


@pytest.mark.usefixtures("no_joins")
@pytest.mark.parametrize("origin", [names.ORIGIN, names.ORIGIN_TLS])
@pytest.mark.parametrize("client", CLIENTS)
def test_the_first_response_goes_on_in_parts(lab: LabClient, client: str, origin: str) -> None:
    lab.change("wifi", rate="8mbit")
    with any_client(client, FullMesh()) as http:
        check(fetch(http, url(SIZE, origin=origin)))


@pytest.mark.usefixtures("no_joins")
@pytest.mark.parametrize("client", [name for name in CLIENTS if name != "httpx-trio"])
def test_nothing_is_kept_of_what_was_closed_before_it_was_tidied_up(
    lab: LabClient, client: str
) -> None:
    """The strategy keeps the engine's thread busy meanwhile (trio keeps httpx's generators)."""
    holds, closed = threading.Event(), threading.Event()

    def holds_the_engine(_: Transfer) -> Steps:
        yield Open(LTE)
        yield Until(received=SIZE // 4)
        holds.set()
        closed.wait(PATIENCE)

    def stops(_: bytes) -> None:
        if holds.is_set():
            raise Stopped

    lab.change("wifi", rate="8mbit")
    with any_client(client, Scripted(holds_the_engine)) as http, suppress(Stopped):
        fetch(http, url(SIZE), stops)
    assert helped()
    closed.set()
    eventually(helped, 0)


@pytest.mark.usefixtures("no_joins")
def test_a_caller_who_never_closes(lab: LabClient) -> None:
    """When the response is garbage, what helped it ends; the fixture counts sockets."""
    lab.change("wifi", rate="8mbit")
    with make_client(FullMesh()) as client:
        request = client.build_request("GET", url(4 * SIZE))
        response = client.send(request, stream=True)
        parts = response.iter_raw()
        while not carries("lte")(response.extensions["multipath"]):
            next(parts)
        del response, parts
        eventually(helped, 0)


@pytest.mark.usefixtures("no_joins")
@pytest.mark.parametrize("backend", ["httpx", "curl"])
def test_on_the_command_line(lab: LabClient, backend: str) -> None:
    lab.change("wifi", rate="4mbit")
    told = get(url(SIZE), "--strategy", "fullmesh", "--backend", backend)
    assert told["mechanism"] in ("netlink+ranges", "ranges")
    assert any("was not opened" in problem["what"] for problem in told["problems"])


@pytest.mark.parametrize("kind", REFUSING)
def test_a_middlebox_that_refuses_joins(lab: LabClient, kind: str) -> None:
    lab.change("wifi", rate="8mbit")
    with middlebox(lab, REFUSING[kind]):
        check(download(FullMesh(), url(SIZE)))


@pytest.mark.usefixtures("no_joins")
@pytest.mark.parametrize(
    "strategy", [Deadline(2), Refresh(SIZE // 3, rotate=True)], ids=lambda s: s.name
)
def test_other_strategies(lab: LabClient, strategy: Strategy) -> None:
    lab.change("wifi", rate="8mbit")
    check(download(strategy, url(SIZE)), least=SIZE / 20)


@pytest.mark.usefixtures("no_joins")
@pytest.mark.parametrize("standby", [False, True], ids=["at once", "standby"])
def test_a_handover_where_the_other_path_takes_no_join(lab: LabClient, standby: bool) -> None:
    """The connection has one path, which is dead; the other one brings the rest."""
    lab.change("wifi", rate="8mbit")
    fault = Fault(carries("wifi", SIZE // 10), lambda: lab.blackhole("wifi"))
    report = download(Handover(standby=standby), url(SIZE), fault)
    check(report, least=SIZE / 2)
    (first,) = [s for s in report.subflows if s.initial]
    assert first.closed_at is not None


@pytest.mark.usefixtures("no_joins")
def test_what_can_not_be_fetched_in_parts_stays_as_it_is() -> None:
    report = download(FullMesh(), f"{url(SIZE, kind='slow')}?rate={4 * SIZE}")
    assert checked(report)["mechanism"] == "netlink"
    told = "nor can it be fetched in parts: the server offers no ranges"
    assert told in hint_of(report, "was not opened")


@pytest.mark.usefixtures("no_joins")
@pytest.mark.parametrize("client", HTTP2)
def test_a_stream_of_http2(lab: LabClient, http2_nginx: Path, client: str) -> None:  # noqa: F811
    """And the next one."""
    lab.change("wifi", rate="8mbit")
    address = f"https://{names.SERVER_ADDRESS}/bytes/{FILE_SIZE}"
    with any_client(client, FullMesh(), trust=str(http2_nginx), http2=True) as http:
        check(fetch(http, address), least=FILE_SIZE / 5)
        assert fetch(http, address).mechanism == "ranges"


def check_killed(lab: LabClient, report: Report, *, syns: int = 5) -> None:
    """Hold that what was killed each time was done otherwise, and not asked for many times."""
    told = checked(report)
    assert told["mechanism"] == "netlink+ranges"
    assert "multipath=" in hint_of(report, "the subflow on lte ended")
    assert sum(s.bytes_received for s in report.subflows if s.path == "lte" and (s.id or 0) < 0)
    assert lab.counters()["lte"].up.syns <= syns


@pytest.mark.parametrize("packets", [3, 30])
@pytest.mark.parametrize("client", CLIENTS)
def test_joins_that_are_killed_each_time(lab: LabClient, client: str, packets: int) -> None:
    lab.change("wifi", rate="8mbit")
    with middlebox(lab, killing(packets)), any_client(client, FullMesh()) as http:
        check_killed(lab, fetch(http, url(2 * SIZE)))


@pytest.mark.parametrize(
    "strategy",
    [
        Deadline(3),
        DelayedByContentLength(100_000),
        DropSlow(),
        HandshakeOn("wifi"),
        Refresh(SIZE // 3, rotate=True),
    ],
    ids=lambda s: s.name,
)
def test_strategies_whose_joins_are_killed_each_time(lab: LabClient, strategy: Strategy) -> None:
    lab.change("wifi", rate="8mbit")
    with middlebox(lab, killing(30)):
        report = download(strategy, url(2 * SIZE), paths=["wifi", "lte"])
    check_killed(lab, report)


def test_many_responses_whose_joins_are_killed_ask_for_few(lab: LabClient) -> None:
    """Each over a connection of its own: what one has seen, the next ones know."""
    with middlebox(lab, killing(10)):
        reports = [download(FullMesh(), url(SIZE)) for _ in range(4)]
    assert [report.mechanism for report in reports[2:]] == ["ranges", "ranges"]


def test_a_transfer_that_has_moved_to_a_path_on_which_joins_are_killed(lab: LabClient) -> None:
    """Nothing is left then; the connection was made for another request."""
    lab.change("wifi", rate="8mbit")
    with middlebox(lab, killing(10)), make_client(SinglePath("wifi")) as client:
        fetch_of(client, url(10_000))
        report = fetch_of(client, url(2 * SIZE), extensions={"strategy": Background("wifi")})
    check_killed(lab, report)
