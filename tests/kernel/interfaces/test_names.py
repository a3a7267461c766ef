"""Names of interfaces: up to 15 bytes, any but spaces, slashes and colons; and alternative ones."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace

import pytest

from mphttp.engine import Request
from mphttp.kernel import SocketAddress, path_of, paths_to
from mphttp.kernel.connection_events import InterfaceDown, InterfaceUp
from mphttp.kernel.interfaces.changes import Interfaces, Link
from mphttp.kernel.interfaces.paths import index_of, interfaces
from mphttp.kernel.interfaces.probing import probed_interfaces, probed_paths
from mphttp.network.dial import dial
from mphttp.network.start import Start
from mphttp.network.time_limit import TimeLimit
from mphttp.strategies import SinglePath

from ..namespaces import Net

NAMES = [
    b"lt\xff",
    b"eth0.100",
    b"fifteen-bytes-1",
    "wlan\N{LINE SEPARATOR}0".encode(),
    b"a\x1cb\x85",
    b"../x".replace(b"/", b"\\"),
    "größe".encode(),
    b"50[x]@if",
]
FAR = SocketAddress("203.0.113.7", 443)


def run(*command: str | bytes) -> None:
    subprocess.run(command, check=True, timeout=20)


def renamed(net: Net, name: bytes) -> str:
    """Give the second interface another name, and both a default route; return it as text."""
    run("ip", "link", "set", "c2", "down")
    run("ip", "link", "set", "c2", "name", name)
    run("ip", "link", "set", name, "up")
    run("ip", "route", "add", "default", "via", "10.0.1.2", "metric", "1")
    run("ip", "route", "add", "default", "via", "10.0.2.2", "metric", "2")
    net.paths[1] = replace(net.paths[1], name=os.fsdecode(name))
    return net.paths[1].name


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_any_name(net: Net, name: bytes) -> None:
    """It is found, used, and the same with and without netlink."""
    text = renamed(net, name)
    assert paths_to(FAR) == net.paths == probed_paths(FAR.host)
    assert paths_to(FAR, [text]) == net.paths[1:]
    assert path_of("10.0.2.1") == net.paths[1]
    assert index_of(text) == net.paths[1].index
    assert probed_interfaces() == interfaces()
    with net.server():
        run("ip", "address", "add", FAR.host, "dev", "lo")
    place = FAR.host, net.listen(protocol=0).getsockname()[1]
    request = Request("http://www.example/", SinglePath(path=text))
    for names in (None, [text]):
        with request, dial(*place, limit=TimeLimit(20), start=Start(names)) as sock:
            assert sock.getsockname()[0] == "10.0.2.1"


@pytest.mark.slow
@pytest.mark.parametrize("other", [b"modem", b"enp0s20f0u1-the-modem-in-the-attic", b"lt\xfe"])
def test_other_names_are_as_good(net: Net, other: bytes) -> None:
    """Of `ip link property`, which systemd and udev make; the report has the first name."""
    renamed(net, b"lte0")
    run("ip", "link", "property", "add", "dev", "lte0", "altname", other)
    text = os.fsdecode(other)
    assert paths_to(FAR, [text, "c1", "lte0"]) == net.paths[::-1]
    with net.server():
        run("ip", "address", "add", FAR.host, "dev", "lo")
    place = FAR.host, net.listen(protocol=0).getsockname()[1]
    for request, names in (
        (Request("http://www.example/", SinglePath()), [text, "c1"]),
        (Request("http://www.example/", SinglePath(path=text)), None),
    ):
        with request, dial(*place, limit=TimeLimit(20), start=Start(names)) as sock:
            assert sock.getsockname()[0] == "10.0.2.1"
        assert request.problems == []


@pytest.mark.parametrize("name", ["", "wlan99", "x" * 16, "x" * 128, "lo\0x", "\ud800", "a/b"])
def test_what_is_no_name_is_no_interface(name: str) -> None:
    assert index_of(name) is None


def test_another_name_is_news() -> None:
    """Since 6.2 an interface may be up meanwhile."""
    known = Interfaces()
    assert list(known.step(Link(7, "wlan0", up=True))) == [InterfaceUp("wlan0", 7)]
    assert list(known.step(Link(7, "wifi", up=True))) == [
        InterfaceDown("wlan0", 7),
        InterfaceUp("wifi", 7),
    ]
    assert list(known.step(Link(7, "wifi", up=True))) == []
