"""Which addresses are connected to for whom."""

from __future__ import annotations

import ipaddress

import pytest

from mphttp.proxy.destinations import Destinations, is_loopback

PUBLIC = ["8.8.8.8", "198.51.100.7", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
PRIVATE = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.8.9.10",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.168.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "::10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]


def refusal(address: str, *, local: bool = False, own: bool = False, **rules: object) -> str | None:
    rules_of = Destinations(**rules)  # type: ignore[arg-type]
    return rules_of.refusal(address, 80, local_client=local, own=own)


@pytest.mark.parametrize("address", PRIVATE)
def test_other_machines_reach_no_private_network(address: str) -> None:
    assert refusal(address) is not None
    assert refusal(address, local=True) is None


@pytest.mark.parametrize("address", PUBLIC)
def test_other_machines_reach_public_addresses(address: str) -> None:
    assert refusal(address) is None


@pytest.mark.parametrize("address", PUBLIC)
def test_other_machines_don_t_reach_this_one(address: str) -> None:
    assert refusal(address, own=True) == "that is the proxy's machine"


def test_a_network_that_is_allowed() -> None:
    allowed = (ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00::/64"))
    assert [
        refusal(a, allowed=allowed) is None for a in ("10.1.2.3", "::ffff:10.1.2.3", "fd00::1")
    ] == [True] * 3
    assert [refusal(a, allowed=allowed) is None for a in ("10.2.0.1", "fd00:1::1")] == [False] * 2


@pytest.mark.parametrize(
    ("listening", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "::ffff:127.0.0.1"),
        ("127.0.0.1", "0.0.0.0"),
        ("::1", "::1"),
        ("::1", "::"),
        ("0.0.0.0", "127.3.4.5"),
    ],
)
def test_the_proxy_itself(listening: str, address: str) -> None:
    rules = Destinations(listening=((listening, 80),))
    for local in (True, False):
        told = rules.refusal(address, 80, local_client=local, own=False)
        assert told == "that is the proxy itself"
    assert rules.refusal(address, 81, local_client=True, own=False) is None


def test_the_proxy_itself_by_an_address_of_the_machine() -> None:
    rules = Destinations(listening=(("0.0.0.0", 80),))
    assert rules.refusal("192.0.2.7", 80, local_client=True, own=True) == "that is the proxy itself"
    assert rules.refusal("192.0.2.7", 80, local_client=True, own=False) is None


def test_loopback() -> None:
    assert [is_loopback(a) for a in ("127.0.0.1", "::1", "::ffff:127.0.0.1")] == [True] * 3
    assert [is_loopback(a) for a in ("0.0.0.0", "10.0.0.1", "::", "::ffff:10.0.0.1")] == [False] * 4
