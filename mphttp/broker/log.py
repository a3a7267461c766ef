"""What the broker writes down, of which nobody can make it write too much."""

from __future__ import annotations

import time
from collections.abc import Callable

from .rules import TokenBucket
from .service import Client
from .users import User

_LINES = 200  # in a second, about all users

WriteLine = Callable[[str], None]


class Log:
    """The log, with limits.

    Args:
        write: takes one line.
    """

    def __init__(self, write: WriteLine) -> None:
        self._write = write
        self._lines = TokenBucket(_LINES, time.monotonic())

    def effect(self, client: Client, user: User, effect: str) -> None:
        """Log what was done, or count that it was one of many."""
        if not user.effects.take(time.monotonic()):
            user.untold += 1
            return
        more = f" ({user.untold} more before that)" if user.untold else ""
        user.untold = 0
        self.about(client, f"{effect}{more}")

    def about(self, client: Client, what: str) -> None:
        """Log what concerns one client."""
        self.line(f"user {client.user} process {client.process}: {what}")

    def line(self, line: str) -> None:
        """Log a line, unless there were very many."""
        if self._lines.take(time.monotonic()):
            self._write(line)
