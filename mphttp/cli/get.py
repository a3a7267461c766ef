"""`mphttp get`: one download, with curl's options and a strategy for its paths."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from mphttp import registry

from .choice import check_paths, chosen_strategy
from .download import Download
from .environment import Environment
from .exits import ExitCode, Failure, table, usage
from .message import message
from .record import Record
from .target import name_from_url
from .units import duration, size

_UNITS = """\
TIME is such as 10s, 500ms or 1m; a plain number is seconds.
SIZE is such as 64KiB, 1MB or 1MiB; a plain number is bytes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mphttp get`."""
    parser.epilog = f"{_UNITS}\n\n{table()}"
    parser.add_argument("url", metavar="URL", help="http:// or https://")
    _add_strategy(parser.add_argument_group("paths"))
    _add_request(parser.add_argument_group("request"))
    _add_output(parser.add_argument_group("output"))
    _add_connection(parser.add_argument_group("connection"))


def run(arguments: argparse.Namespace, environment: Environment) -> int:
    """Download, and write the report whatever came of it.

    Raises:
        Failure: it didn't work; not with -s, which leaves it at the exit code.
    """
    try:
        _download(arguments, environment)
    except Failure as failure:
        if arguments.silent and not arguments.show_error:
            return failure.code
        raise
    return ExitCode.OK


def _download(arguments: argparse.Namespace, environment: Environment) -> None:
    # All that can be wrong with the command line is found before the first packet leaves.
    asked = message(arguments, environment)
    strategy = chosen_strategy(arguments)
    check_paths(arguments.path)
    arguments.output = name_from_url(asked.url) if arguments.remote_name else arguments.output
    if arguments.report == arguments.output == "-":
        raise usage("the report and the body can't both go to stdout", "-o FILE takes the body")
    download = Download(arguments, environment, asked, strategy)
    with Record(arguments.report, environment, download):
        download.run()


def _add_strategy(group: Any) -> None:
    group.add_argument(
        "--strategy",
        metavar="NAME",
        help=f"when paths are opened: {', '.join(registry.names())} (default: one path alone)",
    )
    _add_time(group, "--deadline", "strategy deadline: until the last byte is there (default 10s)")
    _add_size(group, "--threshold", "strategy refresh: between two subflows (default 1MiB)")
    _add_size(group, "--size", "strategy delayed: what one path has to carry (default 1MiB)")
    group.add_argument(
        "--path",
        action="append",
        default=[],
        metavar="IFACE",
        help="use only these interfaces, the one to start on first (repeat it; default: all)",
    )


def _add_time(group: Any, option: str, meaning: str, default: float | None = None) -> None:
    group.add_argument(
        option, type=_checked(duration), metavar="TIME", default=default, help=meaning
    )


def _add_size(group: Any, option: str, meaning: str) -> None:
    group.add_argument(option, type=_checked(size), metavar="SIZE", help=meaning)


def _add_request(group: Any) -> None:
    group.add_argument("-X", "--request", metavar="METHOD", help="another method than GET")
    group.add_argument(
        "-H", "--header", action="append", default=[], metavar="LINE", help="send 'Name: value'"
    )
    group.add_argument(
        "-d",
        "--data",
        action="append",
        metavar="DATA",
        help="send this as a form by POST; @FILE reads it from a file, @- from stdin",
    )
    group.add_argument("-I", "--head", action="store_true", help="ask for the head only")
    group.add_argument("-L", "--location", action="store_true", help="follow redirects")
    group.add_argument("-u", "--user", metavar="USER[:PASSWORD]", help="Basic authentication")


def _add_output(group: Any) -> None:
    where = group.add_mutually_exclusive_group()
    where.add_argument(
        "-o", "--output", default="-", metavar="FILE", help="write there; only whole (- is stdout)"
    )
    where.add_argument(
        "-O", "--remote-name", action="store_true", help="write to the file named in the URL"
    )
    group.add_argument("-i", "--include", action="store_true", help="write the head, too")
    group.add_argument("-f", "--fail", action="store_true", help="no output if status is 400 or up")
    group.add_argument("--report", metavar="FILE", help="what happened, as JSON (- is stdout)")
    group.add_argument("-s", "--silent", action="store_true", help="no progress and no errors")
    group.add_argument("-S", "--show-error", action="store_true", help="errors in spite of -s")
    group.add_argument("-v", "--verbose", action="store_true", help="heads and events on stderr")


def _add_connection(group: Any) -> None:
    group.add_argument("-k", "--insecure", action="store_true", help="trust any certificate")
    group.add_argument("--cacert", metavar="FILE", help="trust the certificates in this file")
    group.add_argument("-x", "--proxy", metavar="URL", help="go through this proxy")
    _add_time(group, "--connect-timeout", "until there is a connection (default 60s)", 60.0)
    _add_time(group, "--max-time", "until all is done (default: no limit)")


def _checked(parse: Callable[[str], float]) -> Callable[[str], float]:
    def checked(text: str) -> float:
        try:
            return parse(text)
        except ValueError as error:  # argparse would replace its words by poorer ones
            raise argparse.ArgumentTypeError(str(error)) from error

    return checked
