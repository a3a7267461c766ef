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

from . import linux

_PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def main(arguments: Sequence[str]) -> None:
    """Enter the namespaces and become the command, or its parent."""
    parser = argparse.ArgumentParser(prog="mphttp.lab.enter")
    parser.add_argument("--fork", action="store_true")
    parser.add_argument("--no-privilege", action="store_true")
    parser.add_argument("namespaces")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    enter([int(number) for number in options.namespaces.split(",")])
    if options.fork and (child := os.fork()):
        stand_in_for(child)
    if options.fork:
        linux.die_with_parent(signal.SIGKILL)
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


def stand_in_for(child: int) -> None:
    """Wait for the child, pass signals on to it, and end as it ended."""
    # The terminal sends these to both; what they mean is the command's to say.
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    for number in _PASSED_ON:
        signal.signal(number, lambda number, _: _pass_on(child, number))
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        sys.exit(code)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if -code != signal.SIGKILL:
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)


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
