"""What a path is going to bring, judged by what it has brought: times and bytes in, bytes out."""

from __future__ import annotations

import math
from collections.abc import Callable

_FADE = 1.0
"""Seconds for which a rate tells of the rate after it: as long as a fade."""
_MEMORY = 3 * _FADE
"""Seconds for which a rate counts: several times as long as it stays high or low."""
_FRESH = 0.4 * _FADE
"""Seconds for which a rate counts that is to tell what is now: a few looks, less than a fade."""
_RECENT = 3 * _FRESH
"""Seconds for which a rate counts that the fresh one is held against, to see a trend."""
_SUPPOSED = 0.16
"""The share of itself by which a rate is supposed to vary that nobody has seen yet: a good
start may be luck. Chosen on rates that vary by 10 and by 30%."""
_SUPPOSED_FOR = 2 * _MEMORY
"""Seconds of observation that count as much as what is supposed."""
_GAP = 0.03
"""Seconds of silence as there are between packets, where no longer ones were seen; a rate is taken
over no less."""
OUTAGE = 8.0
"""Seconds that a longer silence takes of those to come, for each that it has lasted beyond: an
outage is seen when it has just begun, and takes tenths of a second or more."""
_CHANCE = 1.5
"""Deviations of the rate below its mean that are no accident. Chosen between 1.4, which misses less
when somebody walks out, and 1.7, which has less over the other path."""
_STEADIEST = 0.05
"""The least share by which a rate may vary, whatever was seen."""
_HOUR = 3600.0
_FALL = 0.12
"""The least share by which the fresh rate is below the usual one when it counts as falling."""


class _Mean:
    """A mean of rates in which what is old fades.

    Args:
        memory: seconds in which its weight falls to 1/e.
    """

    def __init__(self, memory: float) -> None:
        self.value = 0.0
        self._memory = memory
        self._weight = 0.0

    def take(self, rate: float, seconds: float) -> None:
        """Take a rate that held for a while."""
        self._weight = self._weight * math.exp(-seconds / self._memory) + seconds
        self.value += (rate - self.value) * seconds / self._weight


class Forecast:
    """A forecast of a path's bytes, with its deviation.

    The rate is taken for a process that wanders about a mean (Gauss-Markov). Over a time much
    longer than its correlation, what comes deviates by the square root of that time; and as the
    mean of a few seconds is off itself, by that time. Two things are no part of that: an outage,
    which is left out of the mean, and a fall that is too deep for chance, which is expected to go
    on.

    Args:
        stall_after: seconds of silence that are no accident.
    """

    def __init__(self, stall_after: float = 0.2) -> None:
        self._stall_after = stall_after
        self._usual = _Mean(_MEMORY)
        self._fresh = _Mean(_FRESH)
        self._recent = _Mean(_RECENT)
        self._shared = _Mean(_MEMORY)
        self._observed = 0.0
        self._silent = 0.0
        self._gap = _GAP
        self._last: tuple[float, int] | None = None
        self._last_rate: float | None = None

    def observe(self, now: float, count: int, silent: float = 0.0) -> None:
        """Take that `count` bytes have come by now.

        Args:
            now: seconds of any clock.
            count: bytes since any time.
            silent: seconds since the last one came.
        """
        if silent < self._silent and not self.stalled:  # it was over, and no outage
            self._gap = max(self._gap, self._silent)
        self._silent = silent
        at = now - silent  # of the last byte: what was silent since isn't part of a rate
        due = False
        if self._last is not None:
            then, before = self._last
            due = at >= then + _GAP or count < before
            if due and count >= before:
                self._take((count - before) / (at - then), at - then)
        if self.stalled:
            self.pause()
        elif due or self._last is None:
            self._last = (at, count)

    def pause(self) -> None:
        """Leave out what comes until the next observation: it tells nothing of the path."""
        self._last = None

    def _take(self, rate: float, seconds: float) -> None:
        """Take a rate that held for a while into the means, in which what is old fades."""
        self._observed += seconds
        for mean in (self._usual, self._fresh, self._recent):
            mean.take(rate, seconds)
        if self._last_rate is not None and not self.falling:
            self._shared.take((rate - self.rate) * (self._last_rate - self.rate), seconds)
        self._last_rate = rate

    @property
    def rate(self) -> float:
        """Bytes a second, in the mean."""
        return self._usual.value

    @property
    def known(self) -> bool:
        """Whether the path was observed for long enough to build on it."""
        return self._observed >= _GAP

    @property
    def _noise(self) -> float:
        """The standard deviation of the rate, as far as neighbouring looks have it in common.

        What changes from one look to the next is no property of the path, but of its packets; and a
        fall is no noise.
        """
        return math.sqrt(max(0.0, self._shared.value))

    @property
    def unsteadiness(self) -> float:
        """The standard deviation of the rate, as a share of it, as far as it is the path's."""
        return min(1.0, max(_STEADIEST, self._noise / self.rate)) if self.rate else _STEADIEST

    @property
    def falling(self) -> bool:
        """Whether the rate is lower than chance explains, as when one walks out of Wi-Fi."""
        return self._fresh.value < self.rate - max(_CHANCE * self._noise, _FALL * self.rate)

    @property
    def rising(self) -> bool:
        """Whether ever more comes, as in slow start: then nobody knows how much it will be."""
        return self._fresh.value > (1 + _FALL) * self._recent.value

    @property
    def stalled(self) -> bool:
        """Whether nothing has come for longer than accidents last."""
        return self._silent > self._stall_after

    def expected(self, seconds: float) -> float:
        """Return the bytes that are to be expected in the next seconds.

        What is high or low now returns to the mean within a fade. A silence that is no gap between
        packets is expected to last many times as long as it has lasted; a fall, to go on.
        """
        seconds = max(0.0, seconds - OUTAGE * max(0.0, self._silent - self._gap))
        if self.falling:
            return self._if_it_falls_on(seconds)
        stays = _FADE * -math.expm1(-seconds / _FADE)
        return max(0.0, self.rate * seconds + (self._fresh.value - self.rate) * stays)

    def _if_it_falls_on(self, seconds: float) -> float:
        """Return the bytes that come until the line through the last rates reaches zero."""
        trend = min(0.0, (self._fresh.value - self._recent.value) / (_RECENT - _FRESH))
        level = max(0.0, self._fresh.value + trend * _FRESH)
        if trend < 0:
            seconds = min(seconds, level / -trend)
        return (level + trend * seconds / 2) * seconds

    def deviation(self, seconds: float) -> float:
        """Return the standard deviation of what is expected, in bytes.

        A path that was steady for a second or two may be so by chance: what is supposed of any path
        goes in.
        """
        if seconds <= 0:
            return 0.0
        seen = self._observed / (self._observed + _SUPPOSED_FOR)
        variance = seen * self._noise**2 + (1 - seen) * (_SUPPOSED * self.rate) ** 2
        return math.sqrt(variance * seconds * (min(seconds, 2 * _FADE) + seconds))


def time_of(count: float, brings: Callable[[float], float]) -> float:
    """Return the seconds until so many bytes have come, to a hundredth; at most an hour.

    Args:
        count: bytes.
        brings: tells how many come within so many seconds; never fewer in more.
    """
    least, most = 0.0, 1.0
    while brings(most) < count and most < _HOUR:
        least, most = most, 2 * most
    while most - least > 0.01:
        middle = (least + most) / 2
        least, most = (least, middle) if brings(middle) >= count else (middle, most)
    return min(most, _HOUR)
