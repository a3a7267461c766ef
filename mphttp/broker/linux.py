"""The few system calls that Python lacks: capabilities, and another network namespace."""

from __future__ import annotations

import ctypes
import os
import pwd
import struct
from collections.abc import Collection
from enum import IntEnum

CLONE_NEWNET = 0x40000000  # include/uapi/linux/sched.h

# include/uapi/linux/prctl.h
_PR_SET_KEEPCAPS = 8
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4

_CAPABILITY_VERSION_3 = 0x20080522  # 64 capabilities, in two halves

_libc = ctypes.CDLL(None, use_errno=True)


class Capability(IntEnum):
    """CAP_*: those that the broker can have a use for (include/uapi/linux/capability.h)."""

    DAC_READ_SEARCH = 2
    NET_ADMIN = 12
    SYS_PTRACE = 19
    SYS_ADMIN = 21
    PERFMON = 38
    BPF = 39


def become(user: str) -> None:
    """Go on as another user, and keep the capabilities that are permitted.

    Raises:
        KeyError: there is no such user.
        OSError: CAP_SETUID or CAP_SETGID is missing.
    """
    entry = pwd.getpwnam(user)
    _prctl(_PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)


def keep_only(capabilities: Collection[Capability]) -> None:
    """Give up all other capabilities, for good: no program that is run gets any back.

    Raises:
        OSError: one of these is not there to be kept.
    """
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    bits = sum(1 << capability for capability in capabilities)
    halves = bits & 0xFFFFFFFF, bits >> 32
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    data = b"".join(struct.pack("=3I", half, half, 0) for half in halves)
    _check(_libc.capset(header, data), "capset")


def enter_network(descriptor: int) -> None:
    """Move this thread into a network namespace (setns(2)).

    Raises:
        OSError: CAP_SYS_ADMIN is missing, here or there.
    """
    _check(_libc.setns(descriptor, CLONE_NEWNET), "setns")


def _prctl(option: int, value: int) -> None:
    _check(_libc.prctl(option, value, 0, 0, 0), "prctl")


def _check(result: int, call: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
