"""What to do about what is missing, in one place, for errors, reports and `doctor` alike."""

from __future__ import annotations

from pathlib import Path

SYSCTL = Path("/proc/sys/net/mptcp")

GRANT_NET_ADMIN = (
    'sudo setpriv --reuid "$(id -u)" --regid "$(id -g)" --init-groups '
    "--inh-caps +net_admin --ambient-caps +net_admin COMMAND"
)
"""Runs a command as the same user, with the one capability that netlink asks for."""


def select_userspace_manager() -> str:
    """The command that makes new connections take the userspace path manager.

    Source: Documentation/networking/mptcp-sysctl.rst (`path_manager` replaces `pm_type`).
    """
    if (SYSCTL / "path_manager").exists():
        return "sudo sysctl -w net.mptcp.path_manager=userspace"
    return "sudo sysctl -w net.mptcp.pm_type=1"


NEEDS_LINUX = "Linux 5.19 or later with CONFIG_MPTCP is needed"
