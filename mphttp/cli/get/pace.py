"""`--limit-rate`: how long a reader waits so that it reads no faster than it may.

The reader stops reading, so that the kernel's receive buffer fills and its window tells the sender
to be slower: the limit holds on the links, not only here.
"""

from __future__ import annotations

_SLACK = 1.0
"""Seconds of the rate that a transfer which was slower may make up for."""


class Pace:
    """A transfer's pace; times are seconds of any steady clock.

    Args:
        rate: bytes per second, more than 0.
        now: when it begins.
    """

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._even_at = now

    def wait(self, count: int, now: float) -> float:
        """Return the seconds to wait after bytes were read.

        Args:
            count: how many.
            now: when.
        """
        self._even_at = max(self._even_at, now - _SLACK) + count / self._rate
        return max(0.0, self._even_at - now)
