"""`python -m mphttp.lab.enter`: run a command inside some of a lab's namespaces.

    enter [--fork] [--no-privilege] DESCRIPTOR,… COMMAND…

It stands between a lab's user and the command as if it weren't there: terminal, signals and exit
code pass. Namespaces are entered in the order given; `--fork` is for a process namespace among
them, which only children enter (setns(2)).
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from . import linux

# The terminal sends these to the command, too, which says what they mean.
_SIGNALS_TO_BOTH = (signal.SIGINT, signal.SIGQUIT)
_SIGNALS_PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
_SIGNALS = (*_SIGNALS_TO_BOTH, *_SIGNALS_PASSED_ON)


def main(arguments: Sequence[str]) -> None:
    """Enter the namespaces and become the command, or its parent."""
    parser = argparse.ArgumentParser(prog="mphttp.lab.enter")
    parser.add_argument("--fork", action="store_true")
    parser.add_argument("--no-privilege", action="store_true")
    parser.add_argument("namespaces")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    enter([int(number) for number in options.namespaces.split(",")])
    if options.fork:
        fork()
    if options.no_privilege:
        linux.drop_privileges()
    become(options.command)


def enter(namespaces: Sequence[int]) -> None:
    """Enter each namespace; the working directory stays, although a mount namespace resets it."""
    directory = os.getcwd()
    for descriptor in namespaces:
        linux.setns(descriptor)
        os.close(descriptor)
    os.chdir(directory)


def fork() -> None:
    """Return in a child; the parent stands in for it and never returns."""
    # Whatever arrives before the parent can pass it on has to wait.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    if child := os.fork():
        stand_in_for(child)
    linux.die_with_parent(signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


def stand_in_for(child: int) -> NoReturn:
    """Wait for the child, pass signals on to it, and end as it ended."""
    for number in _SIGNALS_TO_BOTH:
        signal.signal(number, signal.SIG_IGN)
    for number in _SIGNALS_PASSED_ON:
        signal.signal(number, lambda number, _: _pass_on(child, number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        sys.exit(code)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if -code != signal.SIGKILL:
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
    raise AssertionError("A signal that ended the child must end its parent.")


def become(command: list[str]) -> None:
    """Replace this process by the command; exit codes 126 and 127 are the shell's."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and that would be inherited
    try:
        # execvp would say "permission denied" for a PATH with folders of somebody else.
        if "/" not in command[0] and not shutil.which(command[0]):
            raise FileNotFoundError
        os.execvp(command[0], command)
    except FileNotFoundError:
        print(f"error: There is no command {command[0]!r}.", file=sys.stderr)
        sys.exit(127)
    except OSError as error:
        print(f"error: {command[0]!r} can't be run: {error.strerror}.", file=sys.stderr)
        sys.exit(126)


def _pass_on(child: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(child, number)


if __name__ == "__main__":
    main(sys.argv[1:])
