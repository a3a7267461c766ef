"""`mphttp demo`: hooks in the story that `mphttp.demo` tells."""

from __future__ import annotations

import argparse

from mphttp.demo import add_arguments
from mphttp.demo import run as run_demo

from .environment import Environment

__all__ = ["add_arguments", "run"]


def run(arguments: argparse.Namespace, _: Environment) -> int:
    """Run the demo and return its exit code."""
    return run_demo(arguments)
