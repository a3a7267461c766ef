"""From samples (what had come by when) to rates in equal spans of time, and their axes. Pure."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_MOST_STEPS = 60
_SHORTEST_STEP = 0.2
"""Seconds; twice the usual distance of two samples."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Rates of one path.

    Args:
        step: seconds that each holds for, the first from 0 on.
        values: bits per second.
    """

    step: float
    values: tuple[float, ...]


def rates(samples: Sequence[tuple[float, int]], seconds: float) -> Rates:
    """Return the mean rate in each of equally long steps.

    Args:
        samples: time and bytes that had come by then, in order; between two, bytes come evenly.
        seconds: the end of the last step.
    """
    count = max(1, min(_MOST_STEPS, int(seconds / _SHORTEST_STEP)))
    step = seconds / count
    came = [_at(samples, n * step) for n in range(count + 1)]
    return Rates(step, tuple(8 * (after - before) / step for before, after in pairwise(came)))


def _at(samples: Sequence[tuple[float, int]], when: float) -> float:
    """Return the bytes that had come by a time."""
    after = bisect_right(samples, when, key=lambda sample: sample[0])
    then, there = samples[after - 1] if after else (0.0, 0)
    if after == len(samples):
        return there
    later, more = samples[after]
    return there + (more - there) * (when - then) / (later - then)


def stacked(series: Sequence[Rates]) -> list[tuple[list[float], list[float]]]:
    """Put each series on top of those before it: lower and upper edge, step by step."""
    edges: list[tuple[list[float], list[float]]] = []
    lower = [0.0] * len(series[0].values) if series else []
    for one in series:
        upper = [low + value for low, value in zip(lower, one.values, strict=True)]
        edges.append((lower, upper))
        lower = upper
    return edges


def ticks(end: float, most: int = 8) -> list[float]:
    """Return round numbers from 0 up to an end, evenly spaced: steps of 1, 2 or 5 times 10^n."""
    if end <= 0:
        return [0.0]
    power = 10.0 ** math.floor(math.log10(end / most))
    step = next(m * power for m in (1, 2, 5, 10, 20) if end / (m * power) <= most)
    return [round(n * step, 9) for n in range(int(end / step + 1e-9) + 1)]
