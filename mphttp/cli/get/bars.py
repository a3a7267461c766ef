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


class Bars:
    """The bars of one transfer, which remember what they last showed, for the rates."""

    def __init__(self) -> None:
        self._at = 0.0
        self._shown: dict[str, Bar] = {}

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
        bars = [self._bar(n, [s for s in subflows if s.path == n], now - self._at) for n in names]
        self._at = now
        self._shown = {bar.path: bar for bar in bars}
        return bars

    def _bar(self, path: str, subflows: Sequence[SubflowReport], passed: float) -> Bar:
        before = self._shown.get(path, Bar(path, "unused", 0, 0.0))
        received = sum(subflow.bytes_received for subflow in subflows)
        rate = before.rate
        if passed > 0:
            weight = -math.expm1(-passed / _MEMORY)
            # Not weight * (bytes / passed): two looks in quick succession must not overflow.
            rate += (received - before.received) * (weight / passed) - weight * rate
        return Bar(path, _state(subflows), received, rate)


def _state(subflows: Sequence[SubflowReport]) -> str:
    alive = [subflow for subflow in subflows if subflow.closed_at is None]
    if not alive:
        return "closed" if subflows else "unused"
    return "backup" if all(subflow.backup for subflow in alive) else "open"


def progress_line(report: Report) -> str:
    """Return the words under the bars: how much there is, and how much time."""
    whole = f" of {words_for_size(report.length)}" if report.length is not None else ""
    line = f"{words_for_size(report.bytes)}{whole}, {report.seconds:.1f} s"
    if report.deadline is None:
        return line
    left = report.deadline.seconds - report.seconds
    return f"{line}, {left:.1f} s to the deadline" if left >= 0 else f"{line}, deadline missed"


def summary(report: Report) -> str:
    """Return the closing line: "10.0 MB in 6.21 s (12.9 Mbit/s): wifi 5.4 MB, lte 4.7 MB"."""
    rate = words_for_rate(report.bytes / report.seconds) if report.seconds else "at once"
    bars = Bars().step((), report.subflows, 0.0)
    shares = ", ".join(f"{bar.path} {words_for_size(bar.received)}" for bar in bars)
    line = f"{words_for_size(report.bytes)} in {report.seconds:.2f} s ({rate}): {shares}"
    if report.mechanism == "ranges" and len(bars) > 1:
        line += " (by ranges)"
    elif report.protocol == "tcp":
        line += " (plain TCP)"
    if report.deadline is not None:
        met = "met" if report.deadline.met else "missed"
        line += f"; deadline of {report.deadline.seconds:g} s {met}"
    return line
