"""`mphttp proxy`: several paths for any program, by HTTP and SOCKS5."""

from .command import add_arguments, run

__all__ = ["add_arguments", "run"]
