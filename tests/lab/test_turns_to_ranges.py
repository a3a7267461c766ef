"""A connection that can't be joined: the same response goes on with range connections."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mphttp import Deadline, FullMesh, Handover, Refresh, Report, Strategy
from mphttp.lab import LabClient, names
from tests.schema import checked

from .any_door import CLIENTS, HTTP2, any_client, fetch
from .downloads import Fault, carried, carries, download, get, url
from .test_curl import http2_nginx  # noqa: F401  a fixture
from .test_nginx import SIZE as FILE_SIZE
from .test_nginx import folder  # noqa: F401  a fixture

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

SIZE = 3_000_000
MIDDLEBOXES = {
    "resets MP_JOIN": ("input", "tcp option mptcp subtype 1 reject with tcp reset"),
    "strips MP_JOIN": ("prerouting", "tcp option mptcp subtype 1 reset tcp option mptcp"),
}


def in_server(lab: LabClient, *command: str) -> None:
    assert lab.in_server(command, stdout=subprocess.DEVNULL).wait() == 0


@pytest.fixture
def _no_joins(lab: LabClient) -> Iterator[None]:
    """Let the server refuse every further subflow."""
    in_server(lab, "ip", "mptcp", "limits", "set", "subflows", "0")
    yield
    in_server(lab, "ip", "mptcp", "limits", "set", "subflows", "2")


@contextmanager
def middlebox(lab: LabClient, hook: str, rule: str) -> Iterator[None]:
    """Put something before the server that meddles with packets."""
    lines = (f"type filter hook {hook} priority -150", rule)
    in_server(lab, "nft", "table inet box {\nchain meddles {\n" + "\n".join(lines) + "\n}\n}\n")
    try:
        yield
    finally:
        in_server(lab, "nft", "delete", "table", "inet", "box")


def check(report: Report, *, least: float = SIZE / 5) -> None:
    """Hold that the connection and another one brought a body, and that the report says why.

    Where the refusal came before the head of the response, that begins with ranges.
    """
    told = checked(report)
    assert told["protocol"] == "mptcp"
    assert told["mechanism"] in ("netlink+ranges", "ranges")
    (refused,) = [p for p in report.problems if "was not opened" in p.what]
    assert refused.hint
    assert carried(report, "lte") > least
    assert carried(report, "wifi") > SIZE / 20
    assert all(s.closed_at is not None for s in report.subflows if not s.initial)


@pytest.mark.usefixtures("_no_joins")
@pytest.mark.parametrize("origin", [names.ORIGIN, names.ORIGIN_TLS])
@pytest.mark.parametrize("client", CLIENTS)
def test_the_first_response_goes_on_in_parts(lab: LabClient, client: str, origin: str) -> None:
    lab.change("wifi", rate="8mbit")
    with any_client(client, FullMesh()) as http:
        check(fetch(http, url(SIZE, origin=origin)))


@pytest.mark.usefixtures("_no_joins")
@pytest.mark.parametrize("backend", ["httpx", "curl"])
def test_on_the_command_line(lab: LabClient, backend: str) -> None:
    lab.change("wifi", rate="8mbit")
    told = get(url(SIZE), "--strategy", "fullmesh", "--backend", backend)
    assert told["mechanism"] in ("netlink+ranges", "ranges")
    assert any("was not opened" in problem["what"] for problem in told["problems"])


@pytest.mark.parametrize("kind", MIDDLEBOXES)
def test_a_middlebox_that_refuses_joins(lab: LabClient, kind: str) -> None:
    lab.change("wifi", rate="8mbit")
    with middlebox(lab, *MIDDLEBOXES[kind]):
        check(download(FullMesh(), url(SIZE)))


@pytest.mark.usefixtures("_no_joins")
@pytest.mark.parametrize(
    "strategy", [Deadline(2), Refresh(SIZE // 3, rotate=True)], ids=lambda s: s.name
)
def test_other_strategies(lab: LabClient, strategy: Strategy) -> None:
    lab.change("wifi", rate="8mbit")
    check(download(strategy, url(SIZE)), least=SIZE / 20)


@pytest.mark.usefixtures("_no_joins")
@pytest.mark.parametrize("standby", [False, True], ids=["at once", "standby"])
def test_a_handover_where_the_other_path_takes_no_join(lab: LabClient, standby: bool) -> None:
    """The connection has one path, which is dead; the other one brings the rest."""
    lab.change("wifi", rate="8mbit")
    fault = Fault(carries("wifi", SIZE // 10), lambda: lab.blackhole("wifi"))
    report = download(Handover(standby=standby), url(SIZE), fault)
    check(report, least=SIZE / 2)
    (first,) = [s for s in report.subflows if s.initial]
    assert first.closed_at is not None


@pytest.mark.usefixtures("_no_joins")
def test_what_can_not_be_fetched_in_parts_stays_as_it_is() -> None:
    report = download(FullMesh(), f"{url(SIZE, kind='slow')}?rate={4 * SIZE}")
    assert checked(report)["mechanism"] == "netlink"
    (refused,) = [p for p in report.problems if "was not opened" in p.what]
    assert "nor can it be fetched in parts: the server offers no ranges" in refused.hint


@pytest.mark.usefixtures("_no_joins")
@pytest.mark.parametrize("client", HTTP2)
def test_a_stream_of_http2(lab: LabClient, http2_nginx: Path, client: str) -> None:  # noqa: F811
    """And the next one."""
    lab.change("wifi", rate="8mbit")
    address = f"https://{names.SERVER_ADDRESS}/bytes/{FILE_SIZE}"
    with any_client(client, FullMesh(), trust=str(http2_nginx), http2=True) as http:
        check(fetch(http, address), least=FILE_SIZE / 5)
        assert fetch(http, address).mechanism == "ranges"
