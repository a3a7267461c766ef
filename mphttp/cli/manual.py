"""`mphttp manual`: pages for man(1), in man(7)'s language, from the same parser as `--help`."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from mphttp import __version__

from .environment import Environment
from .exits import ExitCode, unwritable, usage
from .parser import COMMANDS, whole
from .variables import FILES, VARIABLES

_DATE = "2026-11-30"
_WIDTH = 78
"""Columns of a source line."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mphttp manual`."""
    parser.epilog = (
        "examples:\n"
        "  mphttp manual get | man -l -\n"
        "  mphttp manual --into ~/.local/share/man/man1    (then: man mphttp, man mphttp-get)"
    )
    parser.add_argument("page", nargs="?", metavar="COMMAND", help="whose page; else mphttp's")
    parser.add_argument("--into", metavar="FOLDER", help="write all pages there")


def run(arguments: argparse.Namespace, environment: Environment) -> int:
    """Write one page to stdout, or all of them to a folder."""
    made = pages()
    if arguments.into is not None:
        _write(made, Path(arguments.into))
        return 0
    name = f"mphttp-{arguments.page}" if arguments.page else "mphttp"
    if name not in made:
        known = ", ".join(one.removeprefix("mphttp-") for one in made if "-" in one)
        raise usage(f"there is no command {arguments.page!r}", f"there are {known}")
    environment.write(made[name])
    return 0


def _write(made: dict[str, str], folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in made.items():
            (folder / f"{name}.1").write_text(text, encoding="utf-8")
    except OSError as error:
        raise unwritable(str(folder), error) from error


def pages() -> dict[str, str]:
    """Return all pages by their names, such as mphttp-get."""
    parser = whole()
    commands = _commands(parser)
    made = {"mphttp": _page("mphttp", "downloads over several paths", parser, list(commands))}
    for name, command in commands.items():
        made[f"mphttp-{name}"] = _page(f"mphttp-{name}", COMMANDS[name], command, ())
    return made


def _page(name: str, summary: str, parser: argparse.ArgumentParser, commands: Sequence[str]) -> str:
    others = [f"mphttp-{one}" for one in commands] or ["mphttp"]
    lines = [
        f'.TH {name.upper()} 1 {_DATE} "mphttp {__version__}" "User commands"',
        ".SH NAME",
        f"{_text(name)} \\- {_text(summary)}",
        ".SH SYNOPSIS",
        *_lines(_synopsis(parser)),
        *_arguments(parser),
        *_notes(parser.epilog or "", leave_out_exits=True),
        ".SH EXIT STATUS",
        *_exits(parser.epilog or ""),
        *(_environment() if name in ("mphttp", "mphttp-get") else ()),
        ".SH SEE ALSO",
        *(f".BR {_text(one)} (1){',' if one is not others[-1] else ''}" for one in others),
    ]
    return "\n".join(lines) + "\n"


def _synopsis(parser: argparse.ArgumentParser) -> str:
    return " ".join(parser.format_usage().split()).removeprefix("usage: ")


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the sub-commands of a parser by their names."""
    for action in parser._actions:  # noqa: SLF001  argparse tells them nowhere else
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            return dict(action.choices)
    return {}


def _arguments(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the options and words of a parser, in the groups of `--help`."""
    for group in parser._action_groups:  # noqa: SLF001
        shown = [one for one in group._group_actions if one.help != argparse.SUPPRESS]  # noqa: SLF001
        if shown:
            yield f".SH {_text((group.title or 'options').upper())}"
        for action in shown:
            yield from _argument(action)
    for command in _commands(parser).values():
        if _commands(parser) and parser.prog != "mphttp":
            yield from _arguments(command)


def _argument(action: argparse.Action) -> Iterator[str]:
    if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
        for choice in action._choices_actions:  # noqa: SLF001
            yield from (".TP", f"\\fB{_text(choice.dest)}\\fR", *_lines(choice.help or ""))
        return
    value = action.metavar or ("" if action.nargs == 0 else action.dest.upper())
    if action.choices and not action.metavar:
        value = "|".join(map(str, action.choices))
    names = ", ".join(f"\\fB{_text(name)}\\fR" for name in action.option_strings)
    yield ".TP"
    told = f"\\fI{_text(str(value))}\\fR" if value else ""
    yield " ".join(part for part in (names, told) if part)
    yield from _lines((action.help or "").replace("%%", "%"))


def _notes(epilog: str, *, leave_out_exits: bool) -> Iterator[str]:
    """Yield what stands below the options: paragraphs, and lists as they are."""
    blocks = [block for block in re.split(r"\n\n+", epilog) if block.strip()]
    kept = [b for b in blocks if not (leave_out_exits and _LISTS.match(b))]
    if kept:
        yield ".SH NOTES"
    for number, block in enumerate(kept):
        yield from ((".PP",) if number else ())
        yield from (".nf", *_lines(block, filled=False), ".fi")


_LISTS = re.compile("exit codes|environment variables")


def _exits(epilog: str) -> Iterator[str]:
    own = next((b for b in re.split(r"\n\n+", epilog) if b.startswith("exit codes")), "")
    if own and "curl's" not in own.split("\n", 1)[0]:
        yield from (".nf", *_lines(own.partition("\n")[2], filled=False), ".fi")
        return
    for code in sorted(ExitCode):
        yield from (".TP", f"\\fB{code.value}\\fR", *_lines(code.meaning))


def _environment() -> Iterator[str]:
    for title, entries in (("ENVIRONMENT", VARIABLES), ("FILES", FILES)):
        yield f".SH {title}"
        for names, meaning in entries.items():
            yield from (".TP", f"\\fB{_text(names)}\\fR", *_lines(meaning))


def _lines(text: str, *, filled: bool = True) -> list[str]:
    """Return text as lines that man(7) takes for text."""
    given = [" ".join(text.split())] if filled else text.split("\n")
    split = (textwrap.wrap(_signs(line), _WIDTH, break_on_hyphens=False) or [""] for line in given)
    return [_no_request(line) for lines in split for line in lines]


def _text(line: str) -> str:
    """Write a line so that none of its signs means something."""
    return _no_request(_signs(line))


def _signs(text: str) -> str:
    signs = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti"}
    return "".join(signs.get(sign, sign) for sign in text)


def _no_request(line: str) -> str:
    return f"\\&{line}" if line.startswith((".", "\\(aq")) else line
