"""What a machine can do for a connection's subflows, and what mends what it can't. Pure.

Three ways lead to control of subflows, and one of them is enough: the paper's socket options (a
kernel of its own), the capability CAP_NET_ADMIN (netlink), and a broker that has it.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass

from ..broker.channel import socket_path
from ..errors import KernelError, NotSupported
from ..hints import ALLOW_NETLINK, NEEDS_LINUX, SET_UP, SWITCH_ON, USERSPACE_MANAGER
from .machine import Machine, look

_CAPABILITY, _BROKER, _PAPER = "CAP_NET_ADMIN", "broker", "socket options"
_CONTAINER = "give the container the capability, such as: docker run --cap-add NET_ADMIN"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Args:
        name: what, in a word or two.
        ok: whether it is as it should be.
        meaning: what it is, and what follows, in a sentence.
        mend: the command, or the words, that mend it; "" where nothing is to mend.
        needed: whether opening and closing subflows depends on it.
    """

    name: str
    ok: bool
    meaning: str
    mend: str = ""
    needed: bool = True


def findings(machine: Machine | None = None) -> list[Finding]:
    """Say what a machine can do, and what it lacks.

    Args:
        machine: as it was found; None for this one, as it is now.
    """
    machine = look() if machine is None else machine
    return [
        _mptcp(machine),
        *_blackhole(machine),
        *_full_info(machine),
        *_path_manager(machine),
        *_control(machine),
        *_device(machine),
        *_reverse_path_filters(machine),
        _subflow_options(machine),
    ]


def _mptcp(machine: Machine) -> Finding:
    name, linux = "mptcp", f"Linux {machine.release}".rstrip()
    match machine.mptcp:
        case 0:
            return Finding(name, True, f"{linux} makes MPTCP sockets")
        case errno.ENOPROTOOPT:
            what = "MPTCP is switched off: every connection is TCP"
            return Finding(name, False, what, SWITCH_ON)
        case errno.EPROTONOSUPPORT | errno.EINVAL if not machine.settings:
            what = f"{linux} has no MPTCP: every connection is TCP, whatever the server has"
            return Finding(name, False, what, NEEDS_LINUX)
    what = "this process may not make MPTCP sockets: every connection is TCP"
    mend = "let the sandbox's filter (seccomp, SELinux) allow the protocol 262 of socket(2)"
    return Finding(name, False, what, mend)


def _blackhole(machine: Machine) -> Iterator[Finding]:
    """Tell what no server is to blame for (net/mptcp/ctrl.c, mptcp_active_should_disable)."""
    if machine.loopback is None or not machine.loopback.disabled:
        return
    seconds = machine.settings.get("blackhole_timeout") or "3600"
    what = (
        "the kernel makes every new connection plain TCP for a while, since SYNs with MPTCP were "
        "dropped on some path"
    )
    # Writing it, be it the same value, has the kernel forget (proc_blackhole_detect_timeout).
    yield Finding("blackhole", False, what, f"sudo sysctl -w net.mptcp.blackhole_timeout={seconds}")


def _full_info(machine: Machine) -> Iterator[Finding]:
    if machine.full_info is None:
        return
    known = "have unique ids (MPTCP_FULL_INFO)" if machine.full_info else "are known by addresses"
    yield Finding("full info", True, f"subflows {known}")


def _path_manager(machine: Machine) -> Iterator[Finding]:
    name = "path manager"
    if machine.sockopt is None or (machine.mptcp and not machine.settings):
        return  # either will do; or there is none
    manager = machine.settings.get("path_manager")
    if manager == "userspace" or (manager is None and machine.settings.get("pm_type") == "1"):
        yield Finding(name, True, "programs manage the paths of new connections")
        return
    setting = next((s for s in USERSPACE_MANAGER if s in machine.settings), None)
    if setting is None:
        what = "this kernel manages the paths of every connection by itself, and can't do otherwise"
        yield Finding(name, False, what, NEEDS_LINUX)
    else:
        what = "the kernel manages the paths of new connections by itself"
        yield Finding(name, False, what, f"sudo sysctl -w {USERSPACE_MANAGER[setting]}")


def _control(machine: Machine) -> Iterator[Finding]:
    """Say which of the three ways is there; where none is, which one is nearest."""
    if machine.mptcp and not machine.settings:
        return  # there is nothing to control
    ways = (
        (_PAPER, machine.sockopt, "whoever holds a connection's socket controls its subflows"),
        (_CAPABILITY, machine.netlink, "subflows can be opened and closed through netlink"),
        (_BROKER, machine.broker, f"the broker at {socket_path()} opens and closes subflows"),
    )
    there = [way for way in ways if way[1] is None]
    for name, _, meaning in there:
        yield Finding(name, True, meaning, needed=False)
    if there:
        yield Finding("control", True, f"{there[0][0]} is there; one of three ways is enough")
        return
    for name, error, _ in ways:
        if error is not None:
            yield Finding(name, False, error.what, _mend_of(name, error, machine), needed=False)
    nearest, mend = _nearest(machine)
    what = (
        f"subflows can't be opened or closed; one of three ways is enough, the nearest: {nearest}"
    )
    yield Finding("control", False, what, mend)


def _nearest(machine: Machine) -> tuple[str, str]:
    """Choose the way that asks for the least, of three that aren't there."""
    netlink, broker = machine.netlink, machine.broker
    if isinstance(netlink, NotSupported):
        return "another kernel", netlink.hint
    if broker is not None and not isinstance(broker, NotSupported):
        return "the broker that is there", broker.hint
    if netlink is not None and netlink.hint == ALLOW_NETLINK:
        return "netlink, which a sandbox refuses", ALLOW_NETLINK
    if machine.root:
        return "the capability CAP_NET_ADMIN, which this root hasn't", _CONTAINER
    return "a broker", SET_UP


def _mend_of(name: str, error: KernelError, machine: Machine) -> str:
    if name == _BROKER and isinstance(error, NotSupported):
        # Where the kernel has no such commands, a broker has none either.
        lacks = isinstance(machine.netlink, NotSupported)
        return machine.netlink.hint if lacks and machine.netlink else SET_UP
    if name == _PAPER:
        return "make kernel, with the project's source: Linux 6.12 with the paper's patch"
    return error.hint


def _device(machine: Machine) -> Iterator[Finding]:
    if machine.loopback is None or machine.loopback.honours_device is not False:
        return
    what = (
        "this kernel opens subflows by the route of their address, not on the interface that is "
        "asked for"
    )
    mend = (
        "a routing table for each path, for example: sudo ip route add default via GATEWAY "
        "dev INTERFACE table 100; sudo ip rule add from ADDRESS table 100"
    )
    yield Finding("interfaces", False, what, mend)


def _subflow_options(machine: Machine) -> Finding:
    name, error = "subflow options", machine.options
    if error is not None:
        return Finding(name, False, error.what, error.hint, needed=False)
    return Finding(name, True, "options can be set on one subflow alone (BPF)", needed=False)


def _reverse_path_filters(machine: Machine) -> Iterator[Finding]:
    if not machine.strict:
        yield Finding("rp_filter", True, "answers to a second path are not dropped")
    for name in machine.strict:
        meaning = f"answers that reach {name}, not the best route, are dropped without a word"
        yield Finding(f"rp_filter {name}", False, meaning, loosen(name))


def loosen(interface: str) -> str:
    """The command that lets answers to a second path in.

    The larger of an interface's own value and of all's holds, so 2 on the interface is enough.
    """
    return f"sudo sysctl -w net.ipv4.conf.{interface.replace('.', '/')}.rp_filter=2"
