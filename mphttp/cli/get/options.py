"""The options of `mphttp get`; curl's names and meanings where curl has them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial

from ..environment import Environment
from ..exits import table, usage
from ..parser import Parser
from .content import read_file
from .settings import GROUPS, Option, Settings, add_to, all_options, settings_of
from .settings.config import words_of
from .settings.words import HELP, by_name, canonical, split
from .writeout import SWITCHES, VARIABLES

_WORDS = """\
TIME is such as 10s, 500ms or 1m; a plain number is seconds.
SIZE is such as 64KiB, 200k, 1MB or 1MiB; a plain number is bytes.

Proxies come from http_proxy, https_proxy, all_proxy and no_proxy unless -x or --noproxy is there;
no_proxy doesn't hold for -x.
With several URLs, -o, -O and --sha256 count for one each, in order; what fails doesn't stop the
others, and the exit code is the last failure's."""


@cache
def parser(*, sends: bool = False, tells: bool = True) -> Parser:
    """Return the parser of `mphttp get`, or of `mphttp put`; one that `tells` has their help."""
    if sends:
        made = Parser(prog="mphttp put", description="Upload a file over several paths.")
    else:
        made = Parser(prog="mphttp get", description="Download over several paths.")
    add_arguments(made, tells=tells)
    if sends:
        made.usage = "mphttp put [OPTION]... FILE URL"
    return made


def add_arguments(parser: argparse.ArgumentParser, *, tells: bool = True) -> None:
    """Add the options of `mphttp get`."""
    parser.usage = "mphttp get [OPTION]... URL..."
    if tells:
        parser.epilog = f"{_WORDS}\n\n{_variables()}\n\n{table()}"
    for title, settings in GROUPS.items():
        add_to(parser.add_argument_group(title), settings, tells=tells)


def read(
    words: Sequence[str], environment: Environment | None = None, *, sends: bool = False
) -> list[Settings]:
    """Read a command line: settings for each part between --next.

    Args:
        words: of the command line.
        environment: where files of options are; None for none.
        sends: whether it is that of `mphttp put`.

    Raises:
        Told: it asks for help.
        Failure: it can't be understood.
    """
    told = Option[object](("-h", "--help"), "")
    options = by_name([told, *(option for _, option in all_options())])
    files = partial(_words_of, environment=environment)
    default = [] if {"-q", "--disable"}.intersection(words[:1]) else _default(environment)
    groups = split(canonical([*default, *words], options, files))
    made = parser(sends=sends, tells=any(told.name in group for group in groups))
    found = [settings_of(made.parse_args(group)) for group in groups]
    if sends:
        found = [_sending(settings) for settings in found]
    for settings in found:
        if not settings.url and not settings.input_file:
            raise usage("there is no URL", "mphttp get https://example.org/")
    return [_with_common(settings, found) for settings in found]


def _sending(settings: Settings) -> Settings:
    """Take the first of what isn't an option for the file that is sent."""
    if len(settings.url) != 2 or settings.upload_file:
        raise usage("mphttp put sends one file to one URL", "mphttp put FILE https://example.org/")
    file, url = settings.url
    return replace(settings, upload_file=(file,), url=(url,))


def _with_common(settings: Settings, parts: Sequence[Settings]) -> Settings:
    """Let switches that curl calls global hold for all, wherever they stand."""
    return replace(
        settings,
        silent=any(part.silent for part in parts),
        show_error=any(part.show_error for part in parts),
        verbose=any(part.verbose for part in parts),
        parallel=any(part.parallel for part in parts),
        fail_early=any(part.fail_early for part in parts),
    )


def _default(environment: Environment | None) -> list[str]:
    """Return the words that name the file of options that is read before all."""
    if environment is None:
        return []
    for folder in (environment.environ.get("XDG_CONFIG_HOME"), environment.environ.get("HOME")):
        name = os.path.join(folder or "", ".mphttprc")
        if folder and os.path.isfile(name):
            return ["--config", name]
    return []


def _words_of(name: str, environment: Environment | None) -> list[str]:
    if environment is None:
        raise usage("-K: there is nowhere to read from", HELP)
    try:
        return list(words_of(os.fsdecode(read_file(name, environment))))
    except ValueError as error:
        raise usage(f"{name}: {error}", 'NAME "VALUE"') from error


def _variables() -> str:
    names = [f"%{{{name}}}" for name in (*SWITCHES, *VARIABLES)] + ["%header{NAME}"]
    lines, line = [], "variables of -w:"
    for name in names:
        if len(line) + len(name) > 96:
            lines.append(line)
            line = " "
        line += f" {name}"
    return "\n".join([*lines, line])
