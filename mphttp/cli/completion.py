"""`mphttp completion SHELL`: words for the shell to complete, by shtab, from the same parser."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator, Mapping

from mphttp import registry

from .environment import Environment
from .exits import usage

SHELLS = ("bash", "zsh", "fish")
_INTERFACES = "ls /sys/class/net"
_PLACES = {"FILE": "file", "FOLDER": "directory", "REPORT": "file", "IFACE": "interface"}
"""What stands for a value in `--help`, up to its first sign that is no letter."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mphttp completion`."""
    parser.epilog = (
        "for this shell alone:\n"
        '  bash  eval "$(mphttp completion bash)"\n'
        '  zsh   eval "$(mphttp completion zsh)"    (after compinit)\n'
        "  fish  mphttp completion fish | source\n"
        "for all that follow, write it to a file:\n"
        "  bash  ~/.local/share/bash-completion/completions/mphttp\n"
        "  zsh   a file called _mphttp in a folder of $fpath\n"
        "  fish  ~/.config/fish/completions/mphttp.fish"
    )
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help="bash, zsh or fish")


def run(arguments: argparse.Namespace, environment: Environment) -> int:
    """Write the completion of a shell to stdout."""
    try:
        shtab = importlib.import_module("shtab")
    except ImportError as error:
        what = f"mphttp completion needs the package shtab, which can't be imported: {error}"
        raise usage(what, "pip install 'mphttp[completion]'") from error
    from .parser import whole

    parser = whole()
    known = {
        "file": shtab.FILE,
        "directory": shtab.DIRECTORY,
        "interface": shtab.cmd(_INTERFACES),
        "strategy": shtab.cmd(f"printf '%s\\n' {' '.join(registry.names())}"),
    }
    for action in _valued(parser):
        _complete(action, known)
    environment.write(shtab.complete(parser, shell=arguments.shell) + "\n")
    return 0


def _complete(action: argparse.Action, known: Mapping[str, object]) -> None:
    """Say what completes the value of an option."""
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    named = "strategy" if "--strategy" in action.option_strings else ""
    last = metavar.rpartition("|")[2].strip("@")
    kind = named or _PLACES.get(_word(metavar)) or _PLACES.get(last)
    if kind:
        action.complete = known[kind]  # type: ignore[attr-defined]


def _word(metavar: str) -> str:
    bare = metavar.lstrip("[")
    return bare[: next((at for at, sign in enumerate(bare) if not sign.isalpha()), len(bare))]


def _valued(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield all actions of a parser and of its sub-commands that take a value."""
    for action in parser._actions:  # noqa: SLF001  argparse tells them nowhere else
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for command in action.choices.values():
                yield from _valued(command)
        elif action.nargs != 0:
            yield action
