"""HTTP/2, with nginx at the other end: several responses share a connection and its subflows."""

from __future__ import annotations

import hashlib
import ssl
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from mphttp import AsyncMultipathTransport, FullMesh, Report, SinglePath
from mphttp.lab import LabClient, names
from mphttp.lab.content import sha256_of
from tests.mphttp.transports.doors import DOORS, UNFINISHED, Client, Door
from tests.schema import checked

from .downloads import carried
from .leaks import Opened, eventually
from .servers import WITH_MPTCP
from .test_faults import reset
from .test_nginx import SIZE, folder, nginx  # noqa: F401  a fixture
from .test_proxies import HTTP, tinyproxy

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

SMALL = 20_000
ADDRESS = f"https://{names.SERVER_ADDRESS}/bytes/{SIZE}"


@pytest.fixture(params=DOORS.values(), ids=DOORS.keys())
def door(request: pytest.FixtureRequest) -> Door:
    door: Door = request.param
    return door


@pytest.fixture
def server(lab: LabClient, folder: Path) -> Iterator[Path]:  # noqa: F811  the fixture
    """Run nginx with MPTCP; give the authority of its certificate."""
    (folder / "root" / "bytes" / str(SMALL)).write_bytes(bytes(SMALL))
    with nginx(lab, folder, WITH_MPTCP):
        yield folder / "authority.pem"


def client(door: Door, authority: Path, **options: Any) -> AbstractContextManager[Client]:
    trust = ssl.create_default_context(cafile=authority)
    return door.client(**{"strategy": FullMesh(), "verify": trust, "http2": True, **options})


def fetch(client: Client, address: str = ADDRESS, **options: Any) -> Report:
    response = client.get(address, **options)
    assert response.http_version == "HTTP/2"
    assert hashlib.sha256(response.content).digest() == sha256_of(SIZE)
    report: Report = response.extensions["multipath"]
    assert report.bytes == report.length == SIZE
    return report


def first_local(report: Report) -> Any:
    return report.subflows[0].local


def test_both_paths_carry_a_response(server: Path, door: Door) -> None:
    with client(door, server) as http:
        report = fetch(http)
    told = checked(report)
    assert (told["protocol"], told["mechanism"], told["problems"]) == ("mptcp", "netlink", [])
    assert carried(report, "lte") > SIZE / 10


def test_nginx_without_mptcp(lab: LabClient, folder: Path, door: Door) -> None:  # noqa: F811
    options = {"multipath": "mptcp"}
    with nginx(lab, folder), client(door, folder / "authority.pem", **options) as http:
        told = checked(fetch(http))
    assert (told["protocol"], told["mechanism"]) == ("tcp", "none")
    assert "plain TCP" in told["problems"][0]["what"]
    assert lab.counters()["lte"].up.syns == 0


def test_nginx_without_mptcp_sends_parts(lab: LabClient, folder: Path, door: Door) -> None:  # noqa: F811
    """By HTTP/1.1, beside the stream of HTTP/2."""
    with nginx(lab, folder), client(door, folder / "authority.pem") as http:
        report = fetch(http)
    told = checked(report)
    assert (told["protocol"], told["mechanism"], told["problems"]) == ("tcp", "ranges", [])
    assert carried(report, "lte") > SIZE / 10


def test_responses_share_a_connection(
    lab: LabClient, opened: Opened, server: Path, door: Door
) -> None:
    """The second path is opened once, and closed when the last response is done."""
    with client(door, server) as http, ThreadPoolExecutor(4) as pool:
        fetch(http, extensions={"strategy": SinglePath()})
        reports = list(pool.map(lambda _: fetch(http), range(4)))
        eventually(opened.subflows, 1)
    assert lab.counters()["wifi"].up.syns == 1
    assert lab.counters()["lte"].up.syns == 1
    assert len({first_local(report) for report in reports}) == 1
    assert len({report.subflows[1].id for report in reports}) == 1
    assert [report.problems for report in reports] == [()] * 4


def test_a_path_stays_as_long_as_one_response_wants_it(
    opened: Opened, server: Path, door: Door
) -> None:
    with client(door, server) as http:
        with http.stream(ADDRESS) as first:
            parts = first.parts()
            while carried(first.report, "lte") == 0:
                next(parts)
            second = fetch(http)
            assert [subflow.path for subflow in second.subflows] == ["wifi", "lte"]
            assert second.subflows[1].closed_at is None
            assert opened.subflows() == 2
            for _ in parts:
                """The rest."""
        eventually(opened.subflows, 1)
        third = fetch(http, extensions={"strategy": SinglePath()})
    assert [subflow.path for subflow in third.subflows] == ["wifi"]


def test_a_response_dropped_unread_leaves_the_connection_usable(
    lab: LabClient, opened: Opened, server: Path, door: Door
) -> None:
    """However many there were: nginx allows 128 at once."""
    with client(door, server, strategy=SinglePath()) as http:
        before = fetch(http)
        for _ in range(140):
            with http.stream(ADDRESS.replace(str(SIZE), str(SMALL))) as dropped:
                assert dropped.report.bytes == 0
        after = fetch(http, extensions={"strategy": FullMesh()})
        assert first_local(after) == first_local(before)
        assert carried(after, "lte") > 0
        eventually(opened.subflows, 1)


