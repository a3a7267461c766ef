"""Rates that vary as those of Wi-Fi and of mobile networks do: seeded, and in Mahimahi's format.

    lte = fading(3e6, 0.3, seconds=60, seed=7)
    write_trace(Path("lte.trace"), lte, about="fading(3e6, 0.3, seconds=60, seed=7)")
    # mphttp lab run --link lte=25ms,trace=lte.trace -- COMMAND

A trace is a list of pairs: a time in seconds, and the bits a second from then on. The same seed
gives the same trace on every machine.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

Trace = list[tuple[float, float]]

STEP = 0.1
"""Seconds between two values of a trace."""
_PACKET = 1500 * 8  # bits of Mahimahi's delivery opportunity
_LEAST = 0.05  # of the mean: a fade; a link that is gone is an outage


def gauss_markov(
    mean: float, noise: float, *, seconds: float, seed: int, memory: float = 1.0
) -> Trace:
    """Make a rate that wanders about its mean: Wi-Fi that is shared with others.

    Args:
        mean: bits a second.
        noise: standard deviation as a share of the mean.
        seconds: how long.
        seed: of the chance.
        memory: seconds in which the correlation falls to 1/e.
    """
    return [
        (time, mean * max(_LEAST, 1 + noise * value))
        for time, value in _wander(seconds, seed, memory)
    ]


def fading(mean: float, noise: float, *, seconds: float, seed: int, memory: float = 2.0) -> Trace:
    """Make a rate whose logarithm wanders: a mobile network, with deep fades and short peaks.

    Args:
        mean: bits a second.
        noise: standard deviation as a share of the mean.
        seconds: how long.
        seed: of the chance.
        memory: seconds in which the correlation falls to 1/e.
    """
    spread = math.sqrt(math.log(1 + noise**2))
    return [
        (time, mean * math.exp(spread * value - spread**2 / 2))
        for time, value in _wander(seconds, seed, memory)
    ]


def _wander(seconds: float, seed: int, memory: float) -> list[tuple[float, float]]:
    """Make a stationary Gauss-Markov process of mean 0 and deviation 1."""
    chance = random.Random(seed)
    keeps = math.exp(-STEP / memory)
    new = math.sqrt(1 - keeps**2)
    value, values = chance.gauss(0, 1), []
    for index in range(math.ceil(seconds / STEP)):
        values.append((index * STEP, value))
        value = keeps * value + new * chance.gauss(0, 1)
    return values


def with_outages(trace: Trace, *, up: float, down: float, seed: int) -> Trace:
    """Let a link be gone now and then: both times are exponential.

    Args:
        trace: what it carries while it is there.
        up: mean seconds between two outages.
        down: mean seconds of an outage.
        seed: of the chance.
    """
    chance = random.Random(seed)
    gone: list[tuple[float, float]] = []
    now = chance.expovariate(1 / up)
    while now <= trace[-1][0]:
        gone.append((now, now + chance.expovariate(1 / down)))
        now = gone[-1][1] + chance.expovariate(1 / up)
    for begin, end in gone:
        trace = _cut_out(trace, begin, end)
    return trace


def _cut_out(trace: Trace, begin: float, end: float) -> Trace:
    after = max((point for point in trace if point[0] <= end), default=trace[0])[1]
    before = [point for point in trace if point[0] < begin]
    return [*before, (begin, 0.0), (end, after), *(point for point in trace if point[0] > end)]


def walking_out(trace: Trace, *, begin: float, end: float) -> Trace:
    """Let a link fade away, as Wi-Fi does for somebody who walks out of the house.

    Args:
        trace: what it carries near by.
        begin: when it begins to fade, in seconds.
        end: when nothing is left.
    """
    left = ((time, (end - time) / (end - begin)) for time, _ in trace)
    shares = [min(1.0, max(0.0, share)) for _, share in left]
    return [(time, rate * share) for (time, rate), share in zip(trace, shares, strict=True)]


def in_bytes(trace: Trace, *, payload: float = 1428 / 1500) -> Trace:
    """Return a trace in bytes a second, as `SimulatedPath` takes it.

    Args:
        trace: in bits of IP packets a second.
        payload: the share of a packet that isn't headers.
    """
    return [(time, rate / 8 * payload) for time, rate in trace]


def opportunities(trace: Trace, *, seconds: float) -> list[int]:
    """Turn rates into Mahimahi's milliseconds, each a chance to deliver 1500 bytes.

    Args:
        trace: in bits a second.
        seconds: the period: the last chance is there, whatever the rate.
    """
    chances: list[int] = []
    sent = 0.0
    for (begin, rate), (end, _) in pairwise([*trace, (seconds, 0.0)]):
        while rate and begin + ((len(chances) + 1) * _PACKET - sent) / rate < min(end, seconds):
            at = begin + ((len(chances) + 1) * _PACKET - sent) / rate
            chances.append(int(at * 1000))
        sent += rate * (end - begin)
    return [*chances, round(seconds * 1000)]


def rates(chances: Sequence[int], *, step: float = STEP) -> Trace:
    """Turn Mahimahi's milliseconds into rates, one for each step of one period.

    Args:
        chances: milliseconds, ascending.
        step: seconds.
    """
    counts = [0] * max(1, math.ceil(chances[-1] / 1000 / step))
    for chance in chances:
        counts[min(len(counts) - 1, int(chance / 1000 / step))] += 1
    return [(index * step, count * _PACKET / step) for index, count in enumerate(counts)]


def write_trace(file: Path, trace: Trace, *, about: str, seconds: float | None = None) -> None:
    """Write a trace for the lab, with a first line that tells how it was made.

    Mahimahi's own tools know no comments: `grep -v '^#'` gives them what they take.

    Args:
        file: is overwritten.
        trace: in bits a second.
        about: the call that made it, with its seed.
        seconds: the period; None for what the trace has.
    """
    period = trace[-1][0] + STEP if seconds is None else seconds
    lines = [f"# {about}", *map(str, opportunities(trace, seconds=period))]
    file.write_text("\n".join(lines) + "\n")
