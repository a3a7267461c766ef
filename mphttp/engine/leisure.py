"""When events of the kernel are read: at once while somebody waits for some, else many together.

Each connection that is made or closed on this machine is told to whoever may open subflows, three
times. To be woken for each would take more time than a short response does otherwise. Pure.
"""

from __future__ import annotations

import math

_PAUSE = 0.02
"""Seconds between two readings while nobody waits: a few hundred events have room meanwhile."""
_ATTENTIVE_FOR = 1.0
"""Seconds for which each event is read at once after somebody has waited for any."""


class Leisure:
    """Of which descriptors nobody awaits events; times are of `time.monotonic`, in seconds."""

    def __init__(self) -> None:
        self._resting: list[int] = []
        self._attentive_until = -math.inf
        self.until = math.inf

    def begin(self, descriptor: int, now: float) -> bool:
        """Return whether a descriptor, just read, isn't to be looked at until `until`."""
        if now < self._attentive_until:
            return False
        if not self._resting:
            self.until = now + _PAUSE
        self._resting.append(descriptor)
        return True

    def end(self, now: float) -> None:
        """Record that somebody waits for events."""
        self._attentive_until = now + _ATTENTIVE_FOR
        if self._resting:
            self.until = now

    def over(self, now: float) -> list[int]:
        """Return which descriptors are to be looked at again."""
        if now < self.until:
            return []
        over, self._resting, self.until = self._resting, [], math.inf
        return over
