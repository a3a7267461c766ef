"""When an idle stream rests, so that thousands of them cost nothing. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable

REST_AFTER = 10.0
"""Seconds in which nothing moves, after which a stream rests."""
_ACTIVE, _RESTING = 1, 60


class Resting:
    """Whether one stream rests: its strategy isn't stepped then, and its connection not looked at.

    Attributes:
        rests: whether it does. Who moves bytes looks at it after each, and has it stirred.
    """

    def __init__(self) -> None:
        self.rests = False
        self._moved = 0
        self._since = -math.inf

    def look(self, moved: int, now: float, *, disturbed: bool, well: Callable[[], bool]) -> bool:
        """Rest if nothing has moved for long; return whether that begins now.

        Args:
            moved: bytes in both directions so far.
            now: the time, in seconds.
            disturbed: whether something else has happened.
            well: tells whether nothing is on its way, and the peer is there.
        """
        if moved != self._moved or disturbed:
            self._moved, self._since, self.rests = moved, now, False
        elif not self.rests and now - self._since >= REST_AFTER and well():
            self.rests = True
            return True
        return False

    def ask_after(self, *, watched: bool) -> int:
        """Return the seconds after which an idle peer is to be asked whether it is there.

        Args:
            watched: whether a strategy would make use of the answer.
        """
        return _ACTIVE if watched and not self.rests else _RESTING
