"""What this machine can do for a connection's subflows, and what mends what it can't."""

from __future__ import annotations

import errno
import platform
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from .bpf.program import check
from .broker.channel import socket_path
from .broker.mechanism import BrokerMechanism
from .errors import KernelError, NotPermitted, NotSupported
from .hints import NEEDS_LINUX, SET_UP, SWITCH_ON, SYSCTL, select_userspace_manager
from .mechanism import Mechanism
from .path_manager.mechanism import NetlinkMechanism
from .reading.info import IPPROTO_MPTCP, FullCapture, capture
from .readonly.mechanism import ReadonlyMechanism
from .sockopt.mechanism import SockoptMechanism

_USERSPACE_MANAGER = (5, 19)
_IPV4_CONF = Path("/proc/sys/net/ipv4/conf")
_STRICT = 1
_NOT_IN_USE = ("all", "default", "lo")


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


def findings() -> list[Finding]:
    """Look at everything that controlling subflows needs; needs no privilege, changes nothing."""
    paper = _sockopt()
    others = [_path_manager(), *_control()]
    return [
        _kernel(),
        _mptcp(),
        _full_info(),
        *([paper, *(replace(other, needed=False) for other in others)] if paper else others),
        *_reverse_path_filters(),
        _subflow_options(),
    ]


def best_mechanism() -> Mechanism:
    """Choose what carries out the calls: socket options, netlink, a broker, or else nothing.

    Returns:
        A mechanism that the caller closes; a readonly one has the `reason`.
    """
    try:
        return SockoptMechanism()
    except NotSupported:
        pass  # as on every kernel but that of kernel/linux
    if not userspace_manager_selected() and not mptcp_error():
        what = "the kernel manages the paths of new connections by itself"
        return ReadonlyMechanism(NotSupported(what, hint=select_userspace_manager()))
    try:
        return NetlinkMechanism(every_connection=False)
    except NotPermitted as error:
        return _broker_or_nothing(error)
    except KernelError as error:
        return ReadonlyMechanism(error)


def situation() -> object:
    """Look at what `best_mechanism` depends on and others may change, for much less.

    Returns:
        Something that is equal as long as nothing of it changes.
    """
    try:
        broker = Path(socket_path()).stat()
        there: tuple[int, int] | None = (broker.st_ino, broker.st_ctime_ns)
    except OSError:
        there = None
    return userspace_manager_selected(), _read(SYSCTL / "enabled"), there


def _broker_or_nothing(missing: NotPermitted) -> Mechanism:
    try:
        return BrokerMechanism()
    except NotPermitted as refused:  # a broker is there, but not for this user
        return ReadonlyMechanism(refused)
    except KernelError:
        hint = f"{SET_UP}, once; or {missing.hint}"
        return ReadonlyMechanism(NotPermitted(missing.what, errno=missing.errno or 0, hint=hint))


def userspace_manager_selected() -> bool:
    """Whether connections that are created from now on leave their paths to user space."""
    chosen = _read(SYSCTL / "path_manager")
    return chosen == "userspace" if chosen else _read(SYSCTL / "pm_type") == "1"


def mptcp_error() -> int:
    """Try to create an MPTCP socket: 0, or EPROTONOSUPPORT, ENOPROTOOPT or EINVAL."""
    try:
        with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)):
            return 0
    except OSError as error:
        return error.errno or errno.EPROTONOSUPPORT


def _kernel() -> Finding:
    release = platform.release()
    numbers = re.match(r"(\d+)\.(\d+)", release)
    version = tuple(map(int, numbers.groups())) if numbers else (0, 0)
    if version >= _USERSPACE_MANAGER:
        return Finding("kernel", True, f"Linux {release} lets programs manage paths")
    return Finding("kernel", False, f"Linux {release} is too old to manage paths", NEEDS_LINUX)


def _mptcp() -> Finding:
    number = mptcp_error()
    if number == 0:
        return Finding("mptcp", True, "MPTCP sockets can be made")
    if number == errno.ENOPROTOOPT:
        return Finding("mptcp", False, "MPTCP is switched off: every connection is TCP", SWITCH_ON)
    return Finding("mptcp", False, "this kernel has no MPTCP: every connection is TCP", NEEDS_LINUX)


def _full_info() -> Finding:
    name = "full info"
    if mptcp_error():
        return Finding(name, False, "subflows can't be told without MPTCP")
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)) as sock:
        if isinstance(capture(sock.fileno()), FullCapture):
            return Finding(name, True, "subflows have unique ids (MPTCP_FULL_INFO)")
    return Finding(name, True, "subflows are known by their addresses (before Linux 6.5)")


def _path_manager() -> Finding:
    if userspace_manager_selected():
        return Finding("path manager", True, "programs manage the paths of new connections")
    meaning = "the kernel manages the paths of new connections by itself"
    return Finding("path manager", False, meaning, select_userspace_manager())


def _control() -> list[Finding]:
    """Look at the two ways to control subflows; one of them is enough."""
    netlink, broker = _netlink(), _broker()
    return [replace(netlink, needed=not broker.ok), replace(broker, needed=not netlink.ok)]


def _sockopt() -> Finding | None:
    """Look for the paper's own way, which needs none of the others."""
    try:
        SockoptMechanism().close()
    except NotSupported:
        return None
    return Finding("socket options", True, "whoever holds a connection's socket controls it")


def _netlink() -> Finding:
    try:
        NetlinkMechanism().close()
    except NotPermitted as error:
        return Finding("CAP_NET_ADMIN", False, error.what, error.hint)
    except KernelError as error:
        return Finding("netlink", False, error.what, error.hint)
    return Finding("CAP_NET_ADMIN", True, "subflows can be opened and closed through netlink")


def _broker() -> Finding:
    try:
        BrokerMechanism().close()
    except NotSupported as error:
        return Finding("broker", False, error.what, SET_UP)
    except KernelError as error:
        return Finding("broker", False, error.what, error.hint)
    return Finding("broker", True, f"the broker at {socket_path()} opens and closes subflows")


def _subflow_options() -> Finding:
    name = "subflow options"
    try:
        check()
    except KernelError as error:
        return Finding(name, False, error.what, error.hint, needed=False)
    return Finding(name, True, "options can be set on one subflow alone (BPF)", needed=False)


def _reverse_path_filters() -> Iterator[Finding]:
    strict = [name for name in _interfaces() if _rp_filter(name) == _STRICT]
    if not strict:
        yield Finding("rp_filter", True, "answers to a second path are not dropped")
    for name in strict:
        # The larger of an interface's own and of all's holds, so 2 on the interface is enough.
        meaning = f"answers that reach {name}, not the best route, are dropped without a word"
        mend = f"sudo sysctl -w net.ipv4.conf.{name.replace('.', '/')}.rp_filter=2"
        yield Finding(f"rp_filter {name}", False, meaning, mend)


def _interfaces() -> list[str]:
    try:
        return sorted(entry.name for entry in _IPV4_CONF.iterdir() if entry.name not in _NOT_IN_USE)
    except OSError:
        return []


def _rp_filter(name: str) -> int:
    values = (_read(_IPV4_CONF / which / "rp_filter") for which in ("all", name))
    return max(int(value or 0) for value in values)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
