"""The one place that turns whatever happens in a command into words and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .environment import Environment
from .exits import ExitCode, Failure, of_this_machine
from .interrupt import Stopped
from .parser import Told, parse
from .put_off import UNUSED, put_off


def main(arguments: Sequence[str] | None = None, environment: Environment | None = None) -> int:
    """Run a command line.

    Args:
        arguments: without the program's name; None takes those of the process.
        environment: where it reads and writes; None takes the process's own.

    Returns:
        the exit code.
    """
    if arguments is None:
        for package in UNUSED:
            put_off(package)  # the process is the command's own
    environment = environment or Environment.of_process()
    try:
        if environment.environ.get("MPHTTP_LOG"):
            from .logs import begin

            begin(environment)
        code = _run(sys.argv[1:] if arguments is None else arguments, environment)
        environment.stdout.flush()
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except Stopped as stopped:
        return 128 + stopped.signal
    except BrokenPipeError:  # the reader has seen enough, as in `| head`
        code = ExitCode.WRITE
    except Exception as error:
        failure = error if isinstance(error, Failure) else _unforeseen(error, environment)
        environment.say(str(failure))
        code = failure.code
    if code == ExitCode.WRITE:
        environment.abandon_stdout()
    return code


def _run(arguments: Sequence[str], environment: Environment) -> int:
    try:
        return parse(arguments)(environment)
    except Told as told:
        environment.write(str(told))
        return ExitCode.OK


def _unforeseen(error: Exception, environment: Environment) -> Failure:
    """Return what is told of an error that nobody has explained before it came here."""
    if environment.environ.get("MPHTTP_TRACEBACK"):
        import traceback  # for authors alone

        environment.say("".join(traceback.format_exception(error)))
    failure = of_this_machine(error)
    if failure is not None:
        return failure
    if isinstance(error, OSError):
        return Failure(ExitCode.READ, f"the system said no: {error}")
    bug = f"a bug in mphttp: {type(error).__name__}: {error}"
    hint = "run it again with MPHTTP_TRACEBACK=1 and report what it prints"
    return Failure(ExitCode.BUG, bug, hint)
