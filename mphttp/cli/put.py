"""`mphttp put FILE URL`: `mphttp get -T FILE URL`, with all its options."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from .environment import Environment


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options, for those who tell of them."""
    from .get.options import add_arguments as add

    add(parser)
    parser.usage = "mphttp put [OPTION]... FILE URL"


def run(words: Sequence[str], environment: Environment) -> int:
    """Do what a command line asks for, and return its exit code."""
    from .get.command import run as run_words

    return run_words(words, environment, sends=True)
