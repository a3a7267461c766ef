"""A server without MPTCP, behind every client: other connections fetch parts of the body."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx
import pytest

from mphttp import (
    AsyncMultipathTransport,
    Deadline,
    DelayedByContentLength,
    FullMesh,
    Refresh,
    Report,
    SinglePath,
    Strategy,
)
from mphttp.lab import LabClient, names
from tests.mphttp.transports.doors import UNFINISHED
from tests.schema import checked

from .any_door import CLIENTS, HTTP2, Stopped, any_client, fetch
from .downloads import carried, carries, url
from .leaks import Opened, eventually
from .test_nginx import SIZE as FILE_SIZE
from .test_nginx import address, folder, nginx  # noqa: F401  a fixture
from .test_proxies import HTTP, SOCKS, microsocks, tinyproxy

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

SIZE = 2_000_000
ORIGINS = [names.ORIGIN, names.ORIGIN_TLS]
STRATEGIES = [
    FullMesh(),
    Deadline(1.5),
    DelayedByContentLength(SIZE // 2),
    Refresh(SIZE // 3, rotate=True),
]
TOO_LATE = "what is missing is here sooner than another connection"
"""What a strategy hears that asks for one near the end."""


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def check_parts(report: Report) -> None:
    """Hold that two TCP connections brought parts, and the further ones are closed."""
    told = checked(report)
    assert (told["protocol"], told["mechanism"]) == ("tcp", "ranges")
    assert {problem["what"] for problem in told["problems"]} <= {TOO_LATE}
    assert all(s["closed_at"] is not None for s in told["subflows"] if not s["initial"])
    assert carried(report, "wifi") > SIZE / 20
    assert carried(report, "lte") > SIZE / 20


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda s: s.name)
def test_both_paths_carry_a_body(
    lab: LabClient, client: str, strategy: Strategy, origin: str
) -> None:
    """Deadline needs both, since 8 Mbit/s alone would take 2 s."""
    lab.change("wifi", rate="8mbit")
    with any_client(client, strategy, multipath="ranges") as http:
        check_parts(fetch(http, url(SIZE, origin=origin)))


def test_a_plain_server_with_auto(lab: LabClient, client: str) -> None:
    """And with "mptcp", the report says what is missing."""
    where = url(SIZE, origin=names.ORIGIN_PLAIN)
    with any_client(client, FullMesh()) as http:
        check_parts(fetch(http, where))
    with any_client(client, FullMesh(), multipath="mptcp") as http:
        report = fetch(http, where)
    assert report.mechanism == "none"
    assert "plain TCP" in report.problems[0].what


def test_mptcp_comes_first_with_auto(lab: LabClient, client: str) -> None:
    with any_client(client, FullMesh()) as http:
        report = fetch(http, url(SIZE))
    assert (report.protocol, report.mechanism) == ("mptcp", "netlink")
    assert carried(report, "lte") > SIZE / 10


def test_off_is_plain_tcp_and_runs_no_strategy(lab: LabClient, client: str) -> None:
    with any_client(client, FullMesh(), multipath="off") as http:
        report = fetch(http, url(SIZE))
    assert (report.protocol, report.mechanism, report.problems) == ("tcp", "none", ())
    assert lab.counters()["lte"].up.syns == 0


def test_a_word_that_is_none(client: str) -> None:
    with pytest.raises(ValueError, match="multipath must be one of 'auto', "):
        any_client(client, None, multipath="tcp").__enter__()


def test_a_connection_that_needed_no_help_is_kept(
    lab: LabClient, opened: Opened, client: str
) -> None:
    """Also when the strategy was ready to ask for help."""
    with any_client(client, DelayedByContentLength(SIZE), multipath="ranges") as http:
        reports = [fetch(http, url(SIZE // 2)) for _ in range(3)]
        assert opened.subflows() == 1
    assert len({report.subflows[0].local for report in reports}) == 1
    assert all(report.mechanism == "ranges" for report in reports)
    assert lab.counters()["lte"].up.syns == 0


def test_responses_one_after_the_other(lab: LabClient, opened: Opened, client: str) -> None:
    """Where the first response is ended early, the next has a connection of its own."""
    with any_client(client, FullMesh(), multipath="ranges") as http:
        for origin in ORIGINS:
            for _ in range(2):
                check_parts(fetch(http, url(SIZE, origin=origin)))
        eventually(lambda: opened.subflows() <= 2, True)


@pytest.mark.filterwarnings(UNFINISHED)
@pytest.mark.parametrize("origin", ORIGINS)
def test_a_caller_that_has_enough(lab: LabClient, opened: Opened, client: str, origin: str) -> None:
    """No connection is left, and the client is of use still."""
    came = 0

    def take(piece: bytes) -> None:
        nonlocal came
        came += len(piece)
        if came > SIZE and lab.counters()["lte"].down.bytes > SIZE / 10:
            raise Stopped

    with any_client(client, FullMesh(), multipath="ranges") as http:
        with pytest.raises(Stopped):
            http.read(url(10 * SIZE, origin=origin), take)
        eventually(opened.subflows, 0)
        check_parts(fetch(http, url(SIZE, origin=origin)))


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("fault", ["cut", "blackhole"])
def test_the_first_link_goes_in_the_middle(
    lab: LabClient, client: str, origin: str, fault: str
) -> None:
    """The body comes whole over the other."""
    came = 0

    def take(piece: bytes) -> None:
        nonlocal came
        before, came = came, came + len(piece)
        if before < SIZE / 2 <= came:
            eventually(lambda: lab.counters()["lte"].down.bytes > SIZE / 20, True)
            getattr(lab, fault)("wifi")

    with any_client(client, FullMesh(), multipath="ranges") as http:
        report = fetch(http, url(2 * SIZE, origin=origin), take)
    assert carried(report, "lte") > SIZE / 2


def test_the_other_link_goes_in_the_middle(lab: LabClient, client: str) -> None:
    """The first response brings the rest."""
    came = 0

    def take(piece: bytes) -> None:
        nonlocal came
        before, came = came, came + len(piece)
        if before < SIZE / 2 <= came:
            eventually(lambda: lab.counters()["lte"].down.bytes > SIZE / 20, True)
            lab.blackhole("lte")

    with any_client(client, FullMesh(), multipath="ranges") as http:
        report = fetch(http, url(2 * SIZE), take)
    assert carried(report, "wifi") > SIZE


@pytest.mark.parametrize("origin", ORIGINS)
def test_an_http_proxy(lab: LabClient, tmp_path: Path, client: str, origin: str) -> None:
    """All connections lead to the proxy, those to https:// through a tunnel."""
    settings = "BasicAuth somebody secret"
    with tinyproxy(lab, tmp_path, settings, through=()) as place:
        proxy = f"http://somebody:secret@{place}"
        with any_client(client, FullMesh(), multipath="ranges", proxy=proxy) as http:
            report = fetch(http, url(SIZE, origin=origin))
    check_parts(report)
    assert {subflow.remote[1] for subflow in report.subflows} == {HTTP}


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_a_socks_proxy(lab: LabClient, client: str, origin: str, scheme: str) -> None:
    with microsocks(lab, "-u", "somebody", "-P", "secret") as place:
        proxy = f"{scheme}://somebody:secret@{place}"
        with any_client(client, FullMesh(), multipath="ranges", proxy=proxy) as http:
            report = fetch(http, url(SIZE, origin=origin))
    check_parts(report)
    assert {subflow.remote[1] for subflow in report.subflows} == {SOCKS}


