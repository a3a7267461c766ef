"""The few system calls that Python 3.11 lacks: namespaces, mounts, and a process's own settings."""

from __future__ import annotations

import ctypes
import os

# include/uapi/linux/sched.h
CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

# include/uapi/linux/mount.h
MS_REC = 0x4000
MS_PRIVATE = 0x40000

# include/uapi/linux/prctl.h
_PR_SET_PDEATHSIG = 1
_PR_CAPBSET_READ = 23
_PR_CAPBSET_DROP = 24
_PR_SET_TIMERSLACK = 29
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """Move this process into new namespaces (unshare(2)); of processes, only its children."""
    _check(_libc.unshare(flags), "unshare")


def setns(descriptor: int) -> None:
    """Move this thread into the namespace that the descriptor stands for (setns(2))."""
    _check(_libc.setns(descriptor, 0), "setns")


def new_network() -> int:
    """Make a network namespace, enter it, and return a descriptor that keeps it alive."""
    unshare(CLONE_NEWNET)
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def new_user_namespace(more: int = 0) -> None:
    """Make a user namespace whose root is this process's user, and namespaces that it owns.

    Args:
        more: flags of the other namespaces.
    """
    # Inside, the ids have no name until the maps are written.
    uid, gid = os.getuid(), os.getgid()
    unshare(CLONE_NEWUSER | more)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"0 {uid} 1"),
        ("gid_map", f"0 {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def mount(source: str, target: str, kind: str = "", flags: int = 0) -> None:
    """Mount a file system, or change a mount (mount(2))."""
    arguments = (text.encode() if text else None for text in (source, target, kind))
    _check(_libc.mount(*arguments, flags, None), f"mount {target}")


def die_with_parent(signal: int) -> None:
    """Have the kernel send this process a signal when its parent ends (prctl(2))."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal), "PR_SET_PDEATHSIG")


def wake_up_exactly() -> None:
    """Ask for timers without the usual 50 µs of slack (prctl(2))."""
    _check(_libc.prctl(_PR_SET_TIMERSLACK, 1), "PR_SET_TIMERSLACK")


def drop_privileges() -> None:
    """Give up every capability: the next program has none, root's neither (capabilities(7))."""
    _check(_libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "PR_CAP_AMBIENT")
    capability = 0
    while _libc.prctl(_PR_CAPBSET_READ, capability, 0, 0, 0) >= 0:
        _check(_libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0), "PR_CAPBSET_DROP")
        capability += 1


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
