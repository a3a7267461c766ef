"""One time limit for several steps, such as all that connecting takes."""

from __future__ import annotations

import math
import time


class Limit:
    """A time limit for a whole, of which each step is told what is left.

    Args:
        seconds: for all of it from now on, or None for no limit.
    """

    __slots__ = ("_end",)

    def __init__(self, seconds: float | None) -> None:
        self._end = math.inf if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        """Return the seconds that are left, or None for no limit.

        Raises:
            TimeoutError: none are.
        """
        if self._end == math.inf:
            return None
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("timed out")
        return seconds
