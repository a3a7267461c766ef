"""A limit of time, fixed when it begins: signals, retries and small progress don't move its end."""

from __future__ import annotations

import math
import time


class TimeLimit:
    """So many seconds from now, for one wait or for several steps together.

    Args:
        seconds: how many, or None for no limit.
    """

    __slots__ = ("_end",)

    def __init__(self, seconds: float | None) -> None:
        self._end = math.inf if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        """Return the seconds that are left, 0 when it is over, None without a limit."""
        return None if self._end == math.inf else max(0.0, self._end - time.monotonic())

    def require(self) -> float | None:
        """Return the seconds that are left, for what takes 0 for another thing than no time.

        Raises:
            TimeoutError: none are.
        """
        left = self.left()
        if left == 0.0:
            raise TimeoutError("timed out")
        return left
