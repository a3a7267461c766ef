"""What bad input and faults get: the body whole, and the report says what happened."""

from __future__ import annotations

import errno
import os
import re
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path as File

import httpx
import pycurl
import pytest
import requests

from mphttp import Deadline, FullMesh, SinglePath
from mphttp.cli.exits import ExitCode
from mphttp.kernel.connection import establishment
from mphttp.kernel.hints import ALLOW_NETLINK
from mphttp.lab import LabClient, names
from mphttp.strategies import Close, Handover, Open, OpenFailed, Steps, Strategy, Transfer, Until
from tests import sandbox

from .any_door import CLIENTS, any_client
from .any_door import fetch as fetch_by
from .downloads import (
    WITHOUT_PRIVILEGE,
    Fault,
    carried,
    carries,
    download,
    fetch,
    get,
    has_problem,
    make_client,
    url,
)
from .leaks import Opened, eventually
from .strategies import LTE, Scripted

pytestmark = pytest.mark.lab

SIZE = 1_000_000
ENDED = (httpx.TransportError, requests.RequestException, pycurl.error)
"""What clients raise when a connection ends too soon."""
CLOSE_TIMEOUT = File("/proc/sys/net/mptcp/close_timeout")
PATH_MANAGER = File("/proc/sys/net/mptcp/pm_type")
ENABLED = File("/proc/sys/net/mptcp/enabled")


@pytest.fixture(autouse=True)
def _fast_links(lab: LabClient, opened: Opened) -> None:
    lab.change("wifi", rate="10mbit", delay="5ms")
    lab.change("lte", rate="10mbit", delay="10ms")


def test_a_peer_without_mptcp(lab: LabClient) -> None:
    """Where nothing else is wanted, one plain connection carries all, and the report says why."""
    report = download(FullMesh(), url(SIZE, origin=names.ORIGIN_PLAIN), multipath="mptcp")
    assert (report.protocol, report.mechanism) == ("tcp", "none")
    assert [subflow.path for subflow in report.subflows] == ["wifi"]
    assert "plain TCP" in report.problems[0].what
    assert "mphttp doctor" in report.problems[0].hint
    assert lab.counters()["lte"].up.syns == 0


def test_a_peer_without_mptcp_is_told_before_a_second_path_is_needed(lab: LabClient) -> None:
    report = download(Deadline(60), url(SIZE, origin=names.ORIGIN_PLAIN), multipath="mptcp")
    assert len(report.problems) == 1
    assert "mphttp doctor" in report.problems[0].hint


def test_a_peer_without_mptcp_sends_parts(lab: LabClient) -> None:
    report = download(FullMesh(), url(SIZE, origin=names.ORIGIN_PLAIN))
    assert (report.protocol, report.mechanism, report.problems) == ("tcp", "ranges", ())
    assert carried(report, "lte") > SIZE / 10


@contextmanager
def written(file: File, value: str) -> Iterator[None]:
    """Let a setting of the kernel be another one."""
    before = file.read_text()
    file.write_text(value)
    try:
        yield
    finally:
        file.write_text(before)


def test_a_path_manager_that_is_switched_while_the_process_runs(lab: LabClient) -> None:
    """The next connection knows, in both directions; and what mends it is told."""
    assert download(FullMesh(), url(SIZE)).mechanism == "netlink"
    with make_client(FullMesh()) as older:
        fetch(older, url(SIZE))
        with written(PATH_MANAGER, "0"):
            report = download(FullMesh(), url(SIZE), multipath="mptcp")
            assert (report.mechanism, len(report.subflows)) == ("readonly", 1)
            assert "the kernel manages the paths" in report.problems[0].what
            assert report.problems[0].hint.startswith("sudo sysctl -w net.mptcp.")
            assert download(FullMesh(), url(SIZE)).mechanism == "ranges"
            assert len(fetch(older, url(SIZE)).subflows) == 2
    report = download(FullMesh(), url(SIZE))
    assert (report.mechanism, len(report.subflows)) == ("netlink", 2)


