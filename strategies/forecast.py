"""What a path is going to bring, judged by what it has brought: times and bytes in, bytes out."""

from __future__ import annotations

import math

_INSTANT = 1e-4
"""Seconds within which two looks are one."""
_MEMORY = 4.0
"""Seconds for which a rate counts: several times as long as it stays high or low."""
_FRESH = 0.8
"""Seconds for which a rate counts that is to tell of a fall soon."""
_CORRELATION = 1.0
"""Seconds for which a rate tells of the rate after it: as long as a fade."""
_KNOWN_AFTER = 0.5
"""Seconds of observation without which nothing is promised, where there is time for so many."""
_DOUBT = 0.4
"""Seconds of a rate by which a count may be off: what is lost in a burst is there a while later."""
_ENOUGH_TIME = 8.0
"""Seconds of a deadline that leaves time for these; a shorter one has to do with less."""
_FALL = 0.2
"""The least share by which the fresh rate is below the usual one when it counts as falling."""


class Forecast:
    """A forecast of a path's bytes, with its deviation.

    The rate is taken for a process that wanders about a mean (Gauss-Markov). Over a time much
    longer than its correlation, what comes deviates by the square root of that time, and by what
    isn't known yet of the mean.

    Args:
        stall_after: seconds of silence that are no accident.
        deadline: seconds for all that is decided by it.

    Attributes:
        rate: bytes a second, in the mean.
    """

    def __init__(self, stall_after: float = 0.2, deadline: float = _ENOUGH_TIME) -> None:
        self.rate = 0.0
        hurry = min(1.0, deadline / _ENOUGH_TIME)
        self._known_after = hurry * _KNOWN_AFTER
        self._doubt = hurry * _DOUBT
        self._stall_after = stall_after
        self._variance = 0.0
        self._jitter = 0.0
        self._weight = 0.0
        self._fresh = 0.0
        self._fresh_weight = 0.0
        self._observed = 0.0
        self._silent = 0.0
        self._last: tuple[float, int] | None = None
        self._last_rate: float | None = None

    def observe(self, now: float, count: int, silent: float = 0.0) -> None:
        """Take that `count` bytes have come by now.

        Args:
            now: seconds of any clock.
            count: bytes since any time.
            silent: seconds since the last one came.
        """
        self._silent = silent
        last = self._last
        if last is not None and 0 <= now - last[0] < _INSTANT and count >= last[1]:
            return  # too soon for a rate: the next look counts it
        self._last = (now, count)
        if last is not None and now > last[0] and count >= last[1]:
            self._take((count - last[1]) / (now - last[0]), now - last[0])

    def pause(self) -> None:
        """Leave out what comes until the next observation: it tells nothing of the path."""
        self._last = None

    def _take(self, rate: float, seconds: float) -> None:
        """Take a rate that held for a while into the means, in which what is old fades."""
        self._observed += seconds
        self._weight = self._weight * math.exp(-seconds / _MEMORY) + seconds
        share = seconds / self._weight
        off = rate - self.rate
        self.rate += share * off
        self._variance = (1 - share) * (self._variance + share * off**2)
        if self._last_rate is not None:
            self._jitter += share * ((rate - self._last_rate) ** 2 / 2 - self._jitter)
        self._last_rate = rate
        self._fresh_weight = self._fresh_weight * math.exp(-seconds / _FRESH) + seconds
        self._fresh += (rate - self._fresh) * seconds / self._fresh_weight

    @property
    def known(self) -> bool:
        """Whether the path was observed for long enough to build on it."""
        return self._observed >= self._known_after

    @property
    def falling(self) -> bool:
        """Whether the rate is lower than chance explains, as when one walks out of Wi-Fi."""
        chance = 2 * math.sqrt(self._jitter)
        return self._fresh < self.rate - max(chance, _FALL * self.rate)

    def expected(self, seconds: float) -> float:
        """Return the bytes that are to be expected in the next seconds.

        A silence is expected to last as long again as it has lasted; a fall, to stay.
        """
        silent = self._silent if self._silent > self._stall_after else 0.0
        rate = min(self.rate, self._fresh) if self.falling else self.rate
        return rate * max(0.0, seconds - silent)

    def deviation(self, seconds: float) -> float:
        """Return the standard deviation of what is expected, in bytes.

        What changes from one look to the next is no property of the path, but of its packets: only
        what neighbouring rates have in common counts.
        """
        if seconds <= 0 or not self._weight:
            return 0.0
        variance = max(0.0, self._variance - self._jitter)
        memory = 2 * _CORRELATION
        to_come = seconds * min(seconds, memory)
        unknown = seconds**2 * min(1.0, memory / self._weight)
        return math.sqrt(variance * (to_come + unknown))

    @property
    def doubt(self) -> float:
        """The share of the rate by which its mean may be off yet, since little was observed."""
        return self._doubt / max(self._doubt, self._observed)
