"""Whether somebody waits for a connection that has no subflow left. Pure."""

from __future__ import annotations

import math

_EVERY = 1.0
"""Seconds between two looks at whether a connection has a subflow."""
_LOOKS, _LOOKS_OF_A_STREAM = 2, 30
"""Looks in a row after which one that has none is given up; a stream can't be begun anew."""


class Watch:
    """What was asked over one connection and what came; times are of `time.monotonic`, in seconds.

    Attributes:
        asked_at: when something of a request was sent last.
        whole_at: when a response was whole, last.
        arrived_at: when all that was sent of requests had arrived, last.
        at: when to look next.
    """

    def __init__(self, now: float) -> None:
        self.asked_at = now
        self.whole_at = -math.inf
        self.arrived_at = -math.inf
        self.at = math.inf
        self._watches = False
        self._stranded = 0

    @property
    def owed(self) -> bool:
        """Whether a request was sent since a response was whole."""
        return self.whole_at < self.asked_at

    def begin(self, now: float) -> bool:
        """Record that something of a request is being sent; return whether looks begin with it."""
        self.asked_at = now
        if self._watches:
            return False
        self._watches = True
        self.at = now + _EVERY
        return True

    def end(self) -> None:
        """Look no more: nobody waits for anything."""
        self._watches = False

    def look(self, now: float, *, stranded: bool, stream: bool) -> bool:
        """Return whether the connection is to be given up.

        Args:
            now: the time.
            stranded: whether it has no subflow, and none is being opened.
            stream: whether it carries bytes in both directions, and no request that can be sent
                once more: then its strategy has longer to open one.
        """
        self.at = now + _EVERY
        self._stranded = self._stranded + 1 if stranded else 0
        return self._stranded >= (_LOOKS_OF_A_STREAM if stream else _LOOKS)
