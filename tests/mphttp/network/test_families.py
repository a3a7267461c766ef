"""IPv6 alone on one path and IPv4 alone on the other, as with 464XLAT: both carry a body."""

from __future__ import annotations

import ctypes
import socket
import subprocess
from functools import partial
from pathlib import Path as File
from tempfile import TemporaryDirectory
from typing import Any

import certifi
import httpx
import pytest

from mphttp import FullMesh, Handover, MultipathTransport, SinglePath, Strategy
from mphttp.engine.paths import of_other_family
from mphttp.kernel import SocketAddress
from mphttp.kernel.reading.info import IPPROTO_MPTCP
from tests.kernel.namespaces import Net, in_child, ip
from tests.lab.any_door import CLIENTS
from tests.lab.leaks import eventually
from tests.mphttp.ranges.origins import BODY, Origin, whole

pytestmark = pytest.mark.slow  # addresses are looked for on their links at first

_NEWNS = 0x20000
HOST, HOST6 = "203.0.113.1", "2001:db8:ff::1"


def origin(protocol: int, first: str) -> Origin:
    """Serve a name that has two addresses, each of which one path reaches."""
    net = Net()
    net.start()
    with net.server():
        ip(
            f"address add {HOST}/32 dev lo",
            f"address add {HOST6}/128 dev lo nodad",
            "route add 2001:db8:2::/64 via fd00:2::1",
        )
    ip(
        "address del 10.0.2.1/24 dev c2",
        "address del fd00:1::1/64 dev c1",
        "route add default via 10.0.1.2 dev c1",
        "address add 2001:db8:2::1/64 dev c2 nodad",
        "route add default via fd00:2::2 dev c2",
    )
    eventually(_tentative, False)
    with net.server():
        eventually(_tentative, False)
        listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, protocol)
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind(("::", 0))
    listener.listen()
    addresses = (HOST6, HOST) if first == HOST6 else (HOST,)
    _name("dual", *addresses)
    return Origin(whole, listener=listener)


def _tentative() -> bool:
    """Tell whether an IPv6 address is looked for on its link still: it answers nobody then."""
    rows = File("/proc/thread-self/net/if_inet6").read_text().splitlines()
    return any(int(row.split()[4], 16) & 0x40 for row in rows)


def _name(name: str, *addresses: str) -> None:
    if ctypes.CDLL(None).unshare(_NEWNS):
        pytest.skip("no mount namespace here")
    with TemporaryDirectory() as folder:
        hosts = File(folder, "hosts")
        hosts.write_text("".join(f"{address} {name}\n" for address in addresses))
        subprocess.run(["mount", "--bind", str(hosts), "/etc/hosts"], check=True, timeout=20)


def download(
    strategy: Strategy, server: Origin, wanted: int, **options: Any
) -> tuple[dict[str, str], str]:
    """Fetch the body; return the server's address that each path led to, and the mechanism."""
    url = f"http://dual:{server.port}/"
    with (
        server,
        httpx.Client(transport=MultipathTransport(strategy, **options), timeout=20) as client,
        client.stream("GET", url) as response,
    ):
        report = response.extensions["multipath"]
        eventually(lambda: len([s for s in report.subflows if s.opened_at is not None]), wanted)
        server.gate.set()
        assert b"".join(response.iter_raw()) == BODY
    return {subflow.path: subflow.remote[0] for subflow in report.subflows}, report.mechanism


@pytest.mark.parametrize("protocol", [0, IPPROTO_MPTCP], ids=["TCP", "MPTCP"])
@pytest.mark.parametrize("names", [None, ["c1", "c2"], ["c2", "c1"]])
def test_the_only_address_over_a_path_is_used(protocol: int, names: list[str] | None) -> None:
    """Named first, c1 begins with IPv4, whose MPTCP takes no IPv6: then parts are fetched."""

    def fetch() -> None:
        led, mechanism = download(FullMesh(), origin(protocol, HOST6), 2, paths=names)
        assert led == {"c1": HOST, "c2": HOST6}
        joined = protocol == IPPROTO_MPTCP and names != ["c1", "c2"]
        assert mechanism == ("netlink" if joined else "ranges")

    in_child(fetch)


def test_who_wants_one_path_has_one() -> None:
    in_child(lambda: download(SinglePath(), origin(0, HOST6), 1))


@pytest.mark.parametrize("name", ["httpx", "requests"])
def test_with_one_address_there_is_one_path(name: str) -> None:
    """Of the other family nothing is guessed."""

    def fetch() -> None:
        server = origin(0, HOST)
        server.gate.set()
        with server, CLIENTS[name](Handover(), trust=certifi.where()) as client:
            report = client.read(f"http://dual:{server.port}/", len)
        assert {subflow.path for subflow in report.subflows} == {"c1"}

    in_child(fetch)


def test_the_first_address_of_the_other_family() -> None:
    of = partial(of_other_family, SocketAddress("192.0.2.1", 80))
    two = [SocketAddress(host, 80) for host in ("192.0.2.2", "2001:db8::1", "2001:db8::2")]
    assert of(two) == (two[1],)
    assert of([SocketAddress("::ffff:192.0.2.9", 80), SocketAddress("fe80::1", 80)]) == ()
    assert of_other_family(two[1], two) == (two[0],)
