"""Where a body goes on whose last connection broke off: pure, with the time as an argument.

The strategy is told first, and what it opens is waited for. Where it opens nothing, the paths that
it allows are tried in their order, the next one half a second after one that doesn't answer, since
with none at all the body would be lost.
"""

from __future__ import annotations

import math
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from .plan import LEAST_BLOCK

_ASKED = 0.2
"""Seconds for which the strategy may choose."""
_STAGGER = 0.5
"""Seconds after which the next path is tried beside one that hasn't answered (RFC 8305, 5)."""
_PAUSE = 1.0
"""Seconds after which all paths are tried once more."""
_ROUNDS = 2


class Step(NamedTuple):
    """What is to be done now.

    Args:
        path: to connect over, or None.
        again_at: when to ask again, at the latest.
        over: whether nothing is left to be tried.
    """

    path: str | None = None
    again_at: float | None = None
    over: bool = False


class Recovery:
    """The tries of one body."""

    def __init__(self) -> None:
        self._tried: set[str] = set()
        self._rounds = 0
        self._since: float | None = None
        self._not_before = 0.0
        self._next_at = math.inf
        self._had = 0

    def rest(self) -> None:
        """Record that there is somebody again who brings something."""
        self._since = None

    def step(self, paths: tuple[str, ...], opening: AbstractSet[str], had: int, now: float) -> Step:
        """Decide, as long as nobody brings anything.

        Args:
            paths: that may be used, in the order of trying.
            opening: those over which a connection is being made.
            had: bytes of the body that are here: who brought something may try again.
            now: the time in seconds.
        """
        if self._since is None:
            self._begin(had, now)
        if now < self._not_before or (opening and now < self._next_at):
            return Step(again_at=max(self._not_before, self._next_at if opening else 0.0))
        left = [path for path in paths if path not in self._tried | opening]
        if left:
            self._tried.add(left[0])
            self._next_at = now + _STAGGER
            return Step(left[0], self._next_at)
        if opening:
            return Step(again_at=now + _PAUSE)
        self._rounds += 1
        if self._rounds >= _ROUNDS:
            return Step(over=True)
        self._tried.clear()
        self._not_before = now + _PAUSE
        return Step(again_at=self._not_before)

    def _begin(self, had: int, now: float) -> None:
        self._since = now
        self._not_before = self._next_at = now + _ASKED
        if had - self._had >= LEAST_BLOCK:
            self._tried.clear()
            self._rounds = 0
        self._had = had
