"""What is said of machines that can and that can't, and that each hint names what mends it there.

Kernels that aren't here are told by what they answer: the folder of settings, the errno of a socket
and the controller's words for `mptcp_pm`.
"""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path as File

import pytest

from mphttp.kernel import Finding, findings, probe
from mphttp.kernel.diagnosis.machine import Loopback, Machine, counters, look
from mphttp.kernel.errors import KernelError, NotPermitted, NotSupported
from mphttp.kernel.hints import (
    ALLOW_NETLINK,
    GRANT_NET_ADMIN,
    NEEDS_LINUX,
    SET_UP,
    SWITCH_ON,
    select_userspace_manager,
)
from mphttp.kernel.netlink.codec import pack_attributes, pack_integer
from mphttp.kernel.netlink.genetlink import pack_generic, unpack_family
from mphttp.kernel.path_manager import mechanism
from mphttp.kernel.path_manager.mechanism import event_group

from .namespaces import Net, exchange

NO_OPTIONS = NotSupported("this kernel hasn't the socket options")
NO_BROKER = NotSupported("no broker answers")
NO_CAPABILITY = NotPermitted("no CAP_NET_ADMIN", errno=errno.EPERM, hint=GRANT_NET_ADMIN)
TODAY = Machine(
    settings={"enabled": "1", "pm_type": "1", "path_manager": "userspace"},
    sockopt=NO_OPTIONS,
    broker=NO_BROKER,
    loopback=Loopback(honours_device=True),
)


def family(*commands: int, groups: dict[str, int] | None = None) -> bytes:
    """The controller's answer (net/netlink/genetlink.c, ctrl_fill_info)."""
    told = {n: pack_attributes({1: pack_integer(c, 4)}) for n, c in enumerate(commands, 1)}
    named = {
        n: pack_attributes({1: name.encode() + b"\0", 2: pack_integer(number, 4)})
        for n, (name, number) in enumerate((groups or {}).items(), 1)
    }
    attributes = {1: pack_integer(30, 2), 6: pack_attributes(told), 7: pack_attributes(named)}
    return pack_generic(1, 2, attributes)


def said(machine: Machine) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings(machine)}


def missing(machine: Machine) -> dict[str, str]:
    """What is needed and isn't there, with what mends it."""
    return {f.name: f.mend for f in findings(machine) if f.needed and not f.ok}


def test_a_machine_of_today() -> None:
    assert missing(TODAY) == {}
    assert said(TODAY)["control"].meaning.startswith("CAP_NET_ADMIN")


def test_a_kernel_without_mptcp() -> None:
    """As Linux 5.10 of Debian 11: no setting is there to change, and no server is to blame."""
    no_family = NotSupported("this kernel has no mptcp_pm", errno=errno.ENOENT, hint=NEEDS_LINUX)
    old = Machine(
        release="5.10",
        mptcp=errno.EPROTONOSUPPORT,
        full_info=None,
        sockopt=NO_OPTIONS,
        netlink=no_family,
        broker=NO_BROKER,
    )
    assert missing(old) == {"mptcp": NEEDS_LINUX}
    assert "ranges" in NEEDS_LINUX


def test_a_kernel_with_mptcp_and_without_the_userspace_manager(tmp_path: File) -> None:
    """As Linux 5.15: what `mphttp setup` and sysctl would change isn't there."""
    (tmp_path / "enabled").write_text("1\n")
    with pytest.raises(NotSupported) as raised:
        event_group(unpack_family(family(1, 2, 3, 4, 5, 6, 7, groups={"mptcp_pm_events": 5})))
    old = replace(TODAY, settings=look(tmp_path).settings, netlink=raised.value)
    assert missing(old) == {"path manager": NEEDS_LINUX, "control": NEEDS_LINUX}
    assert said(old)["broker"].mend == NEEDS_LINUX  # nor could `mphttp setup` help
    assert select_userspace_manager(tmp_path) == NEEDS_LINUX


def test_a_family_without_the_group_of_events() -> None:
    """As before Linux 5.12."""
    with pytest.raises(NotSupported) as raised:
        event_group(unpack_family(family(1, 2, groups={"mptcp_pm_cmds": 4})))
    assert raised.value.hint == NEEDS_LINUX


@pytest.mark.parametrize("commands", [(), (7, 8, 9, 10, 11)])
def test_a_family_that_opens_subflows(commands: tuple[int, ...]) -> None:
    """A controller that doesn't tell the commands says nothing against it."""
    assert event_group(unpack_family(family(*commands, groups={"mptcp_pm_events": 5}))) == 5


