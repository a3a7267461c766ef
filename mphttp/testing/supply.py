"""What a path can deliver, as the integral of its rate: no clock has to stop at its changes."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import pairwise


class Supply:
    """Bytes that a path could have delivered by any time.

    Args:
        trace: pairs of a time in seconds and the rate from then on, in bytes a second, ascending.
        end: when the path is gone, in seconds.
    """

    def __init__(self, trace: Iterable[tuple[float, float]], end: float = math.inf) -> None:
        kept = [point for point in trace if point[0] < end]
        if end < math.inf:
            kept.append((end, 0.0))
        self.times = [start for start, _ in kept]
        self.rates = [float(rate) for _, rate in kept]
        self.sums = [0.0]
        for (start, rate), (then, _) in pairwise(kept):
            self.sums.append(self.sums[-1] + rate * (then - start))

    def rate_at(self, now: float) -> float:
        """Bytes a second at a time."""
        index = bisect_right(self.times, now) - 1
        return self.rates[index] if index >= 0 else 0.0

    def by(self, now: float) -> float:
        """Bytes from the trace's begin to a time."""
        index = bisect_right(self.times, now) - 1
        if index < 0:
            return 0.0
        return self.sums[index] + self.rates[index] * (now - self.times[index])

    def when(self, amount: float) -> float:
        """Return the first time by which so many bytes could have come; infinite if never."""
        index = max(0, bisect_left(self.sums, amount) - 1)
        missing = amount - self.sums[index]
        if missing <= 0:
            return self.times[index]
        rate = self.rates[index]
        return self.times[index] + missing / rate if rate else math.inf

    def last_before(self, now: float) -> float:
        """Return the last time, up to now, at which anything could come."""
        index = bisect_right(self.times, now) - 1
        while index > 0 and not self.rates[index]:
            now, index = self.times[index], index - 1
        return now
