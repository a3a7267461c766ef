"""What the broker does for connections that nobody claims: what the kernel would have done."""

from __future__ import annotations

import socket

import pytest

from mphttp.kernel import best_mechanism
from mphttp.kernel.broker.channel import RequestChannel
from mphttp.kernel.broker.mechanism import BrokerMechanism
from mphttp.kernel.broker.messages import Claim
from tests.kernel.namespaces import Net, exchange, ip

from .brokers import eventually, running
from .machines import (
    ELSEWHERE,
    SERVER,
    SERVER6,
    Subflows,
    by_kernel,
    connection,
    settled,
    start,
    subflows,
)

ENDPOINTS = {
    "subflow": ["10.0.2.1 dev c2 subflow"],
    "backup": ["10.0.2.1 dev c2 subflow backup"],
    "both": ["10.0.1.1 dev c1 subflow", "10.0.2.1 dev c2 subflow"],
    "the first is a backup": ["10.0.1.1 dev c1 subflow backup", "10.0.2.1 dev c2 subflow"],
    "fullmesh": ["10.0.1.1 dev c1 fullmesh", "10.0.2.1 dev c2 fullmesh backup"],
    "signal": ["10.0.2.1 dev c2 signal"],
    "signal and subflow": ["10.0.2.1 dev c2 signal subflow"],
    "IPv6 alone": ["fd00:2::1 dev c2 subflow"],
    "none": [],
}


@pytest.mark.slow
@pytest.mark.parametrize("flags", ENDPOINTS)
@pytest.mark.parametrize("announces", [False, True], ids=["", "announcing"])
def test_endpoints_are_used_as_by_the_kernel(net: Net, flags: str, announces: bool) -> None:
    start(net)
    ip(*(f"mptcp endpoint add {endpoint}" for endpoint in ENDPOINTS[flags]))
    if announces:
        with net.server():
            ip(f"mptcp endpoint add {ELSEWHERE} dev lo signal")
    wanted = by_kernel(net)
    with running() as broker:
        client, served = connection(net)
        eventually(lambda: subflows(net, client), wanted)
        assert settled(net, client) == wanted
        exchange(client, served)
        assert not any("trouble" in line for line in broker.log)


@pytest.mark.slow
@pytest.mark.parametrize("endpoint", ["fd00:2::1 dev c2 subflow", "10.0.2.1 dev c2 subflow"])
def test_endpoints_of_a_connection_over_ipv6(net: Net, endpoint: str) -> None:
    start(net)
    ip(f"mptcp endpoint add {endpoint}")
    wanted = by_kernel(net, SERVER6)
    with running():
        client, _ = connection(net, SERVER6)
        eventually(lambda: subflows(net, client), wanted)
        assert settled(net, client) == wanted


@pytest.mark.slow
@pytest.mark.parametrize(
    "limits", ["subflows 0 add_addr_accepted 8", "subflows 1 add_addr_accepted 0"]
)
def test_limits_hold(net: Net, limits: str) -> None:
    start(net)
    ip(
        f"mptcp limits set {limits}",
        "mptcp endpoint add 10.0.2.1 dev c2 fullmesh",
        "address add 10.0.2.9/24 dev c2",
        "mptcp endpoint add 10.0.2.9 dev c2 subflow",
    )
    with net.server():
        ip(f"mptcp endpoint add {ELSEWHERE} dev lo signal")
    wanted = by_kernel(net)
    with running():
        client, _ = connection(net)
        eventually(lambda: subflows(net, client), wanted)
        assert settled(net, client) == wanted


def hosts(found: Subflows) -> set[tuple[str, str]]:
    return {(local, remote) for local, remote, _ in found}


FIRST, SECOND = ("10.0.1.1", SERVER), ("10.0.2.1", SERVER)


@pytest.mark.slow
def test_what_becomes_of_endpoints_becomes_of_connections(net: Net) -> None:
    """One is added, becomes a backup, is none any more, and is removed."""
    start(net)
    with running():
        client, served = connection(net)
        assert hosts(settled(net, client)) == {FIRST}
        ip("mptcp endpoint add 10.0.2.1 dev c2 id 7 subflow")
        eventually(lambda: subflows(net, client), {(*FIRST, False), (*SECOND, False)})
        ip("mptcp endpoint change id 7 backup")
        eventually(lambda: subflows(net, client), {(*FIRST, False), (*SECOND, True)})
        ip("mptcp endpoint change id 7 nobackup")
        eventually(lambda: subflows(net, client), {(*FIRST, False), (*SECOND, False)})
        ip("mptcp endpoint delete id 7")
        eventually(lambda: hosts(subflows(net, client)), {FIRST})
        exchange(client, served)


@pytest.mark.slow
def test_an_endpoint_that_is_removed_takes_the_first_subflow_along(net: Net) -> None:
    start(net)
    ip(
        "mptcp endpoint add 10.0.1.1 dev c1 id 1 subflow",
        "mptcp endpoint add 10.0.2.1 dev c2 subflow",
    )
    with running():
        client, served = connection(net)
        eventually(lambda: hosts(subflows(net, client)), {FIRST, SECOND})
        ip("mptcp endpoint delete id 1")
        eventually(lambda: hosts(subflows(net, client)), {SECOND})
        exchange(client, served)


@pytest.mark.slow
def test_connections_from_before_the_broker(net: Net) -> None:
    """And a broker that comes after another does nothing twice."""
    start(net)
    client, _ = connection(net)
    ip("mptcp endpoint add 10.0.2.1 dev c2 subflow")
    for _ in range(2):
        with running():
            eventually(lambda: hosts(subflows(net, client)), {FIRST, SECOND})
            assert len(settled(net, client)) == 2


