"""A set of byte offsets, kept as intervals."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

Interval = tuple[int, int]
"""Start and stop, exclusive, in bytes."""


class Intervals:
    """Which bytes are there; few intervals, however many bytes.

    Attributes:
        size: how many bytes are in it.
    """

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []
        self.size = 0

    def add(self, start: int, stop: int) -> None:
        """Put an interval in, whatever of it is in already."""
        if start >= stop:
            return
        first = bisect_left(self._stops, start)  # those that touch are joined
        last = bisect_right(self._starts, stop)
        gone = sum(self._stops[i] - self._starts[i] for i in range(first, last))
        if first < last:
            start = min(start, self._starts[first])
            stop = max(stop, self._stops[last - 1])
        self._starts[first:last] = [start]
        self._stops[first:last] = [stop]
        self.size += stop - start - gone

    def missing(self, start: int, stop: int) -> list[Interval]:
        """Return what of an interval isn't in it, in order."""
        gaps: list[Interval] = []
        for i in range(bisect_right(self._stops, start), bisect_left(self._starts, stop)):
            if self._starts[i] > start:
                gaps.append((start, self._starts[i]))
            start = self._stops[i]
        if start < stop:
            gaps.append((start, stop))
        return gaps

    def covers(self, start: int, stop: int) -> bool:
        """Return whether all of an interval is in it."""
        return not self.missing(start, stop)
