"""The sockopt mechanism on the paper's own kernel: no capability, no netlink, no events."""

from __future__ import annotations

import hashlib
import re
import socket
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from mphttp import Deadline, DelayedByContentLength, FullMesh, Refresh, Report, Strategy
from mphttp.kernel import (
    CallRefused,
    NetlinkMechanism,
    NoSuchSubflow,
    NotPermitted,
    NotReady,
    NotSupported,
    OpenRefused,
    SocketAddress,
    Subflows,
    best_mechanism,
    findings,
    paths_to,
)
from mphttp.kernel.reading.info import IPPROTO_MPTCP
from mphttp.kernel.sockopt import calls
from mphttp.kernel.values import Path as NetworkPath
from mphttp.lab import LabClient
from mphttp.lab.content import sha256_of
from tests.lab.downloads import download, make_client, url
from tests.lab.leaks import capabilities, eventually

pytestmark = [pytest.mark.guest, pytest.mark.usefixtures("fast")]

SIZE = 300_000
PAPERS_SIZE = 56 * 1024
ORIGIN = re.compile(r"http://([\d.]+):(\d+)")


@pytest.fixture
def connection() -> Iterator[socket.socket]:
    """A connection to the lab's origin that has got an answer."""
    found = ORIGIN.match(url(1))
    assert found
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)) as sock:
        sock.settimeout(20)
        sock.connect((found[1], int(found[2])))
        sock.sendall(f"GET /bytes/1 HTTP/1.1\r\nHost: {found[1]}\r\n\r\n".encode())
        assert sock.recv(65536)
        yield sock


def paths(sock: socket.socket) -> list[NetworkPath]:
    return paths_to(SocketAddress(*sock.getpeername()))