def test_mptcp_that_is_switched_off_while_the_process_runs() -> None:
    assert download(FullMesh(), url(SIZE)).protocol == "mptcp"
    with written(ENABLED, "0"):
        report = download(FullMesh(), url(SIZE), multipath="mptcp")
    assert report.protocol == "tcp"
    assert report.problems[0].hint == "sudo sysctl -w net.mptcp.enabled=1"
    assert download(FullMesh(), url(SIZE)).protocol == "mptcp"


def test_a_child_process_has_strategies_of_its_own() -> None:
    """Its engine is another one; the parent's goes on."""
    with make_client(FullMesh()) as client:
        fetch(client, url(SIZE))
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", DeprecationWarning
            )  # there are threads, that's the point
            child = os.fork()
        if child == 0:
            status = 1
            try:
                report = download(FullMesh(), url(SIZE))
                status = int((report.mechanism, len(report.subflows)) != ("netlink", 2))
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert len(fetch(client, url(SIZE)).subflows) == 2


def test_a_process_started_under_the_in_kernel_path_manager(lab: LabClient) -> None:
    """A second subflow isn't even tried; what is missing, and the command that mends it, is."""
    PATH_MANAGER.write_text("0")
    try:
        told = get(url(SIZE), "--strategy", "fullmesh", "--multipath", "mptcp")
    finally:
        PATH_MANAGER.write_text("1")
    assert (told["mechanism"], told["protocol"]) == ("readonly", "mptcp")
    assert told["problems"][0]["hint"].startswith("sudo sysctl -w net.mptcp.")
    assert lab.counters()["lte"].up.syns == 0


@pytest.mark.parametrize("strategy", [("fullmesh",), ("delayed", "--size", "10MB")])
def test_a_process_without_privilege(lab: LabClient, strategy: tuple[str, ...]) -> None:
    """It is told which command gives it the right, whether or not it comes to need it."""
    options = ("--strategy", *strategy, "--multipath", "mptcp")
    told = get(url(SIZE), *options, through=WITHOUT_PRIVILEGE)
    assert (told["mechanism"], told["protocol"]) == ("readonly", "mptcp")
    assert "CAP_NET_ADMIN" in told["problems"][0]["what"]
    assert told["problems"][0]["hint"].startswith("sudo mphttp setup, once; or sudo setpriv ")
    assert lab.counters()["lte"].up.syns == 0


def test_a_process_without_privilege_fetches_parts() -> None:
    """Also of a server that speaks MPTCP: its subflows can't be controlled, ranges need nobody."""
    told = get(url(SIZE), "--strategy", "fullmesh", through=WITHOUT_PRIVILEGE)
    assert (told["mechanism"], told["problems"]) == ("ranges", [])
    assert [subflow["path"] for subflow in told["subflows"]] == ["wifi", "lte"]


NO_NETLINK = sandbox.refusing(errno.EAFNOSUPPORT, socket.AF_NETLINK, socket.AF_PACKET)
"""As systemd's RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX."""


def test_a_process_that_may_not_use_netlink() -> None:
    """One path carries it, with the words that mend it; or parts do, over all paths."""
    told = get(url(SIZE), "--strategy", "fullmesh", "--multipath", "mptcp", through=NO_NETLINK)
    assert (told["mechanism"], told["protocol"]) == ("readonly", "mptcp")
    assert "may not use netlink" in told["problems"][0]["what"]
    assert ALLOW_NETLINK in told["problems"][0]["hint"]
    told = get(url(SIZE), "--strategy", "fullmesh", through=NO_NETLINK)
    assert (told["mechanism"], told["problems"]) == ("ranges", [])
    assert [subflow["path"] for subflow in told["subflows"]] == ["wifi", "lte"]


def test_one_path_that_may_be_used(lab: LabClient) -> None:
    report = download(FullMesh(), url(SIZE), paths=["wifi"])
    assert report.problems == ()  # as its caller wants it
    assert lab.counters()["lte"].up.syns == 0


def test_a_second_path_that_was_cut_before(lab: LabClient) -> None:
    lab.cut("lte")
    report = download(FullMesh(), url(SIZE))
    assert [problem.what for problem in report.problems] == ["only wifi reaches the server"]


