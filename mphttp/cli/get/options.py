"""The options of `mphttp get`; curl's names and meanings where curl has them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ..exits import table, usage
from ..parser import Parser
from .settings import GROUPS, Option, Settings, add_to, all_options, settings_of
from .settings.words import by_name, canonical
from .writeout import SWITCHES, VARIABLES

_WORDS = """\
TIME is such as 10s, 500ms or 1m; a plain number is seconds.
SIZE is such as 64KiB, 200k, 1MB or 1MiB; a plain number is bytes.

Proxies come from http_proxy, https_proxy, all_proxy and no_proxy unless -x or --noproxy is there;
no_proxy doesn't hold for -x.
With several URLs, -o, -O and --sha256 count for one each, in order; what fails doesn't stop the
others, and the exit code is the last failure's."""


def parser() -> Parser:
    """Return the parser of `mphttp get`."""
    made = Parser(prog="mphttp get", description="Download over several paths.")
    add_arguments(made)
    return made


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mphttp get`."""
    parser.usage = "mphttp get [OPTION]... URL..."
    parser.epilog = f"{_WORDS}\n\n{_variables()}\n\n{table()}"
    for title, settings in GROUPS.items():
        add_to(parser.add_argument_group(title), settings)


def read(words: Sequence[str]) -> Settings:
    """Read a command line.

    Raises:
        Told: it asks for help.
        Failure: it can't be understood.
    """
    made = parser()
    told = Option[object](("-h", "--help"), "", constant=None)
    options = by_name([told, *(option for _, option in all_options())])
    settings = settings_of(made.parse_args(canonical(words, options)))
    if not settings.url:
        raise usage("there is no URL", "mphttp get https://example.org/")
    return settings


def _variables() -> str:
    names = [f"%{{{name}}}" for name in (*SWITCHES, *VARIABLES)] + ["%header{NAME}"]
    lines, line = [], "variables of -w:"
    for name in names:
        if len(line) + len(name) > 96:
            lines.append(line)
            line = " "
        line += f" {name}"
    return "\n".join([*lines, line])
