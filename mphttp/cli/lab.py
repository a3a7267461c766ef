"""`mphttp lab run …`: hooks in the lab's own command."""

from __future__ import annotations

import argparse

from mphttp.lab.command import add_arguments as add_run_arguments
from mphttp.lab.command import run as run_in_lab

from .environment import Environment


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what follows `mphttp lab`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    add_run_arguments(actions.add_parser("run", help="run a command in the lab"))


def run(arguments: argparse.Namespace, _: Environment) -> int:
    """Run a command in the lab and return its exit code."""
    return run_in_lab(arguments)