def test_a_path_that_does_not_reach_the_server(lab: LabClient) -> None:
    """The open fails after a while, the strategy hears of it and goes on."""
    lab.blackhole("lte")
    lab.change("wifi", rate="2mbit")  # so that the body outlasts the open
    hurry = Fault(has_problem, lambda: lab.change("wifi", rate="50mbit"))
    report = download(FullMesh(), url(2 * SIZE), hurry)
    assert "nobody answered" in report.problems[0].what
    assert "rp_filter" in report.problems[0].hint
    assert lab.counters()["lte"].up.syns > 0


def opens_three(transfer: Transfer) -> Steps:
    """Open three subflows that carry nothing, where the server takes two; then one event more."""
    for _ in range(3):
        try:
            yield Open(LTE, backup=True)
        except OpenFailed:
            yield Until(received=transfer.received + 1)


def test_a_subflow_that_the_server_refuses(lab: LabClient) -> None:
    """The kernel calls it established before the refusal comes; the strategy must not."""
    report = download(Scripted(opens_three), url(SIZE))
    assert [subflow.path for subflow in report.subflows] == ["wifi", "lte", "lte"]
    assert [event.kind for event in report.events].count("subflow_refused") == 1
    assert "the peer refused it" in report.problems[0].what


def reset(lab: LabClient, link: str) -> None:
    """Let the server reset whatever it has on a link."""
    address = names.client_address(["wifi", "lte"].index(link))
    command = ["ss", "--tcp", "--kill", "dst", address]
    assert lab.in_server(command, stdout=subprocess.DEVNULL).wait() == 0


@pytest.mark.parametrize("path", ["wifi", "lte"])
def test_a_subflow_reset_while_it_carries_data(lab: LabClient, path: str) -> None:
    """The other goes on, also when the reset one is the connection's first."""
    fault = Fault(carries("lte"), lambda: reset(lab, path))
    report = download(FullMesh(), url(3 * SIZE), fault)
    closed = [event for event in report.events if event.kind == "subflow_closed"]
    assert [(event.path, event.detail) for event in closed] == [(path, "Connection reset by peer")]
    assert [p.what for p in report.problems] == [
        f"the subflow on {path} ended: Connection reset by peer"
    ]