def test_nothing_but_the_socket_is_needed() -> None:
    """This process has no capability, netlink refuses it, and the options are found first."""
    assert capabilities() == 0
    with pytest.raises(NotPermitted):
        NetlinkMechanism()
    mechanism = best_mechanism()
    assert (mechanism.name, mechanism.reason, mechanism.fileno()) == ("sockopt", None, None)
    needed = {finding.name: finding.ok for finding in findings() if finding.needed}
    assert all(needed.values()), needed
    assert "control" in needed


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (FullMesh(), ["wifi", "lte"]),
        (DelayedByContentLength(SIZE // 2), ["wifi", "lte"]),
        (Deadline(0.2), ["wifi", "lte"]),
        (Refresh(SIZE // 3), ["wifi"] * 4),
    ],
    ids=lambda value: value.name if isinstance(value, Strategy) else "",
)
def test_a_strategy_runs_unchanged(lab: LabClient, strategy: Strategy, expected: list[str]) -> None:
    """Each subflow leaves by the link that has its address, though both have a default route."""
    lab.change("wifi", rate="4mbit")
    report = download(strategy, url(SIZE))
    assert (report.mechanism, report.protocol, report.problems) == ("sockopt", "mptcp", ())
    opened = [subflow.path for subflow in report.subflows]
    assert opened == expected[: len(opened)]
    assert len(opened) >= 2
    assert lab.counters()["lte"].up.syns == opened.count("lte")


@pytest.mark.parametrize("strategy", [DelayedByContentLength(SIZE + 1), Deadline(60)])
def test_a_strategy_leaves_the_second_path_alone(lab: LabClient, strategy: Strategy) -> None:
    report = download(strategy, url(SIZE))
    assert [subflow.path for subflow in report.subflows] == ["wifi"]
    assert lab.counters()["lte"].up.syns == 0


def test_the_papers_refresh() -> None:
    """Section 4.1: 1,024 bytes a subflow, 56 of them one after the other, and not a byte lost.

    The reader waits for each new subflow, or everything would be there before the first of them.
    """
    digest = hashlib.sha256()
    with make_client(Refresh(1024)) as client, client.stream("GET", url(PAPERS_SIZE)) as response:
        report: Report = response.extensions["multipath"]
        for number, chunk in enumerate(response.iter_raw(1024)):
            digest.update(chunk)
            if 0 < number < PAPERS_SIZE // 1024 - 1:
                eventually(lambda: len(report.subflows) > number, True, within=20)  # noqa: B023
    assert digest.digest() == sha256_of(PAPERS_SIZE)
    assert len(report.subflows) >= 55
    assert len({subflow.local for subflow in report.subflows}) == len(report.subflows)
    assert {subflow.path for subflow in report.subflows} == {"wifi"}


def test_the_six_calls(connection: socket.socket) -> None:
    """Open, list, tuple, option set and read on one of two, backup, close."""
    wifi, lte = paths(connection)
    with Subflows(connection) as subflows:
        (first,) = subflows.ids()
        second = subflows.open(lte)
        assert subflows.ids() == [first, second]
        assert subflows.tuple_of(second).local.host == lte.address
        assert subflows.tuple_of(first).local.host == wifi.address
        subflows.setsockopt(second, socket.IPPROTO_IP, socket.IP_TOS, 46 << 2)
        read = [
            subflows.getsockopt(i, socket.IPPROTO_IP, socket.IP_TOS, 4) for i in (first, second)
        ]
        assert [value[0] for value in read] == [0, 46 << 2]
        subflows.set_backup(second, True)
        assert [status.backup for status in calls.get_ids(connection)] == [False, True]
        subflows.close(first)
        assert subflows.ids() == [second]
        with pytest.raises(NoSuchSubflow):
            subflows.close(first)


def test_a_subflow_that_begins_as_a_backup(connection: socket.socket) -> None:
    _, lte = paths(connection)
    with Subflows(connection) as subflows:
        subflows.open(lte, backup=True)
    assert [status.backup for status in calls.get_ids(connection)] == [False, True]


def test_any_option_of_the_socket_can_be_set(connection: socket.socket) -> None:
    """BPF has no SO_LINGER and no TCP_QUICKACK; what the socket refuses, it refuses here."""
    with Subflows(connection) as subflows:
        (only,) = subflows.ids()
        subflows.setsockopt(only, socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 5000)
        value = subflows.getsockopt(only, socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 4)
        assert int.from_bytes(value, "little") == 5000
        subflows.setsockopt(only, socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        with pytest.raises(CallRefused):
            subflows.setsockopt(only, socket.SOL_SOCKET, socket.SO_MARK, 1)
        with pytest.raises(CallRefused):
            subflows.setsockopt(only, socket.IPPROTO_TCP, 31, b"tls")


def test_an_option_of_all_subflows(connection: socket.socket) -> None:
    """What the connection itself doesn't take is set on each of its subflows."""
    name = socket.TCP_USER_TIMEOUT
    with Subflows(connection) as subflows:
        both = [*subflows.ids(), subflows.open(paths(connection)[1])]
        assert subflows.setsockopt_all(socket.IPPROTO_TCP, name, 4000) == both
        told = [subflows.getsockopt(one, socket.IPPROTO_TCP, name, 4) for one in both]
    assert [int.from_bytes(value, "little") for value in told] == [4000, 4000]


def test_refusals_have_their_kinds(connection: socket.socket) -> None:
    wifi, _ = paths(connection)
    elsewhere = NetworkPath(wifi.name, wifi.index, "192.0.2.1")
    control = best_mechanism().control(connection)
    remote = SocketAddress(*connection.getpeername())
    with pytest.raises(OpenRefused):
        control.open(elsewhere, remote)
    with pytest.raises(CallRefused):
        control.open(wifi, SocketAddress("fd00::1", 80))
    with pytest.raises(NotSupported):
        control.withdraw(control.info().subflows[0])
    connection.close()
    with pytest.raises(NoSuchSubflow):
        control.open(wifi, remote)


def test_too_early_is_not_ready() -> None:
    """Before data is exchanged nothing can be opened."""
    found = ORIGIN.match(url(1))
    assert found
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)) as sock:
        sock.connect((found[1], int(found[2])))
        control = best_mechanism().control(sock)
        wifi, _ = paths(sock)
        with pytest.raises(NotReady):
            control.open(wifi, SocketAddress(*sock.getpeername()))


def test_32_subflows_are_the_limit(lab: LabClient, connection: socket.socket) -> None:
    """A link that swallows everything holds back the server's refusals."""
    _, lte = paths(connection)
    lab.blackhole("lte")
    control = best_mechanism().control(connection)
    remote = SocketAddress(*connection.getpeername())
    opened = [control.open(lte, remote) for _ in range(31)]
    with pytest.raises(OpenRefused, match="No space"):
        control.open(lte, remote)
    for subflow in opened:
        with suppress(NoSuchSubflow):
            control.close(subflow)
    assert len(calls.get_ids(connection)) == 1
