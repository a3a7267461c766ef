"""`mphttp get`: downloads with curl's options, and a strategy for their paths.

The rooms: `settings` says each option once, `options` and `jobs` read the command line; `command`
does one download after the other, or several at once (`parallel`); `download` makes attempts at one
of them, `attempt` is one exchange with the server. The decisions are pure: `resume` (what an answer
means for what is here already), `retry` (whether and when to try again), `pace` (how long to wait),
`decode` (codings) and `writeout` (what `-w` writes).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ..environment import Environment

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options, for those who tell of them."""
    from .options import add_arguments as add

    add(parser)


def run(words: Sequence[str], environment: Environment) -> int:
    """Do what a command line asks for, and return its exit code.

    Its modules are imported here, so that other commands can have its options without HTTP.
    """
    from .command import run as run_words

    return run_words(words, environment)
