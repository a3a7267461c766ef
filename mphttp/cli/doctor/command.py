"""The command itself: looks, shows progress on a terminal, and tells what was found."""

from __future__ import annotations

import argparse
import shutil
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mphttp.cli.environment import Environment
from mphttp.cli.exits import ExitCode, Failure
from mphttp.cli.printable import printable
from mphttp.cli.units import duration
from mphttp.cli.url import parse_url, resolved
from mphttp.costs.machine import costs
from mphttp.kernel import SocketAddress, paths_to
from mphttp.kernel.diagnosis.machine import look
from mphttp.kernel.interfaces.source_routing import tables_for
from mphttp.network.time_limit import TimeLimit

from .costing import with_costs
from .diagnosis import Diagnosis, in_control, of_machine, of_server
from .probing import Progress, probe
from .told import lines, to_dict

_ELSEWHERE = (SocketAddress("192.0.2.1", 443), SocketAddress("2001:db8::1", 443))
"""Addresses that are nobody's (RFC 5737, RFC 3849): what reaches them reaches the Internet."""
_WITHIN = 20.0
"""Seconds for all probes: a connection, an answer and a join take at most 5 each."""
_ERASE = "\r\x1b[K"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mphttp doctor`."""
    parser.epilog = (
        "exit codes:\n"
        f"  {ExitCode.OK.value:>3}  downloads from URL will work over all paths, by subflows or by "
        "ranges;\n       without URL: subflows can be opened and closed\n"
        f"  {ExitCode.MISSING.value:>3}  something is missing for that, as a line says\n"
        f"  {ExitCode.RESOLVE.value:>3}  {ExitCode.RESOLVE.meaning}\n"
        f"  {ExitCode.CONNECT.value:>3}  no path leads to the host\n"
        f"  {ExitCode.CA_FILE.value:>3}  {ExitCode.CA_FILE.meaning}"
    )
    parser.add_argument("url", nargs="?", metavar="URL", help="try this server, too")
    parser.add_argument("--cacert", metavar="FILE", help="trust these certificates (PEM)")
    parser.add_argument("-k", "--insecure", action="store_true", help="trust any certificate")
    parser.add_argument("--json", action="store_true", help="tell it as JSON (docs/doctor.md)")
    parser.add_argument(
        "--max-time",
        type=duration,
        default=_WITHIN,
        metavar="SECONDS",
        help=f"give up what isn't done by then ({_WITHIN:g})",
    )


def run(arguments: argparse.Namespace, environment: Environment) -> int:
    """Look at everything, and say what was found.

    Raises:
        Failure: the URL can't be used, its name can't be resolved, no path leads there, or the
            trusted certificates can't be read.
    """
    with _progress_on(environment) as progress:
        verify = _trusted(arguments.cacert, insecure=arguments.insecure)
        diagnosis = _diagnose(arguments.url, arguments.max_time, verify, progress)
        diagnosis = with_costs(diagnosis, costs.now(), costs.problems)
    width = shutil.get_terminal_size().columns if environment.stdout.isatty() else None
    if arguments.json:
        environment.write_json(to_dict(diagnosis), 2)
    else:
        environment.write("\n".join(lines(diagnosis, width)) + "\n")
    return ExitCode.OK if diagnosis.healthy else ExitCode.MISSING


def _trusted(file: str | None, *, insecure: bool) -> ssl.SSLContext | bool:
    if insecure or file is None:
        return not insecure
    try:
        return ssl.create_default_context(cafile=file)
    except OSError as error:  # of which ssl.SSLError is one
        what = f"the trusted certificates can't be read: {file}: {error.strerror or error}"
        hint = "--cacert takes a file in PEM format"
        raise Failure(ExitCode.CA_FILE, what, hint) from error


def _diagnose(
    text: str | None, within: float, verify: ssl.SSLContext | bool, progress: Progress
) -> Diagnosis:
    if text is None:
        progress("looking at this machine")
        paths = [(path, remote.host) for remote in _ELSEWHERE for path in paths_to(remote)]
        return of_machine(look(), (path for path, _ in paths), tables_for(paths))
    url = parse_url(text)
    limit = TimeLimit(within)
    progress(f"resolving {url.host}")
    found = resolved(url)
    progress("looking at this machine")
    machine = look()
    outcomes = probe(
        url, found, limit, control=in_control(machine), verify=verify, progress=progress
    )
    if not outcomes.probed:
        hint = "mphttp doctor lists the paths"
        raise Failure(ExitCode.CONNECT, f"no path leads to {url.host}", hint)
    return of_server(machine, outcomes)


@contextmanager
def _progress_on(environment: Environment) -> Iterator[Progress]:
    """Show what is under way on a terminal, in one line that is gone at the end."""
    if not environment.words_on_terminal:
        yield lambda _: None
        return
    try:
        yield _Line(environment.stderr.write, environment.stderr.flush)
    finally:
        environment.stderr.write(_ERASE)
        environment.stderr.flush()


class _Line:
    """One line, written over and over.

    Args:
        write: writes to the terminal.
        flush: has it shown.
    """

    def __init__(self, write: Callable[[str], object], flush: Callable[[], None]) -> None:
        self._write = write
        self._flush = flush
        self._began = time.monotonic()

    def __call__(self, what: str) -> None:
        elapsed = time.monotonic() - self._began
        self._write(f"{_ERASE}{printable(what, breaks=False)[:68]} … {elapsed:.0f} s")
        self._flush()
