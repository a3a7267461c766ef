"""A limit of time, fixed when it begins: signals, retries and small progress don't move its end."""

from __future__ import annotations

import time


class TimeLimit:
    """So many seconds from now.

    Args:
        seconds: how many, or None for no limit.
    """

    __slots__ = ("_end",)

    def __init__(self, seconds: float | None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        """Return the seconds that are left, 0 when it is over, None without a limit."""
        return None if self._end is None else max(0.0, self._end - time.monotonic())
