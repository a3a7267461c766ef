"""The parser of the whole command line; a sub-command's module is imported only when it is used."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, NoReturn

from .exits import ExitCode, Failure, table

_COMMANDS = {
    "get": "download over several paths",
    "plot": "a picture of a download, from its report",
    "doctor": "what this machine and a server can do, and what mends the rest",
    "setup": "let ordinary users control the paths of their own connections",
    "watch": "see the MPTCP connections of this machine, live",
    "lab": "run a command with two or more real paths on this machine, without root",
    "demo": "watch a download meet its deadline over two real paths",
}


class Told(Exception):
    """The command line asked for text (`--help`, `--version`) instead of a run."""


class Parser(argparse.ArgumentParser):
    """A parser that raises what it has to say, so that one place writes it."""

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(**{**settings, "add_help": False, "allow_abbrev": False})
        self.add_argument(
            "-h", "--help", action=_Tell, text=self.format_help, help="show this and end"
        )

    def error(self, message: str) -> NoReturn:
        what, _, hint = message.partition("\nhint: ")
        raise Failure(ExitCode.USAGE, what, hint or f"{self.prog} --help")


class _Tell(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str, text: Any, help: str) -> None:  # noqa: A002
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)
        self._text = text

    def __call__(self, *_: Any) -> NoReturn:
        raise Told(self._text())


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse a command line.

    Returns:
        the values, with `run`: a function of them and the environment that returns an exit code.

    Raises:
        Told: it asks for help or the version.
        Failure: it can't be understood.
    """
    parser = Parser(
        prog="mphttp",
        description="Downloads over several network paths, opened when they are needed.",
        epilog=table(),
    )
    parser.add_argument("--version", action=_Tell, text=_version, help="show the version and end")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in _COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=f"{summary.capitalize()}.")
        if name in arguments[:1]:
            module = importlib.import_module(f".{name}", __package__)
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    parsed, rest = parser.parse_known_args(arguments)
    urls = getattr(parsed, "url", None)
    if rest and (any(word.startswith("-") for word in rest) or not isinstance(urls, list)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if isinstance(urls, list):  # argparse takes the first in a row only, as in `URL -o FILE URL`
        urls += rest
    return parsed


def _version() -> str:
    return f"mphttp {version('mphttp')}\n"
