"""`mphttp doctor`: what this machine, its paths and a server can do, and what mends the rest.

Probes go out in `probing` (`connecting`, `asking`, `joining`), and leave `outcomes`, plain values.
`diagnosis` makes findings of them: pure, with `answers`, which compares what the server said on one
path with what it said on the others. `command` shows them.
"""

from .command import add_arguments, run

__all__ = ["add_arguments", "run"]