@pytest.fixture
def plain_nginx(lab: LabClient, folder: Path) -> Iterator[str]:  # noqa: F811  the fixture
    """Run nginx without MPTCP; give the file of its certificate's authority."""
    with nginx(lab, folder):
        yield str(folder / "authority.pem")


@pytest.mark.parametrize("client", HTTP2)
def test_a_first_response_over_http2(
    lab: LabClient, opened: Opened, plain_nginx: str, client: str
) -> None:
    """Its stream ends when others have brought the rest, and the connection goes on."""
    lab.change("wifi", rate="8mbit")
    options = {"multipath": "ranges", "http2": True, "trust": plain_nginx}
    with any_client(client, FullMesh(), **options) as http:
        reports = [fetch(http, address("https")) for _ in range(3)]
        eventually(opened.subflows, 1)
    for report in reports:
        assert report.mechanism == "ranges"
        assert report.problems == ()
        assert carried(report, "lte") > FILE_SIZE / 20
    assert len({report.subflows[0].local for report in reports}) == 1


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("http2", [False, True])
def test_a_task_that_is_cancelled(
    opened: Opened, plain_nginx: str, backend: str, http2: bool
) -> None:
    """In the middle of a body that others help to bring; the client goes on."""
    trust = ssl.create_default_context(cafile=plain_nginx)
    transport = AsyncMultipathTransport(FullMesh(), multipath="ranges", verify=trust, http2=http2)

    async def main() -> None:
        async with httpx.AsyncClient(transport=transport, timeout=20) as client:
            with anyio.CancelScope() as scope:
                async with client.stream("GET", address("https")) as response:
                    report: Report = response.extensions["multipath"]
                    async for _ in response.aiter_raw():
                        if carries("lte", 10_000)(report):
                            scope.cancel()
            assert scope.cancelled_caught
            assert report.bytes < FILE_SIZE
            await anyio.to_thread.run_sync(eventually, opened.subflows, int(http2))
            whole = await client.get(address("https"))
            assert len(whole.content) == FILE_SIZE

    anyio.run(main, backend=backend)


def test_a_url_with_credentials(lab: LabClient) -> None:
    """Further connections have them, too; the report hasn't."""
    credentials = url(SIZE).replace("://", "://somebody:secret@")
    with any_client("curl", FullMesh(), multipath="ranges") as http:
        report = fetch(http, credentials)
    assert report.mechanism == "ranges"
    assert "secret" not in report.url


def test_a_strategy_in_libcurl_s_callback(lab: LabClient) -> None:
    with any_client("curl", FullMesh(), multipath="ranges", stepping="callback") as http:
        report = fetch(http, url(SIZE))
    assert report.mechanism == "none"
    assert "in libcurl's write callback" in report.problems[0].what


def test_a_single_path_asks_for_nothing(lab: LabClient, client: str) -> None:
    with any_client(client, SinglePath(), multipath="ranges") as http:
        report = fetch(http, url(SIZE))
    assert (report.mechanism, report.problems) == ("none", ())
