"""What to do about what is missing, in one place, for errors, reports and `doctor` alike."""

from __future__ import annotations

import errno
from pathlib import Path

SYSCTL = Path("/proc/sys/net/mptcp")


def _grant(capabilities: str) -> str:
    return (
        'sudo setpriv --reuid "$(id -u)" --regid "$(id -g)" --init-groups '
        f"--inh-caps {capabilities} --ambient-caps {capabilities} COMMAND"
    )


GRANT_NET_ADMIN = _grant("+net_admin")
"""Runs a command as the same user, with the one capability that netlink asks for."""

GRANT_BPF = _grant("+net_admin,+bpf,+perfmon")
"""Runs a command as the same user, with what netlink and options of one subflow ask for."""

SET_UP = "sudo mphttp setup"
"""Lets every user of a group control the paths of their own connections, by a broker."""

SWITCH_ON = "sudo sysctl -w net.mptcp.enabled=1"

INSTALL_LIBBPF = "sudo apt-get install libbpf1"


USERSPACE_MANAGER = {
    "path_manager": "net.mptcp.path_manager=userspace",
    "pm_type": "net.mptcp.pm_type=1",
}
"""What selects the userspace path manager, by the setting that the kernel has, the newer first."""


def select_userspace_manager(sysctl: Path = SYSCTL) -> str:
    """What makes new connections take the userspace path manager: a command, or another kernel.

    Args:
        sysctl: the folder of MPTCP's settings.

    Source: Documentation/networking/mptcp-sysctl.rst (`path_manager` replaces `pm_type`).
    """
    setting = next((s for name, s in USERSPACE_MANAGER.items() if (sysctl / name).exists()), None)
    return NEEDS_LINUX if setting is None else f"sudo sysctl -w {setting}"


ALLOW_NETLINK = (
    "systemd: add AF_NETLINK to RestrictAddressFamilies= of the unit; other sandboxes: let their "
    "filter allow netlink sockets"
)
"""Lets a confined process ask for routes, and control subflows if it has the privilege, too."""


def hint_for(number: int) -> str:
    """Say what mends a system call's error that has to do with this process; or ""."""
    if number in (errno.EMFILE, errno.ENFILE):
        return "too many files are open: close responses, or raise the limit (`ulimit -n`)"
    return ""


NEEDS_LINUX = (
    "another kernel: Linux 5.19 or later with CONFIG_MPTCP, as Debian has since 12; until then, "
    "servers that offer ranges are downloaded from over all paths"
)
NEEDS_BPF = "Linux 5.16 or later with CONFIG_BPF_SYSCALL and CONFIG_DEBUG_INFO_BTF is needed"
OTHER_VERIFIER = "another kernel: those of docs/compatibility.md take it"
