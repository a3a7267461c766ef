"""The command line: `mphttp get`, `doctor`, `lab run` and `demo`."""

from .main import main

__all__ = ["main"]
