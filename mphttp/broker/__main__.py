"""`python -m mphttp.broker`: start, drop every privilege but what is needed, serve."""

from __future__ import annotations

import argparse
import gc
import grp
import os
import resource
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields

from mphttp.kernel.bpf import program
from mphttp.kernel.broker.channel import DEFAULT_SOCKET
from mphttp.kernel.errors import KernelError

from .linux import Capability, become, keep_only
from .listener import listen, passed
from .machine.machine import RULES, Machine
from .namespaces import Namespaces
from .rules import MEANING, Rules
from .server import Server

_LIMITS = [field for field in fields(Rules) if MEANING in field.metadata]


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal ends it.

    Args:
        arguments: without the program's name; None takes those of the process.

    Returns:
        the exit code.
    """
    given = _parser().parse_args(arguments)
    try:
        with _listener(given) as listener:
            rules = _rules(given)
            _raise_limit()
            _drop_privileges(given.user, rules, programs=given.program_names)
            namespaces = Namespaces(enter=rules.other_namespaces, room=rules.namespaces_per_client)
            if rules.options:
                program.check()
            machine = None if given.leave_unclaimed else Machine(given.rules, _log)
            gc.freeze()
            claim = None if machine is None else machine.claim
            server = Server(listener, namespaces, rules, _log, claim)
            signal.set_wakeup_fd(server.waker())
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, server.stop)
            _log(f"listening on {listener.getsockname()}")
            if machine is not None:
                machine.start()
            server.run()
    except (KernelError, OSError, ValueError, KeyError) as error:
        hint = getattr(error, "hint", "")
        _log(f"error: {error}")
        if hint:
            _log(f"hint: {hint}")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mphttpd", description="Lets any user control the paths of their own connections."
    )
    add = parser.add_argument
    add("--socket", metavar="PATH", default=DEFAULT_SOCKET, help="listen here (%(default)s)")
    add("--group", metavar="NAME", help="only root and this group may connect (else everybody)")
    add("--user", metavar="NAME", help="go on as this user, with the capabilities that are needed")
    add("--subflow-options", action="store_true", help="set options on one subflow (CAP_BPF)")
    add(
        "--other-namespaces",
        action="store_true",
        help="serve connections of other network namespaces (CAP_SYS_ADMIN)",
    )
    add(
        "--exclude-interface",
        metavar="NAME",
        action="append",
        default=[],
        help="open no subflow on this interface",
    )
    add(
        "--exclude-group",
        metavar="NAME",
        action="append",
        default=[],
        help="refuse members of this group",
    )
    add(
        "--rules",
        metavar="FILE",
        default=RULES,
        help="strategies for other programs' connections (%(default)s)",
    )
    add(
        "--program-names",
        action="store_true",
        help="rules may name programs (CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH)",
    )
    add(
        "--leave-unclaimed",
        action="store_true",
        help="do nothing for connections that no client claims",
    )
    for limit in _LIMITS:
        option, meaning = f"--{limit.name.replace('_', '-')}", limit.metadata[MEANING]
        add(
            option,
            metavar="N",
            type=_positive,
            default=limit.default,
            help=f"{meaning} ({limit.default})",
        )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _rules(given: argparse.Namespace) -> Rules:
    return Rules(
        **{limit.name: getattr(given, limit.name) for limit in _LIMITS},
        excluded_interfaces=frozenset(given.exclude_interface),
        excluded_groups=frozenset(grp.getgrnam(name).gr_gid for name in given.exclude_group),
        options=given.subflow_options,
        other_namespaces=given.other_namespaces,
    )


@contextmanager
def _listener(given: argparse.Namespace) -> Iterator[socket.socket]:
    listener = passed(os.environ)
    if listener is not None:
        yield listener
        return
    group = grp.getgrnam(given.group).gr_gid if given.group else None
    listener = listen(given.socket, 0o660 if given.group else 0o666, group)
    try:
        yield listener
    finally:
        with suppress(OSError):  # the folder may be root's
            os.unlink(given.socket)


def _drop_privileges(user: str | None, rules: Rules, *, programs: bool) -> None:
    if user is not None:
        become(user)
    capabilities = {Capability.NET_ADMIN}
    if rules.options:
        capabilities |= {Capability.BPF, Capability.PERFMON}
    if rules.other_namespaces:
        capabilities |= {Capability.SYS_ADMIN}
    if programs:
        capabilities |= {Capability.DAC_READ_SEARCH, Capability.SYS_PTRACE}
    keep_only(capabilities)


def _raise_limit() -> None:
    """Allow this process as many descriptors as it may have."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _log(line: str) -> None:
    """Write a line: a stranger's words are only words, and where nobody reads, it is lost."""
    shown = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in line)
    with suppress(OSError):
        print(f"mphttpd: {shown}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    # Nothing is closed on the way out but by the kernel, which then waits for nobody.
    os._exit(main())
