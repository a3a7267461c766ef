"""`mphttp watch`: the MPTCP connections of this machine, live."""

from .command import add_arguments, run

__all__ = ["add_arguments", "run"]
