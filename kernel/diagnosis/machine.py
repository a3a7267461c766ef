"""What can be found out about this machine before anything is said about it; see `findings`.

Whatever can be tried is tried, and nothing is told by the kernel's version: distributions take
changes over into older kernels, and leave them out of newer ones. No privilege is needed. Nothing
leaves the machine: one connection is made over its loopback interface.
"""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path as File

from ..bpf.program import check
from ..broker.mechanism import BrokerMechanism
from ..errors import KernelError, NotMultipath
from ..hints import SYSCTL
from ..interfaces.honoured import honours_device
from ..mechanism import Mechanism
from ..path_manager.mechanism import NetlinkMechanism
from ..reading.info import IPPROTO_MPTCP, FullCapture, capture, mptcp_error
from ..reading.loopback import connected_to_self
from ..sockopt.mechanism import SockoptMechanism

NETSTAT = File("/proc/thread-self/net/netstat")
IPV4_CONF = File("/proc/sys/net/ipv4/conf")

_WITHIN = 1.0
"""Seconds; what doesn't work on the loopback interface at once doesn't work."""
_STRICT = 1
_NOT_IN_USE = ("all", "default", "lo")
_DISABLED = "MPCapableSYNTXDisabled"


@dataclass(frozen=True, slots=True)
class Loopback:
    """What came of a connection from this machine to itself.

    Args:
        disabled: whether the kernel made it plain TCP by itself, since SYNs with MPTCP were dropped
            on some path lately (net.mptcp.blackhole_timeout).
        honours_device: whether a subflow leaves by the interface it is opened on, and not just by
            its address; None where none could be opened.
    """

    disabled: bool = False
    honours_device: bool | None = None


@dataclass(frozen=True)
class Machine:
    """A machine as it was found.

    Args:
        release: of the kernel, for people.
        root: whether this process is root's.
        mptcp: errno of making an MPTCP socket, 0 if that works.
        settings: those of net.mptcp that there are, by name.
        full_info: whether MPTCP_FULL_INFO is there; None without MPTCP.
        sockopt: why the paper's socket options can't be used; None if they can.
        netlink: the same for the path manager's netlink family.
        broker: the same for the broker.
        options: the same for options of one subflow.
        loopback: what came of a connection; None where none could be made.
        strict: interfaces on which reverse-path filtering is strict.
        counters: MPTCP's, of this network namespace (MIB), by name.
    """

    release: str = ""
    root: bool = False
    mptcp: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)
    full_info: bool | None = True
    sockopt: KernelError | None = None
    netlink: KernelError | None = None
    broker: KernelError | None = None
    options: KernelError | None = None
    loopback: Loopback | None = None
    strict: tuple[str, ...] = ()
    counters: Mapping[str, int] = field(default_factory=dict)


def look(sysctl: File = SYSCTL, conf: File = IPV4_CONF) -> Machine:
    """Look at everything that controlling subflows depends on.

    Args:
        sysctl: the folder of MPTCP's settings.
        conf: the folder of the interfaces' settings for IPv4.
    """
    number = mptcp_error()
    netlink, broker = _tried(NetlinkMechanism), _tried(BrokerMechanism)
    ways = ((netlink, NetlinkMechanism), (broker, BrokerMechanism))
    works = next((make for why, make in ways if why is None), None)
    return Machine(
        release=platform.release(),
        root=os.geteuid() == 0,
        mptcp=number,
        settings=_settings(sysctl),
        full_info=None if number else _full_info(),
        sockopt=_tried(SockoptMechanism),
        netlink=netlink,
        broker=broker,
        options=_options(),
        loopback=None if number else _loopback(works),
        strict=tuple(name for name in _interfaces(conf) if _rp_filter(conf, name) == _STRICT),
        counters=counters(),
    )


def counters() -> dict[str, int]:
    """Read MPTCP's counters, of this network namespace, by name (net/mptcp/mib.c)."""
    rows = [line.split() for line in _read(NETSTAT).splitlines() if line.startswith("MPTcpExt:")]
    if len(rows) < 2:
        return {}
    return {name: int(value) for name, value in zip(rows[0][1:], rows[1][1:], strict=False)}


def _tried(make: Callable[[], Mechanism]) -> KernelError | None:
    try:
        make().close()
    except KernelError as error:
        return error
    return None


def _options() -> KernelError | None:
    try:
        check()
    except KernelError as error:
        return error
    return None


def _full_info() -> bool:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)) as sock:
        return isinstance(capture(sock.fileno()), FullCapture)


def _settings(sysctl: File) -> dict[str, str]:
    try:
        return {entry.name: _read(entry) for entry in sorted(sysctl.iterdir())}
    except OSError:
        return {}


def _loopback(make: Callable[[], Mechanism] | None) -> Loopback | None:
    """Connect to ourselves, and open a subflow with what can."""
    before = counters().get(_DISABLED, 0)
    try:
        with connected_to_self(_WITHIN) as (client, _):
            capture(client.fileno())
    except NotMultipath:
        return Loopback(disabled=counters().get(_DISABLED, 0) > before)
    except OSError:
        return None
    if make is None:
        return Loopback()
    with closing(make()) as mechanism:
        return Loopback(honours_device=honours_device(mechanism.control))


def _interfaces(conf: File) -> list[str]:
    try:
        return sorted(entry.name for entry in conf.iterdir() if entry.name not in _NOT_IN_USE)
    except OSError:
        return []


def _rp_filter(conf: File, name: str) -> int:
    """Return what holds: the larger of an interface's own value and that of all."""
    values = (_read(conf / which / "rp_filter") for which in ("all", name))
    return max(int(value or 0) for value in values)


def _read(path: File) -> str:
    try:
        return path.read_text(errors="surrogateescape").strip()
    except OSError:
        return ""
