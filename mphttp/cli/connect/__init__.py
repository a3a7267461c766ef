"""`mphttp connect`: standard input and output, or a local port, over several paths."""

from .command import add_arguments, run

__all__ = ["add_arguments", "run"]
