"""Paths that only rules lead to, as many routers and Multipath TCP's own instructions make them."""

from __future__ import annotations

import os
import socket

import pytest

from mphttp.kernel import SocketAddress, paths_to

from ..namespaces import Net, ip

FAR, FAR6 = SocketAddress("203.0.113.7", 443), SocketAddress("2001:db8::7", 443)
BY_SOURCE = (
    "route add default via 10.0.1.2 table 1",
    "route add default via 10.0.2.2 table 2",
    "rule add from 10.0.1.1 table 1",
    "rule add from 10.0.2.1 table 2",
)
BY_SOURCE6 = (
    "-6 route add default via fd00:1::2 dev c1 table 1",
    "-6 route add default via fd00:2::2 dev c2 table 2",
    "-6 rule add from fd00:1::1 table 1",
    "-6 rule add from fd00:2::1 table 2",
)


def rules(*commands: str) -> None:
    """Run commands of iproute2 one by one: -batch takes no options."""
    for command in commands:
        os.spawnvp(os.P_WAIT, "ip", ["ip", *command.split()])


@pytest.mark.slow
@pytest.mark.parametrize("main", [0, 1, 2], ids=["no default", "default 1", "default 2"])
def test_rules_by_source(net: Net, main: int) -> None:
    """With and without a default route in the main table, whose interface comes first."""
    rules(*BY_SOURCE, *BY_SOURCE6)
    if main:
        rules(f"route add default via 10.0.{main}.2", f"-6 route add default via fd00:{main}::2")
    expected = [2, 1] if main == 2 else [1, 2]
    assert [path.name for path in paths_to(FAR)] == [f"c{n}" for n in expected]
    assert sorted(paths_to(FAR), key=lambda p: p.index) == net.paths
    assert [path.name for path in paths_to(FAR6)] == [f"c{n}" for n in expected]
    assert sorted(paths_to(FAR6), key=lambda p: p.index) == net.paths6


def test_of_several_addresses_the_one_that_leads_there(net: Net) -> None:
    rules(
        "address add 10.0.2.7/24 dev c2",
        "address add fd00:2::7/64 dev c2 nodad",
        "route add default via 10.0.1.2",
        "-6 route add default via fd00:1::2",
        "rule add from 10.0.2.7 table 2",
        "-6 rule add from fd00:2::7 table 2",
        *BY_SOURCE[1:2],
        *BY_SOURCE6[1:2],
    )
    assert [path.address for path in paths_to(FAR)] == ["10.0.1.1", "10.0.2.7"]
    assert [path.address for path in paths_to(FAR6)] == ["fd00:1::1", "fd00:2::7"]


def test_a_rule_that_forbids_a_source(net: Net) -> None:
    """The main table would lead there: who is asked without the source doesn't know better."""
    rules(
        "route add default via 10.0.1.2 metric 1",
        "route add default via 10.0.2.2 metric 2",
        "-6 route add default via fd00:1::2 metric 1",
        "-6 route add default via fd00:2::2 metric 2",
        "rule add from 10.0.2.1 prohibit",
        "-6 rule add from fd00:2::1 unreachable",
    )
    assert paths_to(FAR) == net.paths[:1]
    assert paths_to(FAR6) == net.paths6[:1]


@pytest.mark.slow
@pytest.mark.parametrize("family", ["", "-6 "], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize(
    ("rule", "reached"),
    [
        ("oif c2", True),
        ("uidrange 4000-4001", False),
        ("fwmark 7", False),
        ("iif lo from {}", True),
        ("iif c1 from {}", False),
        ("from {} ipproto tcp dport 443", True),
        ("from {} ipproto tcp dport 444", False),
        ("from {} ipproto udp", False),
    ],
)
def test_other_rules(net: Net, family: str, rule: str, reached: bool) -> None:
    """A path is there if a socket of this process would be led through the interface."""
    gateway = "fd00:{}::2" if family else "10.0.{}.2"
    own = (net.paths6 if family else net.paths)[1]
    rules(
        f"{family}route add default via {gateway.format(1)} dev c1",
        f"{family}route add default via {gateway.format(2)} dev c2 table 2",
        f"{family}rule add {rule.format(own.address)} table 2",
    )
    names = {path.name for path in paths_to(FAR6 if family else FAR)}
    assert names == ({"c1", "c2"} if reached else {"c1"})


def test_a_socket_goes_where_the_path_says(net: Net) -> None:
    """What the tables are asked is what the kernel does with a socket that is bound so."""
    rules(*BY_SOURCE, *BY_SOURCE6)
    with net.server():
        ip("address add 203.0.113.7/32 dev lo", "address add 2001:db8::7/128 dev lo nodad")
    for far in (FAR.host, FAR6.host):
        listener = net.listen("::" if ":" in far else "0.0.0.0", 0)
        for path in paths_to(SocketAddress(far, listener.getsockname()[1])):
            with socket.socket(listener.family, socket.SOCK_STREAM) as sock:
                sock.settimeout(20)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, path.name.encode())
                sock.bind((path.address, 0))
                sock.connect((far, listener.getsockname()[1]))
