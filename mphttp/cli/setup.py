"""`mphttp setup`: let ordinary users control the paths of their own connections."""

from __future__ import annotations

import argparse
import os
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import mphttp
from mphttp.broker import uplinks
from mphttp.broker.installation import Remove, Run, Step, Write, install, undo
from mphttp.broker.unit import GROUP
from mphttp.kernel.broker.channel import DEFAULT_SOCKET
from mphttp.kernel.hints import NEEDS_LINUX, SYSCTL, select_userspace_manager

from . import beneath
from .environment import Environment
from .exits import ExitCode, Failure, unwritable

_HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")
"""What the service can't see (ProtectHome=, PrivateTmp=)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mphttp setup`."""
    parser.epilog = (
        "It needs root. What it would do, --dry-run tells; what it did, --undo takes back. "
        f"Users of the group {GROUP} may ask the broker then."
    )
    add = parser.add_argument
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--install", action="store_true", help="set it up (the default)")
    which.add_argument("--undo", action="store_true", help="take it all back")
    add(
        "--routes",
        action="store_true",
        help="instead, give each uplink a routing table of its own, which kernels need that ignore "
        "the interface of a subflow, such as Linux 6.1 (docs/paths.md)",
    )
    add("--dry-run", action="store_true", help="only tell what would be done")
    add("--root", metavar="DIR", type=Path, help="write beneath this folder, and run nothing")
    add("--subflow-options", action="store_true", help="the broker sets options on one subflow")
    add(
        "--other-namespaces",
        action="store_true",
        help="the broker serves containers and other network namespaces",
    )
    add(
        "--program-names",
        action="store_true",
        help="rules of the broker may name programs, so that it may look at all of them",
    )
    add(
        "--leave-unclaimed",
        action="store_true",
        help="the broker does nothing for connections that no client claims",
    )


def run(arguments: argparse.Namespace, environment: Environment) -> int:
    """Set up, or take back.

    Raises:
        Failure: a file can't be written, a command fails, or this kernel can't do it anyway.
    """
    root: Path | None = arguments.root
    if os.geteuid() and not arguments.dry_run and root is None:
        what = "only root may change the machine"
        words = "setup --routes" if arguments.routes else "setup"
        hint = f"sudo mphttp {words}, or --dry-run to see what it does"
        raise Failure(ExitCode.WRITE, what, hint)
    here = root is None and not (arguments.dry_run or arguments.undo or arguments.routes)
    if here and select_userspace_manager(SYSCTL) == NEEDS_LINUX:
        what = "no program can manage the paths of connections on this kernel, so no broker could"
        raise Failure(ExitCode.MISSING, what, NEEDS_LINUX)
    steps = _steps(arguments)
    for step in steps:
        _tell(step, environment, whole=arguments.dry_run)
        if not arguments.dry_run:
            _do(step, root, environment)
    if not arguments.undo and not arguments.routes:
        _say_what_is_left(environment)
    return ExitCode.OK


def _steps(arguments: argparse.Namespace) -> Sequence[Step]:
    systemd = Path("/run/systemd/system").exists()
    if arguments.routes:
        if arguments.undo:
            return uplinks.undo(systemd=systemd)
        return uplinks.install(uplinks.managers(arguments.root or Path("/")), systemd=systemd)
    newer = (SYSCTL / "path_manager").exists()
    if arguments.undo:
        setting = "net.mptcp.path_manager=kernel" if newer else "net.mptcp.pm_type=0"
        return undo(setting, systemd=systemd)
    setting = "net.mptcp.path_manager=userspace" if newer else "net.mptcp.pm_type=1"
    options = [
        option
        for option, wanted in (
            ("--subflow-options", arguments.subflow_options),
            ("--other-namespaces", arguments.other_namespaces),
            ("--program-names", arguments.program_names),
            ("--leave-unclaimed", arguments.leave_unclaimed),
        )
        if wanted
    ]
    return install(sys.executable, DEFAULT_SOCKET, setting, options, systemd=systemd)


def _tell(step: Step, environment: Environment, *, whole: bool) -> None:
    match step:
        case Write(path, text, why):
            environment.write(f"write {path}: {why}\n")
            if whole:
                environment.write("".join(f"    {line}\n" for line in text.splitlines()))
        case Remove(path, why):
            environment.write(f"remove {path}: {why}\n")
        case Run(command, why):
            environment.write(f"run {' '.join(command)}: {why}\n")


def _do(step: Step, root: Path | None, environment: Environment) -> None:
    if isinstance(step, Run):
        if root is None:
            _run(step, environment)
        return
    top = str(root or "/")
    try:
        if root is not None:
            root.mkdir(parents=True, exist_ok=True)
        if isinstance(step, Write):
            beneath.write(top, step.path, step.text, step.mode)
        else:
            beneath.remove(top, step.path)
    except OSError as error:
        raise unwritable(top.rstrip("/") + step.path, error) from None


def _run(step: Run, environment: Environment) -> None:
    words = " ".join(step.command)
    try:
        done = subprocess.run(step.command, capture_output=True, text=True, check=False)
        told, failed = done.stderr.strip(), done.returncode != 0
    except OSError as error:
        told, failed = error.strerror or str(error), True
    if failed and step.needed:
        raise Failure(ExitCode.MISSING, f"{words} failed: {told}", "the same with --undo")
    if failed:
        environment.say(f"{words} failed: {told}")


def _say_what_is_left(environment: Environment) -> None:
    """Tell what root has to do by hand."""
    if not Path("/run/systemd/system").exists():
        environment.say(f"systemd doesn't run here: start {sys.executable} -m mphttp.broker")
    environment.say(f"to let a user ask: usermod --append --groups {GROUP} USER; then log in again")
    package = Path(mphttp.__file__).parent
    places = [sys.executable, *(str(p.resolve()) for p in (Path(sys.executable), package))]
    for place in dict.fromkeys(places):
        if place.startswith(tuple(f"{hidden}/" for hidden in _HIDDEN)):
            environment.say(f"warning: the service can't see {place}: install mphttp elsewhere")
        if _others_may_change(place):
            environment.say(f"warning: not root alone may change {place}, which the service runs")


def _others_may_change(place: str) -> bool:
    """Tell whether somebody other than root may replace a program."""
    told = Path(place).stat()
    return told.st_uid != 0 or bool(told.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
