"""The parser of the whole command line; a sub-command's module is imported only when it is used."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable, Sequence
from functools import partial
from types import ModuleType
from typing import Any, NoReturn

from mphttp import __version__

from .environment import Environment
from .exits import ExitCode, Failure, table
from .variables import table as variables

Run = Callable[[Environment], int]

COMMANDS = {
    "get": "download over several paths",
    "put": "upload a file over several paths",
    "connect": "bytes from standard input and back, over several paths, such as ssh's",
    "proxy": "several paths for any program, by a local proxy",
    "plot": "a picture of a download, from its report",
    "doctor": "what this machine and a server can do, and what mends the rest",
    "setup": "let ordinary users control the paths of their own connections",
    "watch": "see the MPTCP connections of this machine, live",
    "lab": "run a command with several real paths, without root",
    "demo": "watch a download meet its deadline over two real paths",
    "help": "a command, or one option",
    "manual": "pages for man, of each command",
    "completion": "words for bash, zsh or fish to complete",
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


def parse(arguments: Sequence[str]) -> Run:
    """Parse a command line.

    Returns:
        what it asks for, which gets the environment and returns an exit code. `mphttp get` and
        `mphttp put` read their words by themselves then, since what they mean may be written in
        files, too.

    Raises:
        Told: it asks for help or the version.
        Failure: it can't be understood.
    """
    if list(arguments[:1]) in (["get"], ["put"]):
        return partial(_module(arguments[0]).run, arguments[1:])
    if list(arguments[:1]) == ["help"]:  # what follows may look like an option
        arguments = ["help", "--", *arguments[1:]]
    parsed = _parser(arguments[:1]).parse_args(arguments)
    return partial(parsed.run, parsed)


def whole() -> Parser:
    """Return the parser with the options of all commands, for those who tell of it."""
    return _parser(list(COMMANDS))


def _parser(wanted: Sequence[str]) -> Parser:
    """Return the parser with the options of some commands."""
    parser = Parser(
        prog="mphttp",
        description="Downloads over several network paths, opened when they are needed.",
        epilog=f"{variables()}\n\n{table()}",
    )
    parser.add_argument("--version", action=_Tell, text=_version, help="show the version and end")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=f"{summary.capitalize()}.")
        if name in wanted:
            module = _module(name)
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    return parser


def _module(name: str) -> ModuleType:
    return importlib.import_module(f".{name}", __package__)


def _version() -> str:
    return f"mphttp {__version__}\n"