@pytest.mark.slow
def test_one_without_data_is_looked_after_once_it_has_some(net: Net) -> None:
    start(net)
    ip("mptcp endpoint add 10.0.2.1 dev c2 subflow")
    client, served = net.connect(net.listen(), SERVER)
    with running():
        assert hosts(settled(net, client)) <= {FIRST}
        exchange(client, served)
        eventually(lambda: hosts(subflows(net, client)), {FIRST, SECOND})


@pytest.mark.slow
def test_the_kernels_own_connections_are_left_to_it(net: Net) -> None:
    start(net)
    net.sysctl("net.mptcp.pm_type", 0)
    client, _ = connection(net)
    net.sysctl("net.mptcp.pm_type", 1)
    with running() as broker:
        ip("mptcp endpoint add 10.0.2.1 dev c2 subflow")
        eventually(lambda: hosts(subflows(net, client)), {FIRST, SECOND})
        assert not any("trouble" in line for line in broker.log)


@pytest.mark.slow
def test_a_lost_address_is_another_paths_gain(net: Net) -> None:
    """A subflow whose interface goes is replaced by what the endpoints have still."""
    start(net)
    ip("mptcp limits set subflows 1")
    for host in ("10.0.2.8", "10.0.2.9"):
        ip(f"address add {host}/24 dev c2", f"mptcp endpoint add {host} dev c2 subflow")
    with running():
        client, _ = connection(net)
        eventually(lambda: hosts(subflows(net, client)), {FIRST, ("10.0.2.8", SERVER)})
        ip("mptcp endpoint delete id 1")
        eventually(lambda: hosts(subflows(net, client)), {FIRST, ("10.0.2.9", SERVER)})


@pytest.mark.slow
@pytest.mark.parametrize("claimed", [True, False])
def test_a_connection_that_is_claimed_is_left_alone(net: Net, claimed: bool) -> None:
    start(net)
    ip("mptcp endpoint add 10.0.2.1 dev c2 subflow")
    with running() as broker:
        client, served = net.connect(net.listen(), SERVER)
        if claimed:
            RequestChannel(broker.path).ask(Claim(), client)
        other, beside = net.connect(net.listen(), SERVER)
        exchange(client, served)
        exchange(other, beside)
        eventually(lambda: hosts(subflows(net, other)), {FIRST, SECOND})
        assert hosts(settled(net, client)) == ({FIRST} if claimed else {FIRST, SECOND})


@pytest.mark.slow
def test_a_client_of_the_broker_claims_its_connections(net: Net) -> None:
    """Before it asks for anything; a subflow that it opens is the only one."""
    start(net)
    ip("mptcp endpoint add 10.0.2.1 dev c2 subflow")
    with running() as broker:
        mechanism = BrokerMechanism(broker.path)
        client, served = net.connect(net.listen(), SERVER)
        mechanism.control(client)
        exchange(client, served)
        other, _ = connection(net)
        eventually(lambda: hosts(subflows(net, other)), {FIRST, SECOND})
        assert hosts(settled(net, client)) == {FIRST}


def test_a_client_with_the_privilege_claims_its_connections_too(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(net)
    ip("mptcp endpoint add 10.0.2.1 dev c2 subflow")
    with running() as broker:
        monkeypatch.setenv("MPHTTP_BROKER", broker.path)
        mechanism = best_mechanism()
        assert mechanism.name == "netlink"
        client, served = net.connect(net.listen(), SERVER)
        mechanism.control(client)
        exchange(client, served)
        other, _ = connection(net)
        eventually(lambda: hosts(subflows(net, other)), {FIRST, SECOND})
        assert hosts(settled(net, client)) == {FIRST}


@pytest.mark.slow
def test_a_broker_may_leave_them_all_alone(net: Net) -> None:
    start(net)
    ip("mptcp endpoint add 10.0.2.1 dev c2 subflow")
    with running("--leave-unclaimed"):
        client, _ = connection(net)
        assert hosts(settled(net, client)) == {FIRST}


@pytest.mark.slow
def test_a_servers_addresses_are_announced(net: Net) -> None:
    """Where the broker runs beside the server: clients' kernels join them."""
    start(net)
    net.sysctl("net.mptcp.pm_type", 0)
    with net.server():
        net.sysctl("net.mptcp.pm_type", 1)
        ip(f"mptcp endpoint add {ELSEWHERE} dev lo signal", "mptcp endpoint add 10.0.2.2 signal")
    with net.server(), running() as broker:
        client, served = connection(net)
        addresses = {FIRST, ("10.0.1.1", ELSEWHERE), ("10.0.2.1", "10.0.2.2")}
        eventually(lambda: hosts(subflows(net, client)), addresses)
        exchange(client, served)
        assert not any("trouble" in line for line in broker.log)


@pytest.mark.slow
def test_many_connections(net: Net) -> None:
    """More events than its socket has room for: those that were lost are found."""
    start(net)
    ip("mptcp endpoint add 10.0.2.1 dev c2 subflow")
    listener = net.listen()
    with running() as broker:
        pairs = [net.connect(listener, SERVER) for _ in range(60)]
        for client, served in pairs:
            exchange(client, served)
        for client, _ in pairs:
            eventually(lambda one=client: len(subflows(net, one)), 2)
        for sock in (sock for pair in pairs for sock in pair):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.close()
        assert not any("trouble" in line for line in broker.log)
