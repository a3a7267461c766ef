"""Kernels that ignore what SUBFLOW_CREATE says of interface and backup, as Linux 6.1 does.

The kernel is the one that runs: what an older one ignores isn't sent to it.
"""

from __future__ import annotations

import os
import socket
from contextlib import closing
from dataclasses import replace

import pytest

from mphttp.kernel import LeavesElsewhere, NetlinkMechanism, SocketAddress, Subflows
from mphttp.kernel.diagnosis.machine import counters
from mphttp.kernel.interfaces import honoured
from mphttp.kernel.path_manager import control
from mphttp.kernel.path_manager.commands import Address, PathManagerMessage, subflow_create
from mphttp.kernel.reading.listing import SocketLister

from ..namespaces import Net, exchange
from ..syns import Syns

FAR = "203.0.113.7"
TABLES = ("route add default via 10.0.2.2 table 2", "rule add from 10.0.2.1 table 2")


def ignoring(token: int, local: Address, remote: SocketAddress) -> PathManagerMessage:
    return subflow_create(token, replace(local, interface_index=None, flags=None), remote)


@pytest.fixture(autouse=True)
def old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "subflow_create", ignoring)
    monkeypatch.setattr(honoured, "_known", honoured._Known())


def rules(*commands: str) -> None:
    for command in commands:
        os.spawnvp(os.P_WAIT, "ip", ["ip", *command.split()])


def far(net: Net) -> tuple[socket.socket, socket.socket]:
    """Connect by the first of two default routes to a server that is behind both."""
    rules("route add default via 10.0.1.2 metric 1", "route add default via 10.0.2.2 metric 2")
    with net.server():
        rules(f"address add {FAR}/32 dev lo")
    pair = net.connect(net.listen(), FAR)
    exchange(*pair)
    return pair


def test_no_syn_leaves_by_another_interface(net: Net) -> None:
    client, _ = far(net)
    syns = Syns(("c1", "c2"))
    with Subflows(client, NetlinkMechanism()) as subflows:
        for _ in range(2):
            with pytest.raises(LeavesElsewhere, match="than c2") as raised:
                subflows.open(net.paths[1])
        assert len(subflows.ids()) == 1
    assert not syns.take()
    assert "ip route add default via 10.0.2.2 dev c2 table" in raised.value.hint
    assert "mphttp setup --routes" in raised.value.hint


def test_what_the_hint_says_mends_it(net: Net) -> None:
    client, _ = far(net)
    with Subflows(client, NetlinkMechanism()) as subflows:
        with pytest.raises(LeavesElsewhere) as raised:
            subflows.open(net.paths[1])
        commands = [part for part in raised.value.hint.split("; ") if "sudo ip " in part]
        rules(*(part.partition("sudo ip ")[2] for part in commands))
        syns = Syns(("c1", "c2"))
        subflows.open(net.paths[1])
        assert syns.take() == {("c2", "10.0.2.1"): 1}


def test_source_routing_needs_no_trial(net: Net) -> None:
    client, _ = far(net)
    rules(*TABLES)
    with Subflows(client, NetlinkMechanism()) as subflows:
        subflows.open(net.paths[1])
    assert honoured._known == honoured._Known()


@pytest.mark.slow
def test_ipv6_as_well(net: Net) -> None:
    rules(
        "-6 route add default via fd00:1::2 dev c1 metric 1",
        "-6 route add default via fd00:2::2 dev c2 metric 2",
    )
    with net.server():
        rules("address add 2001:db8::7/128 dev lo nodad")
    client, served = net.connect(net.listen("::"), "2001:db8::7")
    exchange(client, served)
    syns = Syns(("c1", "c2"))
    with Subflows(client, NetlinkMechanism()) as subflows:
        with pytest.raises(LeavesElsewhere, match="than c2"):
            subflows.open(net.paths6[1])
        assert not syns.take()
        rules(
            "-6 route add default via fd00:2::2 dev c2 table 2",
            "-6 rule add from fd00:2::1 table 2",
        )
        subflows.open(net.paths6[1])
        assert syns.take() == {("c2", "fd00:2::1"): 1}


def test_where_nothing_can_be_tried_it_is_looked_at(net: Net) -> None:
    """The loopback interface is down: one SYN shows what the kernel does, and no other follows."""
    client, _ = far(net)
    rules("link set lo down")
    with Subflows(client, NetlinkMechanism()) as subflows:
        with pytest.raises(LeavesElsewhere):
            subflows.open(net.paths[1])
        syns = Syns(("c1", "c2"))
        with pytest.raises(LeavesElsewhere):
            subflows.open(net.paths[1])
        assert not syns.take()


@pytest.mark.parametrize("ignored", [True, False])
def test_a_backup_is_one_for_the_peer(
    net: Net, monkeypatch: pytest.MonkeyPatch, ignored: bool
) -> None:
    """By the flag of the join, or else by MP_PRIO; asked for once."""
    if not ignored:
        monkeypatch.setattr(control, "subflow_create", subflow_create)
    client, _ = far(net)
    rules(*TABLES)
    before = counters()["MPPrioTx"]
    with Subflows(client, NetlinkMechanism()) as subflows:
        subflows.open(net.paths[1], backup=True)
        with net.server(), closing(SocketLister()) as lister:
            (listing,) = lister.connections()
        backup = {row.info.tuple.remote.host: row.backup for row in listing.subflows}
        assert backup == {"10.0.1.1": False, "10.0.2.1": True}
        assert counters()["MPPrioTx"] - before <= 1


def test_this_kernel_does_as_it_is_told(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or else it refuses: there is no third way."""
    monkeypatch.setattr(control, "subflow_create", subflow_create)
    client, _ = far(net)
    syns = Syns(("c1", "c2"))
    with Subflows(client, NetlinkMechanism()) as subflows:
        try:
            subflows.open(net.paths[1])
        except LeavesElsewhere:
            assert not syns.take()
        else:
            assert syns.take() == {("c2", "10.0.2.1"): 1}
