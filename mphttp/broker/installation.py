"""What `mphttp setup` does to a machine, step by step, and what undoes it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from . import unit

_SYSCTL = "/etc/sysctl.d/90-mphttp.conf"
_UNITS = "/etc/systemd/system"


@dataclass(frozen=True, slots=True)
class Write:
    """Write a file."""

    path: str
    text: str
    why: str
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove a file, if it is there."""

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class Run:
    """Run a command.

    Args:
        command: program and arguments.
        why: what it is for.
        needed: whether nothing more is done when it fails.
    """

    command: tuple[str, ...]
    why: str
    needed: bool = True


Step = Write | Remove | Run


def install(
    python: str, socket: str, setting: str, options: Sequence[str], *, systemd: bool
) -> list[Step]:
    """List the steps to a machine whose users control the paths of their own connections.

    Args:
        python: the interpreter that has mphttp.
        socket: where the broker listens.
        setting: the kernel's variable that leaves paths to programs, such as "net.mptcp.pm_type=1".
        options: of the broker.
        systemd: whether systemd runs here.
    """
    group, service, sock = unit.GROUP, unit.SERVICE, unit.SOCKET
    steps: list[Step] = [
        Run(("groupadd", "--system", "--force", group), "whose members may ask the broker"),
        Write(
            _SYSCTL,
            unit.variables(setting),
            "programs manage the paths of new connections; the kernel opens none by itself any "
            "more, the broker does, as in-kernel endpoints (`ip mptcp endpoint`) say",
        ),
        Run(("sysctl", "--load", _SYSCTL), "the same now, without a restart"),
        Write(f"{_UNITS}/{service}", unit.service(python, options), "the broker, as it is run"),
        Write(f"{_UNITS}/{sock}", unit.socket_unit(socket), "where it is asked"),
    ]
    if systemd:
        steps += [
            Run(("systemctl", "daemon-reload"), "systemd learns of both"),
            Run(("systemctl", "enable", "--now", sock), "where it is asked, from now on"),
            Run(("systemctl", "enable", service), "it starts with the machine"),
            Run(("systemctl", "restart", service), "and now"),
        ]
    return steps


def undo(setting: str, *, systemd: bool) -> list[Step]:
    """List the steps back.

    Args:
        setting: the kernel's variable that leaves paths to the kernel.
        systemd: whether systemd runs here.
    """
    service, sock = unit.SERVICE, unit.SOCKET
    stop = ("systemctl", "disable", "--now", sock, service)
    reload = ("systemctl", "daemon-reload")
    steps: list[Step] = [Run(stop, "the broker ends", needed=False)] if systemd else []
    steps += [
        Remove(f"{_UNITS}/{service}", "the broker"),
        Remove(f"{_UNITS}/{sock}", "its socket"),
        Remove(_SYSCTL, "the kernel's own path manager is the default again"),
        Run(("sysctl", "--write", setting), "the same now, for new connections", needed=False),
    ]
    steps += [Run(reload, "systemd forgets both")] if systemd else []
    return [*steps, Run(("groupdel", unit.GROUP), "nobody needs it any more", needed=False)]
