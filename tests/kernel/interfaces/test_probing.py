"""Paths that are found without netlink are those that netlink tells."""

from __future__ import annotations

import pytest

from mphttp.kernel.interfaces.paths import interfaces, path_of, paths_to
from mphttp.kernel.interfaces.probing import probed_interfaces, probed_path_of, probed_paths
from mphttp.kernel.values import SocketAddress
from tests.kernel.namespaces import Net, ip


@pytest.mark.slow
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.3.4.5", "::1", "10.0.1.2", "10.0.2.2", "10.0.2.1", "fd00:1::2"]
)
def test_paths(net: Net, host: str) -> None:
    assert probed_paths(host) == paths_to(SocketAddress(host, 80))


def test_two_default_routes(net: Net) -> None:
    """Both are paths, in the order of their metrics; an interface without one is none."""
    ip("link add without type veth peer name other")
    ip("addr add 10.9.9.1/24 dev without")
    ip("link set without up")
    ip("link set other up")
    ip("route add default via 10.0.2.2 dev c2 metric 100")
    ip("route add default via 10.0.1.2 dev c1 metric 200")
    found = probed_paths("192.0.2.1")
    assert [path.name for path in found] == ["c2", "c1"]
    assert found == paths_to(SocketAddress("192.0.2.1", 80))


def test_interfaces(net: Net) -> None:
    assert probed_interfaces() == interfaces()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.4.5", "::1", "10.0.2.1", "fd00:2::1"])
def test_the_interface_of_an_address(net: Net, host: str) -> None:
    found = probed_path_of(host)
    assert found is not None
    assert found == path_of(host)


def test_an_address_that_is_not_ours(net: Net) -> None:
    assert probed_path_of("203.0.113.77") is None
