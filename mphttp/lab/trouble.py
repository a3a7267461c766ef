"""Why the kernel wouldn't make a lab, and the command that mends it."""

from __future__ import annotations

import errno
from pathlib import Path

from .errors import LabError

_SWITCHES = (
    ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    ("user/max_user_namespaces", "0", "user.max_user_namespaces=10000"),
)


def explain(error: OSError, settings: Path = Path("/proc/sys")) -> LabError:
    """Turn a failed system call of the lab's set-up into one sentence and a way out.

    Args:
        error: what the kernel said.
        settings: where its switches are.
    """
    if error.errno in (errno.EPROTONOSUPPORT, errno.ENOPROTOOPT) or "/mptcp/" in str(error):
        return LabError(
            "This kernel has no Multipath TCP with a userspace path manager.",
            "Linux 5.19 or later, with CONFIG_MPTCP and net.mptcp.enabled=1",
        )
    if error.errno in (errno.EPERM, errno.EACCES, errno.ENOSPC, errno.EUSERS):
        return LabError(
            f"This machine doesn't let an ordinary user make namespaces ({error}).",
            _way_out(settings),
        )
    return LabError(f"The lab could not be made: {error}.")


def _way_out(settings: Path) -> str:
    for name, forbidding, mending in _SWITCHES:
        try:
            if (settings / name).read_text().strip() == forbidding:
                return f"sudo sysctl -w {mending}"
        except OSError:
            continue
    return "run it as root; a container needs --cap-add SYS_ADMIN or its own seccomp profile"
