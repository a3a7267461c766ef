"""The kernel's own path manager with endpoints, as NetworkManager makes them: nothing unasked."""

from __future__ import annotations

import socket
import threading
from typing import Any

import certifi
import pytest

from mphttp import FullMesh, KernelPathManager, SinglePath, Strategy
from mphttp.engine import Request, in_kernel
from mphttp.kernel.hints import NEEDS_LINUX
from mphttp.kernel.path_manager.endpoints import opening_addresses
from mphttp.kernel.reading.info import IPPROTO_MPTCP
from mphttp.network.dial import dial
from mphttp.network.start import Start
from mphttp.network.time_limit import TimeLimit
from mphttp.strategies import Mark
from tests.kernel.namespaces import Net, in_child, ip
from tests.kernel.syns import Syns
from tests.lab.any_door import CLIENTS

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"


def net_with(*endpoints: str) -> Net:
    net = Net()
    net.start()
    net.sysctl("net.mptcp.pm_type", 0)
    ip(*(f"mptcp endpoint add {endpoint}" for endpoint in endpoints))
    return net


def serve(listener: socket.socket) -> None:
    while True:
        peer, _ = listener.accept()
        threading.Thread(target=answer, args=(peer,), daemon=True).start()


def answer(peer: socket.socket) -> None:
    while peer.recv(65536):
        peer.sendall(HEAD + b"body")


@pytest.mark.slow
@pytest.mark.parametrize("name", CLIENTS)
def test_no_client_lets_the_kernel_open_subflows_unasked(name: str) -> None:
    def download() -> None:
        listener = net_with("10.0.2.1 dev c2 subflow", "10.0.1.1 dev c1 subflow").listen()
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        url = f"http://10.0.1.2:{listener.getsockname()[1]}/"
        protocols = {}
        for strategy in (SinglePath(), KernelPathManager()):
            with CLIENTS[name](strategy, trust=certifi.where()) as client:
                report = client.read(url, len)
                protocols[strategy.name] = report.protocol
                assert report.problems == ()
        assert protocols == {"single": "tcp", "kernel": "mptcp"}

    in_child(download)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("endpoints", "limit", "host", "plain"),
    [
        (["10.0.2.1 dev c2 subflow"], 2, "10.0.1.2", True),
        (["10.0.2.1 dev c2 subflow backup"], 2, "10.0.1.2", True),
        (["10.0.2.1 dev c2 fullmesh"], 2, "10.0.1.2", True),
        (["fd00:2::1 dev c2 subflow"], 2, "fd00:1::2", True),
        (["10.0.2.1 dev c2 subflow"], 0, "10.0.1.2", False),
        (["10.0.2.1 dev c2 signal"], 2, "10.0.1.2", False),
        (["10.0.1.1 dev c1 subflow"], 2, "10.0.1.2", False),
        (["fd00:2::1 dev c2 subflow"], 2, "10.0.1.2", False),
        ([], 2, "10.0.1.2", False),
    ],
)
def test_only_where_the_kernel_would_open_more(
    endpoints: list[str], limit: int, host: str, plain: bool
) -> None:
    def connect() -> None:
        net = net_with(*endpoints)
        ip(f"mptcp limits set subflows {limit}")
        protocol = connected(net, host, SinglePath())
        assert (protocol != IPPROTO_MPTCP) == plain

    in_child(connect)


def connected(net: Net, host: str, strategy: Strategy, **more: Any) -> int:
    """Connect for a request, and return the protocol of the socket."""
    port = net.listen("::" if ":" in host else "0.0.0.0").getsockname()[1]
    request = Request("http://www.example/", strategy, **more)
    with request, dial(host, port, limit=TimeLimit(20), start=Start(None)) as sock:
        return sock.proto


def test_who_asks_for_mptcp_is_told() -> None:
    def connect() -> None:
        net = net_with("10.0.2.1 dev c2 subflow")
        listener = net.listen()
        request = Request("http://www.example/", SinglePath(), multipath="mptcp")
        place = "10.0.1.2", listener.getsockname()[1]
        with request, dial(*place, limit=TimeLimit(20), start=Start(None)) as sock:
            assert sock.proto == IPPROTO_MPTCP
        ((what, hint),) = request.problems
        assert what == "the kernel opens subflows by itself from 10.0.2.1 (ip mptcp endpoint)"
        assert "userspace" in hint or "pm_type" in hint

    in_child(connect)


def test_where_the_kernel_has_no_other_manager_no_set_up_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As Linux 5.15, which has endpoints and nothing to select."""

    def connect() -> None:
        net_with("10.0.2.1 dev c2 subflow")
        monkeypatch.setattr(in_kernel, "select_userspace_manager", lambda: NEEDS_LINUX)
        told = in_kernel.opened_by_kernel("10.0.1.2")
        assert told is not None
        assert told[1].startswith(NEEDS_LINUX)
        assert "setup" not in told[1]

    in_child(connect)


def test_with_the_userspace_manager_endpoints_have_no_effect() -> None:
    def connect() -> None:
        net = net_with("10.0.2.1 dev c2 subflow")
        net.sysctl("net.mptcp.pm_type", 1)
        assert connected(net, "10.0.1.2", FullMesh()) == IPPROTO_MPTCP

    in_child(connect)


def test_of_several_strategies_one_may_want_the_kernels() -> None:
    def connect() -> None:
        net = net_with("10.0.2.1 dev c2 subflow")
        assert connected(net, "10.0.1.2", Mark("ef") & KernelPathManager()) == IPPROTO_MPTCP
        assert connected(net, "10.0.1.2", Mark("ef") & FullMesh()) != IPPROTO_MPTCP

    in_child(connect)


def test_a_subflow_is_called_by_the_interface_by_which_it_left() -> None:
    """An endpoint without a device leaves by the route of its address, whoever has that."""

    def download() -> None:
        net = net_with("10.0.2.1 subflow")
        ip("route add default via 10.0.1.2 metric 1", "route add default via 10.0.2.2 metric 2")
        with net.server():
            ip("address add 203.0.113.7/32 dev lo")
        syns, listener = Syns(("c1", "c2")), net.listen()
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        url = f"http://203.0.113.7:{listener.getsockname()[1]}/"
        with CLIENTS["httpx"](KernelPathManager(), trust=certifi.where()) as client:
            # The kernel opens it when the first answer has come.
            while len(report := client.read(url, len).subflows) < 2:
                pass
        assert {subflow.path for subflow in report} == set(syns.by_interface()) == {"c1"}

    in_child(download)


def test_endpoints_are_read_without_a_privilege() -> None:
    def read() -> None:
        net_with("10.0.2.1 dev c2 subflow", "10.0.1.1 dev c1 signal").leave_privilege()
        assert opening_addresses() == ["10.0.2.1"]

    in_child(read)


def test_who_wants_several_paths_is_told_why_there_is_one() -> None:
    """Of a body that can't be fetched in parts."""

    def download() -> None:
        listener = net_with("10.0.2.1 dev c2 subflow").listen()
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        with CLIENTS["httpx"](FullMesh(), trust=certifi.where()) as client:
            report = client.read(f"http://10.0.1.2:{listener.getsockname()[1]}/", len)
        problem = report.problems[0]
        assert "over plain TCP: the kernel opens subflows by itself from 10.0.2.1" in problem.what
        assert "kernel" in problem.hint

    in_child(download)
