"""Who is to be woken when: one time for each, the earliest that was asked for."""

from __future__ import annotations

import heapq
import itertools
import math
import weakref
from typing import Generic, TypeVar

T = TypeVar("T")


class Timers(Generic[T]):
    """Timers of objects that are held weakly; times are in seconds, of any one clock."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, weakref.ref[T]]] = []
        self._due: weakref.WeakKeyDictionary[T, float] = weakref.WeakKeyDictionary()
        self._order = itertools.count()

    def set(self, owner: T, when: float) -> bool:
        """Set a timer; return False if there is an earlier one for the same owner."""
        if self._due.get(owner, math.inf) <= when:
            return False
        self._due[owner] = when
        heapq.heappush(self._heap, (when, next(self._order), weakref.ref(owner)))
        return True

    @property
    def next(self) -> float:
        """When the next one is due, infinity for never."""
        while self._heap and self._heap[0][2]() is None:  # nobody is woken for those who have gone
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else math.inf

    def take_due(self, now: float) -> list[T]:
        """Return whose time has come, in that order; their timers are gone."""
        due = []
        while self._heap and self._heap[0][0] <= now:
            when, _, reference = heapq.heappop(self._heap)
            owner = reference()
            # One that isn't due at this time any more has had an earlier one since.
            if owner is not None and self._due.get(owner) == when:
                del self._due[owner]
                due.append(owner)
        return due
