"""`mphttp watch`: the MPTCP connections of this machine, live."""

from __future__ import annotations

import argparse
import io
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

from mphttp.kernel import KernelError

from ..environment import Environment
from ..exits import ExitCode, Failure
from ..interrupt import stoppable
from ..units import duration
from .choice import parse_choice
from .source import Source
from .watcher import Moment
from .words import lines, sentence, to_dict

_EPILOG = """\
Shown are the connections of this network namespace, whoever's they are, and what happens to them.
No privilege is needed to see them on Linux 6.15 and later; before that, it takes CAP_NET_ADMIN to
tell which subflows belong to which connection. With that capability, the kernel also tells why a
subflow was closed, and which addresses were announced; and root sees whose the connections are.

Where the output is no terminal: the table once, then a line for each event.

It ends with Ctrl-C, or with the process that is watched.

examples: mphttp watch
          mphttp watch $(pidof curl)
          mphttp watch --json https://example.com | jq .events
"""
_LOG = 12  # events that stay on the screen
_SHORTEST = 0.05  # seconds between two looks, each of which lists all sockets

Show = Callable[[Moment], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mphttp watch`."""
    parser.epilog = _EPILOG
    parser.add_argument(
        "whose", nargs="?", metavar="PID|URL", help="only this process's, or those to this server"
    )
    parser.add_argument("--once", action="store_true", help="show what there is now, and end")
    parser.add_argument("--json", action="store_true", help="a line of JSON for each look")
    parser.add_argument(
        "--every", type=duration, default=1.0, metavar="TIME", help="between two looks (1s)"
    )


def run(arguments: argparse.Namespace, environment: Environment) -> int:
    """Show connections until there is nothing more to see.

    Raises:
        Failure: there is no such process or server, or this kernel can't list connections.
    """
    choice = parse_choice(arguments.whose)
    try:
        with closing(Source(choice)) as source:
            if arguments.once:
                _once(source.look(), environment, as_json=arguments.json)
            else:
                with stoppable(), _shown(source, environment, as_json=arguments.json) as show:
                    _watch(source, show, environment, max(arguments.every, _SHORTEST))
    except KernelError as error:
        what = f"the connections can't be listed: {error}"
        raise Failure(ExitCode.MISSING, what, error.hint or "mphttp doctor") from error
    return ExitCode.OK


def _watch(source: Source, show: Show, environment: Environment, every: float) -> None:
    # Ctrl-C, and the end of the process that is watched, are how this is meant to end.
    with suppress(KeyboardInterrupt, ProcessLookupError):
        while True:
            show(source.look())
            environment.sleep(every)


def _once(moment: Moment, environment: Environment, *, as_json: bool) -> None:
    if as_json:
        environment.write_json(_told(moment))
    else:
        environment.write("".join(line + "\n" for line in lines(moment)))
        if not moment.connections:
            environment.say("no MPTCP connections")


@contextmanager
def _shown(source: Source, environment: Environment, *, as_json: bool) -> Iterator[Show]:
    """Choose how looks are shown."""
    if as_json:
        yield lambda moment: environment.write_json(_told(moment))
    elif environment.stdout.isatty() and environment.environ.get("TERM") != "dumb":
        with _live(source, environment) as show:
            yield show
    else:
        yield _as_lines(source, environment)


def _as_lines(source: Source, environment: Environment) -> Show:
    began = False

    def show(moment: Moment) -> None:
        nonlocal began
        if not began:
            _once(moment, environment, as_json=False)
            began = True
        if moment.events:
            environment.write("".join(line + "\n" for line in _log(moment, source)))

    return show


@contextmanager
def _live(source: Source, environment: Environment) -> Iterator[Show]:
    from rich.live import Live

    from ..screen import console_on
    from .table import rendered

    log: deque[str] = deque(maxlen=_LOG)
    stdout = io.TextIOWrapper(environment.stdout, "utf-8", write_through=True)
    console = console_on(stdout, environment)
    try:
        with Live(console=console, auto_refresh=False, screen=True) as live:

            def show(moment: Moment) -> None:
                log.extend(_log(moment, source))
                live.update(rendered(moment, list(log), console.height), refresh=True)

            yield show
    finally:
        stdout.detach()


def _log(moment: Moment, source: Source) -> Iterator[str]:
    now = time.strftime("%H:%M:%S")
    for told in moment.events:
        token = "" if told.token is None else f"{told.token:08x} "
        yield f"{now} {token}{sentence(told.event, source.paths)}"


def _told(moment: Moment) -> dict[str, object]:
    return to_dict(moment, time.time())