def test_the_choice_on_a_kernel_whose_manager_takes_no_orders(
    monkeypatch: pytest.MonkeyPatch, tmp_path: File
) -> None:
    """No error but what is needed comes out of the choice, whatever is selected."""
    old = unpack_family(family(1, 2, groups={"mptcp_pm_cmds": 4}))
    monkeypatch.setattr(mechanism, "get_family", lambda *_: old)
    monkeypatch.setattr(probe, "mptcp_error", lambda: 0)
    for selected in (True, False):
        monkeypatch.setattr(probe, "userspace_manager_selected", lambda chosen=selected: chosen)
        monkeypatch.setattr(probe, "select_userspace_manager", lambda: NEEDS_LINUX)
        chosen = probe.best_mechanism()
        assert (chosen.name, chosen.reason and chosen.reason.hint) == ("readonly", NEEDS_LINUX)


@pytest.mark.parametrize(
    ("setting", "mend"),
    [
        ("pm_type", "sudo sysctl -w net.mptcp.pm_type=1"),
        ("path_manager", "sudo sysctl -w net.mptcp.path_manager=userspace"),
    ],
)
def test_the_setting_that_is_there_is_named(tmp_path: File, setting: str, mend: str) -> None:
    (tmp_path / setting).write_text("0\n" if setting == "pm_type" else "kernel\n")
    machine = replace(TODAY, settings=look(tmp_path).settings)
    assert missing(machine) == {"path manager": mend}
    assert select_userspace_manager(tmp_path) == mend


def test_mptcp_that_is_switched_off_and_mptcp_that_a_sandbox_refuses() -> None:
    assert missing(replace(TODAY, mptcp=errno.ENOPROTOOPT)) == {"mptcp": SWITCH_ON}
    (mend,) = missing(replace(TODAY, mptcp=errno.EPROTONOSUPPORT)).values()
    assert "seccomp" in mend


def test_a_kernel_that_turned_mptcp_off_by_itself() -> None:
    """Nobody else is to blame, and writing the setting makes it forget."""
    settings = {**TODAY.settings, "blackhole_timeout": "1800"}
    machine = replace(TODAY, settings=settings, loopback=Loopback(disabled=True))
    assert missing(machine) == {"blackhole": "sudo sysctl -w net.mptcp.blackhole_timeout=1800"}


def test_a_kernel_that_ignores_the_interface() -> None:
    """As Linux 6.1; a routing table for each path mends it."""
    (mend,) = missing(replace(TODAY, loopback=Loopback(honours_device=False))).values()
    assert "ip rule add from" in mend


STOPPED = KernelError("the broker isn't asked", hint="sudo systemctl restart mphttpd.service")
REFUSED = NotPermitted("the broker refuses", hint="usermod")
NO_NETLINK = NotPermitted("this process may not use netlink", hint=ALLOW_NETLINK)


@pytest.mark.parametrize(
    ("change", "mend"),
    [
        ({}, SET_UP),
        ({"root": True}, "docker run --cap-add NET_ADMIN"),
        ({"broker": STOPPED}, STOPPED.hint),
        ({"broker": REFUSED}, "usermod"),
        ({"netlink": NO_NETLINK}, ALLOW_NETLINK),
    ],
)
def test_the_nearest_of_three_ways(change: dict[str, object], mend: str) -> None:
    machine = replace(TODAY, **{"netlink": NO_CAPABILITY, **change})
    assert list(missing(machine)) == ["control"]
    assert said(machine)["control"].mend.endswith(mend)
    assert {"CAP_NET_ADMIN", "broker", "socket options"} <= set(said(machine))


@pytest.mark.parametrize("way", ["sockopt", "netlink", "broker"])
def test_one_of_the_three_ways_is_enough(way: str) -> None:
    """With the paper's kernel, either path manager will do."""
    none = replace(TODAY, netlink=NO_CAPABILITY)
    settings = {"pm_type": "0"} if way == "sockopt" else TODAY.settings
    assert missing(replace(none, settings=settings, **{way: None})) == {}


def test_the_loopback_interface_tells_what_this_kernel_does(net: Net) -> None:
    assert look().loopback == Loopback(disabled=False, honours_device=True)


def test_counters_count_the_connections_of_this_namespace(net: Net) -> None:
    before = counters()["MPCapableSYNTX"]
    exchange(*net.connection())
    assert counters()["MPCapableSYNTX"] == before + 1
