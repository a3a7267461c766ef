"""What live progress shows, as values: a bar for each path, and the words around them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mphttp.report import Report, SubflowReport

from ..units import words_for_rate, words_for_size

_MEMORY = 1.0
"""Seconds after which a change of rate shows at two thirds: quick, and still readable."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One path.

    Args:
        path: name of the interface.
        state: "unused", "open", "backup" or "closed".
        received: TCP payload that came over it, in bytes.
        rate: bytes per second now.
    """

    path: str
    state: str
    received: int
    rate: float


class Smoothed:
    """A rate that follows what comes, without its jumps."""

    def __init__(self) -> None:
        self._at = 0.0
        self._count = 0
        self._rate = 0.0

    def step(self, count: int, now: float) -> float:
        """Return the rate now, in bytes a second.

        Args:
            count: of all bytes so far.
            now: in seconds since the beginning.
        """
        passed = now - self._at
        if passed > 0:
            weight = -math.expm1(-passed / _MEMORY)
            # Not weight * (bytes / passed): two looks in quick succession must not overflow.
            self._rate += (count - self._count) * (weight / passed) - weight * self._rate
            self._at, self._count = now, count
        return self._rate


class Bars:
    """The bars of one transfer, which remember what they last showed, for the rates."""

    def __init__(self) -> None:
        self._rates: dict[str, Smoothed] = {}

    def step(
        self, paths: Sequence[str], subflows: Sequence[SubflowReport], now: float
    ) -> list[Bar]:
        """Return the bars as they are now.

        Args:
            paths: all that are known, preferred first; those with a subflow are shown anyway.
            subflows: as the report tells them.
            now: seconds since the request was sent.
        """
        names = dict.fromkeys([*paths, *(subflow.path for subflow in subflows)])
        return [self._bar(n, [s for s in subflows if s.path == n], now) for n in names]

    def _bar(self, path: str, subflows: Sequence[SubflowReport], now: float) -> Bar:
        received = sum(subflow.bytes_received for subflow in subflows)
        rate = self._rates.setdefault(path, Smoothed()).step(received, now)
        return Bar(path, _state(subflows), received, rate)


def _state(subflows: Sequence[SubflowReport]) -> str:
    alive = [subflow for subflow in subflows if subflow.closed_at is None]
    if not alive:
        return "closed" if subflows else "unused"
    return "backup" if all(subflow.backup for subflow in alive) else "open"


def percent(count: int, whole: int | None) -> str:
    """Return how much of a whole is there; "" if nobody knows."""
    return f"{min(100 * count // whole, 100)}%" if whole else ""


def time_left(count: int, whole: int | None, rate: float) -> str:
    """Return how long the rest takes at a rate, such as 1:05; "" if nobody knows."""
    if whole is None or rate < 1:
        return ""
    minutes, seconds = divmod(math.ceil(max(whole - count, 0) / rate), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 100:
        return ""
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def progress_line(report: Report, rate: float = 0.0) -> str:
    """Return the words under the bars: how much there is, how fast, and how much time.

    Args:
        report: what has happened.
        rate: of all paths, in bytes a second; 0 if it isn't known yet.
    """
    whole = f" of {words_for_size(report.length)}" if report.length is not None else ""
    part = percent(report.bytes, report.length)
    words = [f"{words_for_size(report.bytes)}{whole}" + (f" ({part})" if part else "")]
    words += [words_for_rate(rate)] if rate else []
    words += [f"{report.seconds:.1f} s"]
    left = time_left(report.bytes, report.length, rate)
    words += [f"{left} left"] if left else []
    if report.deadline is not None:
        rest = report.deadline.seconds - report.seconds
        words += [f"{rest:.1f} s to the deadline" if rest >= 0 else "deadline missed"]
    return ", ".join(words)


def summary(report: Report) -> str:
    """Return the closing line: "10.0 MB in 6.21 s (12.9 Mbit/s): wifi 5.4 MB, lte 4.7 MB"."""
    rate = words_for_rate(report.bytes / report.seconds) if report.seconds else "at once"
    bars = Bars().step((), report.subflows, 0.0)
    shares = ", ".join(f"{bar.path} {words_for_size(bar.received)}" for bar in bars)
    line = f"{words_for_size(report.bytes)} in {report.seconds:.2f} s ({rate}): {shares}"
    if report.mechanism.endswith("ranges") and len(bars) > 1:
        line += " (by ranges)" if report.mechanism == "ranges" else " (partly by ranges)"
    elif report.protocol == "tcp":
        line += " (plain TCP)"
    if report.deadline is not None:
        met = "met" if report.deadline.met else "missed"
        line += f"; deadline of {report.deadline.seconds:g} s {met}"
    return line