def test_a_subflow_reset_while_the_other_drains(
    lab: LabClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One stays for the next response, though it was to be closed."""
    monkeypatch.setattr(establishment, "DRAIN_CEILING", 10.0)  # a busy machine is late
    lab.change("wifi", delay="100ms")  # more would lose against lte before it begins
    drains, is_reset = threading.Event(), threading.Event()

    def moves_to_lte(transfer: Transfer) -> Steps:
        yield Open(LTE)
        yield Until(received=SIZE)
        lab.change("wifi", rate="1mbit")  # so that what is under way takes long
        yield Close(transfer.subflows[0])
        drains.set()
        yield Until(event="subflow_closed")
        is_reset.set()

    def reset_lte() -> None:
        reset(lab, "lte")
        assert is_reset.wait(10)

    with make_client(Scripted(moves_to_lte)) as client:
        report = fetch(client, url(2 * SIZE), Fault(lambda _: drains.is_set(), reset_lte))
        assert [s.closed_at is None for s in report.subflows] == [True, False]
        again = fetch(client, url(SIZE))
    assert again.subflows[0].local == report.subflows[0].local


@pytest.mark.parametrize("door", CLIENTS)
def test_an_idle_connection_that_is_reset(lab: LabClient, opened: Opened, door: str) -> None:
    """The kernel tells nobody; the next request goes over a new connection, and doesn't hang."""
    with any_client(door, SinglePath()) as client:
        first = fetch_by(client, url(SIZE))
        reset(lab, "wifi")
        eventually(opened.subflows, 0)
        second = fetch_by(client, url(SIZE))
    assert second.subflows[0].local != first.subflows[0].local
    assert second.seconds < 10


@pytest.mark.parametrize("strategy", [Handover(), Deadline(8), FullMesh()], ids=lambda s: s.name)
@pytest.mark.parametrize("door", CLIENTS)
def test_an_idle_connection_whose_path_falls_silent(
    lab: LabClient, door: str, strategy: Strategy
) -> None:
    """Nobody is told; the next request gets through, and so does its response."""
    with any_client(door, strategy) as client:
        fetch_by(client, url(1000))
        lab.blackhole("wifi")
        report = fetch_by(client, url(SIZE))
    assert carried(report, "lte") >= SIZE


@pytest.fixture
def _patient_kernel(opened: Opened) -> Iterator[None]:
    """Let the kernel wait for a new subflow for as long as by default."""
    before = CLOSE_TIMEOUT.read_text()
    CLOSE_TIMEOUT.write_text("60")
    yield
    CLOSE_TIMEOUT.write_text(before)


@pytest.mark.usefixtures("_patient_kernel")
@pytest.mark.parametrize("door", CLIENTS)
def test_the_only_subflow_is_reset(lab: LabClient, door: str) -> None:
    """Nobody waits for the rest until a time-out: it is an error, as over TCP."""
    came = 0

    def take(piece: bytes) -> None:
        nonlocal came
        before, came = came, came + len(piece)
        if before < SIZE // 4 <= came:
            reset(lab, "wifi")

    with any_client(door, SinglePath()) as client, pytest.raises(ENDED) as caught:
        fetch_by(client, url(10 * SIZE), take)
    assert SIZE // 4 <= came < 10 * SIZE
    assert not re.search("time", f"{type(caught.value)}{caught.value}", re.IGNORECASE)


@pytest.mark.parametrize("path", ["wifi", "lte"])
def test_a_link_cut_while_it_carries_data(lab: LabClient, path: str) -> None:
    """The other goes on, also when the cut one is where the connection began."""
    fault = Fault(carries("lte"), lambda: lab.cut(path))
    report = download(FullMesh(), url(SIZE), fault)
    # What it had under way may hold up the rest before its interface is known to be gone.
    lost, held_up = f"{path} doesn't reach the server any more", f"{path} held up the other path"
    assert report.problems
    for problem in report.problems:
        assert problem.what.startswith((lost, held_up) if path == "lte" else lost)
    other = {"wifi": "lte", "lte": "wifi"}[path]
    assert carried(report, other) > SIZE / 2


@pytest.mark.parametrize("path", ["wifi", "lte"])
def test_a_link_that_falls_silent_while_it_carries_data(lab: LabClient, path: str) -> None:
    """Nobody is told; the other carries what was on its way, too."""
    fault = Fault(carries("lte"), lambda: lab.blackhole(path))
    report = download(FullMesh(), url(SIZE), fault)
    other = {"wifi": "lte", "lte": "wifi"}[path]
    assert carried(report, other) > SIZE / 2


def silence(lab: LabClient) -> None:
    lab.blackhole("wifi")
    lab.blackhole("lte")


def test_both_links_silent_is_httpx_s_read_timeout(lab: LabClient) -> None:
    with make_client(FullMesh(), timeout=1) as client, client.stream("GET", url(SIZE)) as response:
        report = response.extensions["multipath"]
        chunks = response.iter_raw()
        while not carries("lte")(report):
            next(chunks)
        silence(lab)
        with pytest.raises(httpx.ReadTimeout):
            list(chunks)
    assert 0 < report.bytes < SIZE


def test_an_abort_is_httpx_s_read_error(lab: LabClient) -> None:
    address = url(SIZE, kind="abort") + f"?at={SIZE // 2}"
    with make_client(FullMesh()) as client, client.stream("GET", address) as response:
        with pytest.raises(httpx.ReadError):
            list(response.iter_raw())
        report = response.extensions["multipath"]
    assert 0 < report.bytes <= SIZE // 2


def test_get_leaves_nothing_of_what_broke(lab: LabClient, tmp_path: File) -> None:
    """Neither under the target's name nor beside it, when both links fell silent midway."""
    options = ["--strategy", "fullmesh", "--verbose", "--max-time", "5s"]
    command = [sys.executable, "-m", "mphttp", "get", *options, "-o", str(tmp_path / "file")]
    with subprocess.Popen([*command, url(SIZE)], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        assert any("established" in line for line in iter(process.stderr.readline, ""))
        assert [file.name != "file" for file in tmp_path.iterdir()] == [True]
        silence(lab)
        process.stderr.read()
    assert process.returncode == ExitCode.TIMEOUT
    assert list(tmp_path.iterdir()) == []
