"""A VPN takes all: what would go around it isn't a path, unless it is named."""

from __future__ import annotations

import subprocess
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.kernel import ProtocolError, SocketAddress, paths_to
from mphttp.kernel.interfaces.paths import paths_outside
from mphttp.kernel.interfaces.probing import probed_paths
from mphttp.kernel.interfaces.tunnels import (
    Device,
    Entry,
    Rule,
    outside,
    unpack_device,
    unpack_rule,
)

from ..namespaces import Net

FAR, FAR6 = SocketAddress("203.0.113.7", 443), SocketAddress("2001:db8::7", 443)
WG_QUICK = (
    "{} route add default via {gate} dev c2 table 51820",
    "{} rule add not fwmark 51820 table 51820",
    "{} rule add table main suppress_prefixlength 0",
)
TAILSCALE = (
    "{} rule add fwmark 0x80000/0xff0000 lookup main pref 5210",
    "{} rule add fwmark 0x80000/0xff0000 unreachable pref 5250",
    "{} rule add from all lookup 52 pref 5270",
    "{} route add default via {gate} dev c2 table 52",
)
OPENVPN = ("{} route add {low} via {gate} dev c2", "{} route add {high} via {gate} dev c2")
ONE_USER = (
    "{} rule add uidrange 0-0 table 7",  # whoever it is outside, here it is root
    "{} route add default via {gate} dev c2 table 7",
)


def run(*commands: str) -> None:
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True, timeout=20)


def by_family(family: str, commands: tuple[str, ...]) -> list[str]:
    words = {
        "-4": {"gate": "10.0.2.2", "low": "0.0.0.0/1", "high": "128.0.0.0/1"},
        "-6": {"gate": "fd00:2::2", "low": "2000::/4", "high": "3000::/4"},
    }
    return [command.format(family, **words[family]) for command in commands]


@pytest.mark.slow
@pytest.mark.parametrize("family", ["-4", "-6"])
@pytest.mark.parametrize(
    "commands",
    [WG_QUICK, TAILSCALE, OPENVPN, ONE_USER],
    ids=["wg-quick", "Tailscale", "OpenVPN", "one user"],
)
def test_routes_that_take_all(net: Net, family: str, commands: tuple[str, ...]) -> None:
    """As these programs make them; the interface is a plain one, so that the routes alone tell."""
    gate, far, paths = (
        ("10.0.1.2", FAR, net.paths) if family == "-4" else ("fd00:1::2", FAR6, net.paths6)
    )
    run(f"{family} route add default via {gate} dev c1", *by_family(family, commands))
    assert paths_to(far) == paths[1:]
    assert paths_outside(far) == paths[:1]
    assert paths_to(far, ["c1"]) == paths[:1]
    assert paths_to(far, ["c1", "c2"]) == paths
    if family == "-4" and "table" in "".join(commands):
        assert probed_paths(far.host) == paths[1:]  # without netlink


@pytest.mark.parametrize("family", ["-4", "-6"])
@pytest.mark.parametrize(
    "commands",
    [
        ("{} route add default via {gate} dev c2 metric 5",),
        ("{} rule add fwmark 7 table 7", "{} route add default via {gate} dev c2 table 7"),
        ("{} rule add oif c2 table 7", "{} route add default via {gate} dev c2 table 7"),
    ],
    ids=["metrics", "a mark", "an interface"],
)
def test_uplinks_are_no_tunnels(net: Net, family: str, commands: tuple[str, ...]) -> None:
    gate, far = ("10.0.1.2", FAR) if family == "-4" else ("fd00:1::2", FAR6)
    run(f"{family} route add default via {gate} dev c1 metric 9", *by_family(family, commands))
    names = {"c1"} if "fwmark" in commands[0] else {"c1", "c2"}
    assert {path.name for path in paths_to(far)} == names
    assert paths_outside(far) == []


def test_a_tunnel_with_the_better_metric(net: Net) -> None:
    """As NetworkManager has it: the kind of the interface tells."""
    _make_tun("t0", 5)
    run("route add default via 10.0.1.2 dev c1 metric 600")
    assert [path.name for path in paths_to(FAR)] == ["t0"]
    assert paths_outside(FAR) == net.paths[:1]


def test_a_tunnel_that_has_a_part_only(net: Net) -> None:
    _make_tun("t0", None)
    run("route add 203.0.113.0/24 dev t0", "route add default via 10.0.1.2 dev c1 metric 600")
    assert [path.name for path in paths_to(FAR)] == ["t0"]
    assert paths_to(SocketAddress("198.51.100.1", 1)) == net.paths[:1]


def test_two_tunnels_are_two_uplinks(net: Net) -> None:
    _make_tun("t0", 5)
    _make_tun("t1", 6)
    assert [path.name for path in paths_to(FAR)] == ["t0", "t1"]


def _make_tun(name: str, metric: int | None) -> None:
    try:
        run(f"tuntap add {name} mode tun")
    except subprocess.CalledProcessError:
        pytest.skip("/dev/net/tun can't be opened here")
    run(f"address add 10.9.{name[1:]}.1/24 dev {name}", f"link set {name} up")
    if metric is not None:
        run(f"route add default dev {name} metric {metric}")


ETHERNET, MODEM = Device(1, point_to_point=False, kind=""), Device(65534, True, "")
PPP, WIREGUARD = Device(512, True, "ppp"), Device(65534, True, "wireguard")
MAIN = [Rule(0, 255, -1), Rule(32766, 254, -1)]


@pytest.mark.parametrize(
    ("device", "other", "far_hosts", "around"),
    [
        (PPP, ETHERNET, [], set()),
        (PPP, ETHERNET, [2], {2}),
        (PPP, ETHERNET, [1], set()),
        (PPP, ETHERNET, [9], set()),
        (PPP, PPP, [], set()),
        (MODEM, ETHERNET, [], set()),
        (MODEM, ETHERNET, [2], {2}),
        (MODEM, PPP, [], set()),
        (ETHERNET, ETHERNET, [2], set()),
        (ETHERNET, WIREGUARD, [], set()),
        (WIREGUARD, ETHERNET, [], {2}),
        (WIREGUARD, MODEM, [], {2}),
        (WIREGUARD, WIREGUARD, [], set()),
        (Device(768, True, "ipip"), ETHERNET, [], {2}),
        (Device(776, False, ""), ETHERNET, [], {2}),
    ],
)
def test_what_is_a_tunnel(
    device: Device, other: Device, far_hosts: list[int], around: set[int]
) -> None:
    """A modem that is ppp or point to point is an uplink like any other."""
    found = outside(
        Entry(1, 254, 0),
        [Entry(2, 254, 0)],
        rules=MAIN,
        devices={1: device, 2: other},
        far_hosts=far_hosts,
    )
    assert found == around


@given(st.binary(max_size=80))
def test_any_bytes_end_in_values_or_a_protocol_error(data: bytes) -> None:
    with suppress(ProtocolError):
        unpack_device(data)
    with suppress(ProtocolError):
        unpack_rule(data, 0)
