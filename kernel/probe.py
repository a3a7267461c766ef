"""What carries out the calls on this machine, and what it depends on."""

from __future__ import annotations

import errno
import io
import os

from .broker.channel import socket_path
from .broker.claims import Claims
from .broker.mechanism import BrokerMechanism
from .errors import KernelError, NotPermitted, NotSupported
from .hints import NEEDS_LINUX, SET_UP, SWITCH_ON, SYSCTL, select_userspace_manager
from .mechanism import Mechanism
from .path_manager.mechanism import NetlinkMechanism
from .reading.info import mptcp_error
from .readonly.mechanism import ReadonlyMechanism
from .sockopt.mechanism import SockoptMechanism

_PATH_MANAGER, _PM_TYPE = (str(SYSCTL / name) for name in ("path_manager", "pm_type"))
_LONGEST = 64
"""Bytes of a setting, at most."""


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
        return NetlinkMechanism(every_connection=False, claims=Claims())
    except NotPermitted as error:
        return _broker_or_nothing(error)
    except KernelError as error:
        return ReadonlyMechanism(error)


def situation() -> object:
    """Look at what `best_mechanism` depends on and others may change, for much less.

    That MPTCP is switched on or off isn't looked at: whoever has a connection with it knows.

    Returns:
        Something that is equal as long as nothing of it changes.
    """
    try:
        broker = os.stat(socket_path())
        there: tuple[int, int] | None = (broker.st_ino, broker.st_ctime_ns)
    except OSError:
        there = None
    return userspace_manager_selected(), there


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
    chosen = _read(_PATH_MANAGER)
    return chosen == "userspace" if chosen else _read(_PM_TYPE) == "1"


def _read(path: str) -> str:
    try:
        with io.FileIO(path) as file:  # for each connection: neither a buffer nor a codec
            return file.read(_LONGEST).decode().strip()
    except OSError:
        return ""


def without_mptcp() -> tuple[str, str] | None:
    """Say why this machine's connections are all plain TCP, and what mends it; or None."""
    number = mptcp_error()
    if not number:
        return None
    if number == errno.ENOPROTOOPT:
        return "MPTCP is switched off: one path carries it all", SWITCH_ON
    return "this kernel has no MPTCP: one path carries it all", NEEDS_LINUX
