"""Downloads where the kernel ignores the interface of a subflow, as Linux 6.1 does.

The kernel is the one that runs: the interface isn't sent to it.
"""

from __future__ import annotations

import threading
from dataclasses import replace

import certifi
import pytest

from mphttp import FullMesh, Report, SinglePath, Strategy
from mphttp.kernel import SocketAddress
from mphttp.kernel.interfaces import honoured
from mphttp.kernel.path_manager import control
from mphttp.kernel.path_manager.commands import Address, PathManagerMessage, subflow_create
from mphttp.lab.origin import Origin, Status
from tests.kernel.namespaces import Net, in_child, ip
from tests.kernel.syns import Syns
from tests.lab.any_door import CLIENTS, fetch

pytestmark = pytest.mark.slow

FAR = "203.0.113.7"
SIZE = 2_000_000
OWN = {"c1": "10.0.1.1", "c2": "10.0.2.1"}


def ignoring(token: int, local: Address, remote: SocketAddress) -> PathManagerMessage:
    return subflow_create(token, replace(local, interface_index=None, flags=None), remote)


@pytest.fixture(autouse=True)
def old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "subflow_create", ignoring)
    monkeypatch.setattr(honoured, "_known", honoured._Known())


def far_server() -> tuple[str, Syns]:
    """Two default routes, a server behind both, and who sends SYNs to it."""
    net = Net()
    net.start()
    ip(*(f"route add default via 10.0.{n}.2 dev c{n} metric {n}" for n in (1, 2)))
    with net.server():
        ip(f"address add {FAR}/32 dev lo")
    listener = net.listen()
    origin = Origin(listener, Status())
    threading.Thread(target=origin.serve_forever, daemon=True).start()
    return f"http://{FAR}:{listener.getsockname()[1]}", Syns(OWN)


def sent_from(syns: Syns) -> set[str]:
    """The interfaces by which SYNs left, each of which has that interface's address."""
    taken = syns.take()
    assert all(OWN[name] == source for name, source in taken), taken
    return {name for name, _ in taken}


def download(name: str, strategy: Strategy, url: str, **options: str) -> Report:
    with CLIENTS[name](strategy, trust=certifi.where(), **options) as client:
        report: Report = fetch(client, url)
    return report


@pytest.mark.parametrize("name", CLIENTS)
def test_parts_are_fetched_where_no_subflow_would_leave_rightly(name: str) -> None:
    def check() -> None:
        url, syns = far_server()
        report = download(name, FullMesh(), f"{url}/chunked/{20 * SIZE}")
        assert sent_from(syns) == {"c1"}  # without a length, there are no parts
        assert {subflow.path for subflow in report.subflows} == {"c1"}
        assert any("than c2" in problem.what for problem in report.problems)
        report = download(name, FullMesh(), f"{url}/bytes/{20 * SIZE}")
        assert sent_from(syns) >= {"c1", "c2"}
        assert (report.mechanism, report.problems) == ("ranges", ())
        download(name, SinglePath(), f"{url}/bytes/{SIZE}")
        assert sent_from(syns) <= {"c1"}

    in_child(check)


@pytest.mark.parametrize("name", CLIENTS)
def test_who_wants_mptcp_is_told_why_there_is_one_path(name: str) -> None:
    def check() -> None:
        url, syns = far_server()
        report = download(name, FullMesh(), f"{url}/bytes/{20 * SIZE}", multipath="mptcp")
        assert sent_from(syns) == {"c1"}
        assert [subflow.path for subflow in report.subflows] == ["c1"]
        told = [problem for problem in report.problems if "than c2" in problem.what]
        assert len(told) == 1
        assert "mphttp setup --routes" in told[0].hint

    in_child(check)


def test_with_tables_of_their_own_all_is_as_on_any_kernel() -> None:
    def check() -> None:
        url, syns = far_server()
        ip("route add default via 10.0.2.2 table 2", "rule add from 10.0.2.1 table 2")
        report = download("httpx", FullMesh(), f"{url}/bytes/{20 * SIZE}")
        assert sent_from(syns) == {"c1", "c2"}
        assert report.mechanism == "netlink"
        assert {subflow.path for subflow in report.subflows} == {"c1", "c2"}

    in_child(check)
