"""`mphttp help`: a command, or one option, in the words of `--help`."""

from __future__ import annotations

import argparse
import difflib
import textwrap
from collections.abc import Iterator

from .environment import Environment
from .exits import usage
from .variables import table

_WIDTH = 80


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the words of `mphttp help`."""
    examples = ("mphttp help get", "mphttp help deadline", "mphttp help environment")
    parser.epilog = "\n  ".join(("examples:", *examples))
    parser.usage = "mphttp help [COMMAND|OPTION|environment]"
    parser.prefix_chars = "\0"  # an option is a word here
    parser.add_argument("word", nargs="?", metavar="WORD", help="a command, or an option's name")


def run(arguments: argparse.Namespace, environment: Environment) -> int:
    """Tell of a command or an option."""
    from .parser import whole

    parser = whole()
    commands = dict(_commands(parser))
    word: str | None = arguments.word
    if word is None:
        environment.write(parser.format_help())
    elif word in commands:
        environment.write(commands[word].format_help())
    elif word == "environment":
        environment.write(table() + "\n")
    else:
        environment.write(_option(word, commands))
    return 0


def _option(word: str, commands: dict[str, argparse.ArgumentParser]) -> str:
    """Return what all commands say of an option.

    Raises:
        Failure: none has it.
    """
    named = list(_named(commands))
    wanted = {word} if word.startswith("-") else {f"--{word}", f"-{word}"}
    found = [entry for name, entry in named if name in wanted]
    if found:
        return "\n\n".join(dict.fromkeys(found)) + "\n"
    known = [*commands, *(name for name, _ in named)]
    close = difflib.get_close_matches(word if word in known else f"--{word.lstrip('-')}", known, 1)
    guess = f"did you mean {close[0]}? " if close else ""
    raise usage(f"there is no command or option {word!r}", f"{guess}mphttp help lists the commands")


def _named(commands: dict[str, argparse.ArgumentParser]) -> Iterator[tuple[str, str]]:
    """Yield each name of an option, and what is told of it."""
    for command in commands.values():
        for action in command._actions:  # noqa: SLF001  argparse tells them nowhere else
            if action.help == argparse.SUPPRESS:
                continue
            for name in action.option_strings:
                yield name, _entry(command.prog, action)


def _entry(command: str, action: argparse.Action) -> str:
    value = f" {action.metavar}" if action.metavar else ""
    if action.choices and not action.metavar:
        value = f" {'|'.join(map(str, action.choices))}"
    meaning = (action.help or "").replace("%%", "%")
    indented = textwrap.fill(meaning, _WIDTH, initial_indent="    ", subsequent_indent="    ")
    return f"{command}: {', '.join(action.option_strings)}{value}\n{indented}"


def _commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            yield from action.choices.items()
