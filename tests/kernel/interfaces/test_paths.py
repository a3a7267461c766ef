"""Paths on real interfaces and routing tables."""

from __future__ import annotations

import socket
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.kernel import Path, ProtocolError, SocketAddress, path_of, paths_to
from mphttp.kernel.interfaces.routes import _unpack_route, unpack_address

from ..namespaces import Net, ip

FAR, FAR6 = SocketAddress("203.0.113.7", 443), SocketAddress("2001:db8::7", 443)


def test_a_path_for_each_route_the_preferred_one_first(net: Net) -> None:
    """Two default routes are two paths; the one with the smaller metric comes first."""
    ip("route add default via 10.0.1.2 metric 20", "route add default via 10.0.2.2 metric 10")
    assert paths_to(FAR) == [net.paths[1], net.paths[0]]
    ip("route add default via 10.0.1.2 metric 5")
    assert paths_to(FAR) == net.paths


def test_an_interface_without_a_route_is_no_path(net: Net) -> None:
    """IPv4 would take its link for the place where everybody is; the routing table knows better."""
    ip("route add default via 10.0.1.2")
    bridge = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bridge.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"c2")
    bridge.connect(FAR)  # it works, and that is the trap
    assert paths_to(FAR) == net.paths[:1]
    assert paths_to(SocketAddress("10.0.2.2", 80)) == [net.paths[1], net.paths[0]]


def test_ipv6_paths(net: Net) -> None:
    ip("route add default via fd00:1::2 metric 20", "route add default via fd00:2::2 metric 10")
    assert paths_to(FAR6) == [net.paths6[1], net.paths6[0]]
    assert paths_to(SocketAddress("fd00:2::2", 80))[0] == net.paths6[1]


def test_without_a_route_there_is_no_path(net: Net) -> None:
    assert paths_to(FAR) == []
    assert paths_to(FAR6) == []


def test_a_link_that_is_down_is_no_path(net: Net) -> None:
    ip("route add default via 10.0.1.2 metric 20", "route add default via 10.0.2.2 metric 10")
    ip("link set c2 down")
    assert paths_to(FAR) == net.paths[:1]


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.1.1", "::1", "fd00:1::1"])
def test_this_machine_is_reached_through_loopback_alone(net: Net, host: str) -> None:
    """Also where default routes would take a packet for it."""
    ip("route add default via 10.0.1.2", "route add default via fd00:2::2 dev c2")
    assert paths_to(SocketAddress(host, 80)) == [Path("lo", 1, host)]


def test_names_choose_and_order(net: Net) -> None:
    """Chosen interfaces come in the order of the choice; those that don't reach it are left out."""
    ip("route add default via 10.0.1.2 metric 10", "route add default via 10.0.2.2 metric 20")
    assert paths_to(FAR, ["c2", "lo", "c1"]) == [net.paths[1], net.paths[0]]
    assert paths_to(FAR, ["c2"]) == [net.paths[1]]


def test_an_unknown_name_lists_the_known_ones(net: Net) -> None:
    with pytest.raises(ValueError, match="no interface wifi; there are lo, c1, c2"):
        paths_to(FAR, ["c1", "wifi"])


def test_a_mapped_address_is_an_ipv4_one(net: Net) -> None:
    assert paths_to(SocketAddress("::ffff:10.0.2.2", 80)) == [net.paths[1]]


@pytest.mark.parametrize("host", ["example.org", "", "10.0.0.300"])
def test_a_name_is_no_address(host: str) -> None:
    with pytest.raises(ValueError, match="address"):
        paths_to(SocketAddress(host, 80))


def test_the_interface_that_owns_an_address(net: Net) -> None:
    for path in net.paths + net.paths6:
        assert path_of(path.address) == path
    assert path_of("127.0.0.9") == Path("lo", 1, "127.0.0.9")
    assert path_of("10.0.1.77") is None
    assert path_of("fd00:1:0::1") == net.paths6[0]


@given(st.binary(max_size=80))
def test_any_bytes_end_in_values_or_a_protocol_error(data: bytes) -> None:
    for read in (_unpack_route, unpack_address):
        with suppress(ProtocolError):
            read(data)
