"""`mphttp setup --routes`: a routing table for each uplink, with whoever manages the network."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from mphttp.broker import uplinks
from mphttp.broker.installation import Remove, Run, Write
from mphttp.kernel import SocketAddress, paths_to
from mphttp.kernel.interfaces.source_routing import leaves_elsewhere
from tests.kernel.namespaces import Net

from .test_setup import files, setup

pytestmark = pytest.mark.slow

SCRIPT = Path(uplinks.__file__).with_name("uplink_routes.sh")
FAR, FAR6 = SocketAddress("203.0.113.7", 443), SocketAddress("2001:db8::7", 443)
DEFAULTS = (
    "route add default via 10.0.1.2 dev c1 metric 100",
    "route add default via 10.0.2.2 dev c2 metric 200",
    "-6 route add default via fd00:1::2 dev c1 metric 100",
    "-6 route add default via fd00:2::2 dev c2 metric 200",
)


def ip(*commands: str) -> str:
    told = [
        subprocess.run(["ip", *c.split()], capture_output=True, text=True, check=True).stdout
        for c in commands
    ]
    return "".join(told)


def routes(*arguments: str) -> None:
    done = subprocess.run(["sh", SCRIPT, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def elsewhere() -> list[str]:
    """The paths whose address leaves by another interface."""
    found = [(path, to) for to in (FAR, FAR6) for path in paths_to(to)]
    assert len(found) == 4
    return [path.address for path, to in found if leaves_elsewhere(path, to.host)]


def tables() -> list[str]:
    """The rules, and the routes with a gateway; IPv6's own come and go."""
    told = ip("rule", "-6 rule", "route show table all", "-6 route show table all")
    return [line for line in told.splitlines() if "lookup" in line or " via " in line]


def test_each_address_leaves_by_its_interface(net: Net) -> None:
    ip(*DEFAULTS)
    before = tables()
    assert elsewhere() == ["10.0.2.1", "fd00:2::1"]
    routes()
    assert elsewhere() == []
    once = tables()
    routes()
    assert tables() == once
    routes("remove")
    assert tables() == before


def test_what_changes_is_followed(net: Net) -> None:
    ip(*DEFAULTS, "rule add from 10.0.1.7 table 7")
    routes()
    ip("address add 10.0.2.9/24 dev c2", "address del fd00:2::1/64 dev c2")
    ip("route del default via 10.0.1.2")
    routes()
    own = [line.split() for line in ip("rule", "-6 rule").splitlines() if "proto 77" in line]
    sources = {words[2] for words in own}
    assert sources == {"10.0.2.1", "10.0.2.9", "fd00:1::1"}
    routes("remove")
    assert not any("proto 77" in line for line in tables())
    assert "from 10.0.1.7 lookup 7" in ip("rule")  # somebody else's


def test_near_hosts_are_reached_as_before(net: Net) -> None:
    """What the main table has that is more than a default route holds for all addresses."""
    ip(*DEFAULTS, "route add 198.51.100.0/24 via 10.0.1.2 dev c1")
    routes()
    assert "dev c1" in ip("route get 198.51.100.7 from 10.0.2.1")
    assert "via" not in ip("route get 10.0.2.2 from 10.0.2.1")


def test_a_vpn_keeps_everything(net: Net) -> None:
    """Its rules, as wg-quick makes them, come before."""
    ip(*DEFAULTS)
    routes()
    ip("link add vpn type veth peer name far", "address add 10.9.0.1/32 dev vpn", "link set vpn up")
    ip("route add default dev vpn table 51820", "rule add not fwmark 51820 table 51820")
    assert "dev vpn" in ip("route get 203.0.113.7 from 10.0.2.1")


def test_it_watches(net: Net) -> None:
    ip(*DEFAULTS[:1])
    with subprocess.Popen(["sh", SCRIPT, "watch"], start_new_session=True) as watcher:
        try:
            wait_for("from 10.0.1.1 ")
            ip(DEFAULTS[1])
            wait_for("from 10.0.2.1 ")
        finally:
            os.killpg(watcher.pid, 15)


def wait_for(words: str) -> None:
    while words not in ip("rule"):  # the test's own time ends it
        pass


MANAGED = {
    "NetworkManager": {"etc/NetworkManager/dispatcher.d/90-mphttp"},
    "ifupdown": {"etc/network/if-up.d/mphttp", "etc/network/if-post-down.d/mphttp"},
    "systemd-networkd": set[str](),
}
SIGNS = {
    "NetworkManager": "etc/NetworkManager",
    "ifupdown": "etc/network/if-up.d",
    "systemd-networkd": "run/systemd/netif",
}


@pytest.mark.parametrize("name", MANAGED)
def test_it_writes_for_whoever_manages_the_network(tmp_path: Path, name: str) -> None:
    (tmp_path / SIGNS[name]).mkdir(parents=True)
    assert uplinks.managers(tmp_path) == [name]
    assert setup("--routes", "--root", str(tmp_path)).returncode == 0
    written = files(tmp_path) - {f"etc/systemd/system/{uplinks.SERVICE}"}
    assert written == {uplinks.SCRIPT.lstrip("/")} | MANAGED[name]
    for path in written:
        assert stat.S_IMODE((tmp_path / path).stat().st_mode) == 0o755
        assert (tmp_path / path).read_text().startswith("#!/bin/sh\n")
    assert setup("--routes", "--undo", "--root", str(tmp_path)).returncode == 0
    assert files(tmp_path) == set()


@pytest.mark.parametrize("found", [[], ["systemd-networkd"], ["ifupdown"]])
def test_a_service_watches_where_nobody_calls(found: list[str]) -> None:
    steps = uplinks.install(found, systemd=True)
    units = [step for step in steps if isinstance(step, Write) and "[Service]" in step.text]
    assert bool(units) == ("ifupdown" not in found)
    back = {step.path for step in uplinks.undo(systemd=True) if isinstance(step, Remove)}
    assert back >= {step.path for step in steps if isinstance(step, Write)}
    assert steps[-1] == Run((uplinks.SCRIPT,), steps[-1].why)


@pytest.mark.skipif(shutil.which("dash") is None, reason="dash isn't here")
def test_the_script_is_plain_sh() -> None:
    subprocess.run(["dash", "-n", SCRIPT], check=True)