@pytest.mark.filterwarnings(UNFINISHED)
def test_a_response_dropped_midway(opened: Opened, server: Path, door: Door) -> None:
    """What its strategy opened is closed; the connection is not."""
    with client(door, server) as http:
        with http.stream(ADDRESS) as dropped:
            parts = dropped.parts()
            next(parts)  # LTE may have brought something before anything was read
            while carried(dropped.report, "lte") == 0:
                next(parts)
        eventually(opened.subflows, 1)
        assert 0 < dropped.report.bytes < SIZE
        assert first_local(fetch(http)) == first_local(dropped.report)


@pytest.mark.filterwarnings(UNFINISHED)
def test_a_client_closed_under_open_responses(opened: Opened, server: Path, door: Door) -> None:
    with client(door, server) as http, http.stream(ADDRESS) as first, http.stream(ADDRESS) as other:
        next(first.parts())
        next(other.parts())
        if http.portal is None:
            http.client.close()
        else:
            http.portal.call(http.client.aclose)
        eventually(opened.subflows, 0)
        for answer in (first, other):
            with pytest.raises((door.library.TransportError, RuntimeError)):
                answer.read()


def test_threads_and_tasks_don_t_get_into_each_other_s_way(
    opened: Opened, server: Path, door: Door
) -> None:
    """On one connection, though threads take turns at every other instruction.

    What their strategies opened is closed after the last of them.
    """
    address = ADDRESS.replace(str(SIZE), str(SMALL))
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with client(door, server) as http, ThreadPoolExecutor(8) as pool:
            lengths = list(pool.map(lambda _: len(http.get(address).content), range(120)))
            eventually(opened.subflows, 1)
    finally:
        sys.setswitchinterval(before)
    assert lengths == [SMALL] * 120


def test_a_proxy_lets_it_through(lab: LabClient, server: Path, door: Door, tmp_path: Path) -> None:
    """The subflows lead to the proxy."""
    with tinyproxy(lab, tmp_path) as place, client(door, server, proxy=f"http://{place}") as http:
        reports = [fetch(http) for _ in range(2)]
    assert len({first_local(report) for report in reports}) == 1
    for report in reports:
        assert [subflow.path for subflow in report.subflows] == ["wifi", "lte"]
        assert {subflow.remote[1] for subflow in report.subflows} == {HTTP}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_tasks_that_are_cancelled_stop_no_others(
    opened: Opened, server: Path, backend: str
) -> None:
    """Neither while they wait for the head, nor in the middle of a body."""
    trust = ssl.create_default_context(cafile=server)
    transport = AsyncMultipathTransport(FullMesh(), verify=trust, http2=True)
    whole: list[Report] = []

    async def get(client: httpx.AsyncClient) -> None:
        response = await client.get(ADDRESS)
        assert hashlib.sha256(response.content).digest() == sha256_of(SIZE)
        whole.append(response.extensions["multipath"])

    async def get_some(client: httpx.AsyncClient, seconds: float) -> None:
        with anyio.move_on_after(seconds) as scope:
            await client.get(ADDRESS)
        assert scope.cancelled_caught

    async def main() -> None:
        async with httpx.AsyncClient(transport=transport, timeout=30) as client:
            await get(client)
            async with anyio.create_task_group() as group:
                for seconds in (0, 0.001, 0.02, 0.05, 0.1):
                    group.start_soon(get_some, client, seconds)
                    group.start_soon(get, client)
            await anyio.to_thread.run_sync(eventually, opened.subflows, 1)
            await get(client)

    anyio.run(main, backend=backend)
    assert len(whole) == 7
    assert len({first_local(report) for report in whole}) == 1


def test_a_server_that_says_goodbye(
    lab: LabClient,
    folder: Path,  # noqa: F811  the fixture
    door: Door,
) -> None:
    """nginx does so after some requests; it finishes what is under way, and nothing is lost."""
    configuration = folder / "nginx.conf"
    configuration.write_text(
        configuration.read_text().replace("root /", "keepalive_requests 5; root /", 1)
    )
    authority = folder / "authority.pem"
    lab.change("wifi", rate="200mbit")
    with nginx(lab, folder, WITH_MPTCP), client(door, authority, strategy=None) as http:
        assert len({first_local(fetch(http)) for _ in range(7)}) == 2
        with ThreadPoolExecutor(4) as pool:
            assert len(list(pool.map(lambda _: fetch(http), range(12)))) == 12


def test_an_idle_connection_that_is_reset(
    lab: LabClient, opened: Opened, server: Path, door: Door
) -> None:
    with client(door, server, strategy=SinglePath()) as http:
        before = fetch(http)
        reset(lab, "wifi")
        eventually(opened.subflows, 0)
        assert first_local(fetch(http)) != first_local(before)


def test_requests_at_once_make_one_connection(lab: LabClient, server: Path, door: Door) -> None:
    """The first makes it, the others wait for what is agreed on."""
    together = threading.Barrier(8)

    def get(_: int) -> Report:
        together.wait()
        return fetch(http)

    with client(door, server) as http, ThreadPoolExecutor(8) as pool:
        reports = list(pool.map(get, range(8)))
    assert len({first_local(report) for report in reports}) == 1
    assert lab.counters()["wifi"].up.syns == 1
