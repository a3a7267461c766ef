"""The decision behind `Deadline(d)`: in time, with as little as possible of what costs more.

    bytes that are missing
      │╲          the preferred path can't bring all that: the other one carries, too
      │  ╲___
      │       ╲   "lucky": the preferred path alone would do, with some luck; released
      │         ╲     (and taken up again below "safe", as the forecast changes)
      └───────────╲─▶ time
                  d - margin

The other path is used while more is missing than the preferred one brings with luck: what the other
one carries then is needed anyhow, whenever it is carried. And it is used if more is missing than
both bring without luck, since no later moment would do. In between, waiting costs nothing.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

from .commands import Command, CommandFailed, Open, SetBackup, Until
from .forecast import Forecast
from .strategy import Steps
from .view import Path, Subflow, Transfer

_LUCK = 0.5
"""Deviations above the expected that the preferred path may bring."""
_CAUTION = 0.8
"""Deviations below the expected that it must be allowed to bring."""
_RESERVE = 0.5
"""The share of another path's rate that is counted on; the rest is for what no forecast knows."""
_UNKNOWN = 0.1
"""The share of the preferred path's rate that is supposed of a path that isn't known yet."""
_TAIL = 0.6
"""Seconds for which a paused path brings what was on its way, until that was seen once."""
_DRAINED = 0.2
"""Seconds of silence after which nothing was left on a paused path's way."""
_HYSTERESIS = 0.1
"""The share of another path's rate by which a danger must be over."""
_WAITS = 2.0
"""Seconds after which what came out of order is delivered, or came twice."""
_HOLD = 0.2
"""Seconds between two changes of a path: a change takes a round trip to be seen."""
_RETRY_AFTER = 2.0
"""Seconds until a path that couldn't be opened, or wasn't there, is looked for again."""
_GROWTH = 1.25
"""A sender that brings so many times as much in two round trips is in slow start still."""
_RAMP = 3.0
"""Round trips that slow start takes from what another path brings (RFC 5681, 3.1)."""
_SOONEST = 0.03
"""Seconds until a look at what is all but over."""
_SETTLE = 2.0
"""Round trips after which data comes over a path that was asked for it."""


@dataclass
class Extra:
    """A path beside the preferred one.

    Args:
        path: where it leaves; None for whichever is unused when one is needed.
        subflow: on it, or None.
        active: whether the peer is to use it.
        changed_at: when that was changed, in seconds since the request.
        broken: whether the last command about it failed.
        tail: seconds for which it goes on after it was paused.
        brought: bytes that came over it.
        brought_when_paused: how many those were when it was paused last.
    """

    path: Path | None
    subflow: Subflow | None = None
    active: bool = False
    changed_at: float = -math.inf
    broken: bool = False
    forecast: Forecast = field(default_factory=Forecast)
    tail: float = _TAIL
    brought: int = 0
    brought_when_paused: int = 0

    def observe(self, transfer: Transfer) -> None:
        """Look at what it has brought since the last time."""
        subflow = next((s for s in transfer.subflows if self.is_on(s)), None)
        self.active = self.active and subflow is not None
        self.subflow = subflow
        self.brought = subflow.bytes_received if subflow else self.brought
        if subflow and transfer.elapsed >= self.changed_at + _SETTLE * subflow.rtt and self.active:
            self.forecast.observe(transfer.elapsed, self.brought)
        else:
            self.forecast.pause()
        if subflow and not self.active and subflow.idle > _DRAINED and self.forecast.rate:
            self.tail = (self.brought - self.brought_when_paused) / self.forecast.rate

    def is_on(self, subflow: Subflow) -> bool:
        """Tell whether a subflow is this path's."""
        return self.subflow is not None and subflow.id == self.subflow.id

    def expected(self, seconds: float) -> float:
        """Return the bytes that it would bring in the next seconds, as far as that is known."""
        ramp = _RAMP * self.subflow.rtt if self.subflow else 0.0
        known = self.forecast.known and not self.broken
        return self.forecast.expected(seconds - ramp) if known else 0.0

    @property
    def supposed(self) -> float:
        """The share of the preferred path's rate that it is supposed to have, unknown as it is."""
        return 0.0 if self.active or self.broken or self.forecast.known else _UNKNOWN

    @property
    def coming(self) -> float:
        """Bytes that are on their way, whether it is used any longer or not."""
        came = 0 if self.active else self.brought - self.brought_when_paused
        return max(0.0, self.forecast.rate * self.tail - came)

    @property
    def least(self) -> float:
        """Bytes that it brings at least if it is used again: so many should be needed."""
        return 0.0 if self.active else self.forecast.rate * (_HOLD + self.tail)

    def use(self, transfer: Transfer, *, active: bool) -> Generator[Command, Any, None]:
        """Let the peer use it, or not, unless that was changed a moment ago."""
        if active == self.active or transfer.elapsed < self.changed_at + _HOLD or not self.path:
            return
        try:
            if self.subflow is None:
                self.subflow = yield Open(self.path)
            else:
                yield SetBackup(self.subflow, not active)
            self.active, self.broken, self.changed_at = active, False, transfer.elapsed
            self.brought_when_paused = self.brought
        except CommandFailed:
            self.broken, self.changed_at = True, transfer.elapsed + _RETRY_AFTER


class _Held:
    """What came over some path, and waits for what another one is to bring before it.

    Bytes that came twice are never delivered either; but while those stay, what waits comes and
    goes, so that only what is above the least of a while counts.
    """

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def observe(self, now: float, undelivered: int) -> None:
        """Take how much has come that wasn't delivered."""
        self._seen.append((now, undelivered))
        while self._seen[0][0] < now - _WAITS:
            self._seen.popleft()

    @property
    def back(self) -> int:
        """Bytes that need not come again."""
        return self._seen[-1][1] - min(count for _, count in self._seen)


class InTime:
    """One transfer that has to be there by `d`.

    Args:
        transfer: the view.
        length: bytes of the body.
        d: seconds from the request to the last byte.
        margin: seconds before `d` at which it is planned to be there.
    """

    def __init__(self, transfer: Transfer, length: int, d: float, margin: float | None) -> None:
        self._transfer = transfer
        self._length = length
        self._d = d
        first = transfer.subflows[0]
        self._rtt = max(first.rtt, 0.01)
        self._margin = max(2 * self._rtt, 0.02 * d) if margin is None else margin
        self._look_every = min(0.25, max(0.05, d / 100))
        self._over_in = math.inf
        self._held = _Held()
        self._start_until = transfer.elapsed + d / 8
        self._preferred = Forecast(max(0.2, 4 * self._rtt))
        others = [s for s in transfer.subflows if s.path != first.path]
        self._extras = [Extra(s.path, s, active=not s.backup) for s in others]
        self._extras.append(Extra(None))

    def run(self) -> Steps:
        """Decide until all is there."""
        transfer = self._transfer
        yield from self._start()
        while transfer.delivered < self._length:
            self._observe()
            for extra, wanted in zip(tuple(self._extras), self._wanted(), strict=True):
                if wanted and extra.path is None:
                    self._find_path(extra)
                yield from extra.use(transfer, active=wanted)
            yield Until(elapsed=self._next_look(), event=("subflow_closed", "path_lost"))

    def _start(self) -> Steps:
        """Wait until slow start is over, whose rates say nothing; at most for an eighth of `d`."""
        transfer, last = self._transfer, 0.0
        end = self._start_until
        while True:
            then, before = transfer.elapsed, self._brought()
            self._preferred.pause()
            self._preferred.observe(then, before)
            yield Until(elapsed=min(end, then + 2 * self._rtt))
            rate = (self._brought() - before) / max(1e-6, transfer.elapsed - then)
            if 0 < rate < _GROWTH * last or transfer.elapsed >= end:
                return
            last = rate

    def _observe(self) -> None:
        transfer = self._transfer
        for extra in self._extras:
            if extra.subflow is not None:
                extra.observe(transfer)
        came = sum(subflow.bytes_received for subflow in transfer.subflows)
        self._held.observe(transfer.elapsed, came - transfer.delivered)
        if transfer.slow_reader:  # a closed window says nothing of the path
            self._preferred.pause()
        else:
            others = self._others()
            brought = sum(subflow.bytes_received for subflow in others)
            silence = min((s.idle for s in others if not s.backup), default=math.inf)
            self._preferred.observe(transfer.elapsed, brought, silence)

    def _wanted(self) -> list[bool]:
        """Tell of each other path whether it is to carry something now."""
        starting = not self._preferred.known and self._transfer.elapsed < self._start_until
        if starting or self._transfer.slow_reader:
            return [False] * len(self._extras)
        left = max(0.0, self._d - self._margin - self._transfer.elapsed)
        coming = sum(extra.coming for extra in self._extras)
        missing = self._length - self._transfer.delivered - self._held.back - coming
        forecast = self._preferred
        expected, deviation = forecast.expected(left), forecast.deviation(left)
        luck, reserve = _LUCK * deviation, _RESERVE
        if forecast.falling:  # and it may go on falling
            luck = reserve = 0.0
        doubt = forecast.doubt * forecast.rate * left
        wanted: list[bool] = []
        needed = True
        for extra in self._extras:
            more = extra.expected(left) or extra.supposed * forecast.expected(left)
            more_deviation = extra.forecast.deviation(left)
            caution = _CAUTION * math.hypot(deviation, _RESERVE * more_deviation)
            counted_on = (reserve - _HYSTERESIS * extra.active) * more
            lucky = expected + luck + doubt + extra.least
            safe = expected + counted_on - caution + doubt * forecast.doubt
            enough = min(lucky, safe)
            needed = needed and missing > enough
            wanted.append(needed)
            if needed and extra.forecast.rate:
                self._over_in = (missing - enough) / extra.forecast.rate
            # A costlier path comes in when it is known that this one isn't enough.
            needed = needed and (extra.broken or (extra.active and extra.forecast.known))
            expected, deviation = expected + more, math.hypot(deviation, more_deviation)
        return wanted

    def _next_look(self) -> float:
        soon = max(_SOONEST, min(self._look_every, self._over_in))
        self._over_in = math.inf
        return self._transfer.elapsed + soon

    def _find_path(self, extra: Extra) -> None:
        """Let a path that nobody uses take the place of one that was still to be found."""
        if self._transfer.elapsed < extra.changed_at:
            return
        known = {other.path for other in self._extras}
        unused = [path for path in self._transfer.unused_paths if path not in known]
        if unused:
            extra.path = unused[0]
            self._extras += [Extra(path) for path in [*unused[1:], None]]
        else:
            extra.changed_at = self._transfer.elapsed + _RETRY_AFTER

    def _others(self) -> list[Subflow]:
        """Return the live subflows that aren't extra: the preferred path's."""
        extra = [extra.subflow.id for extra in self._extras if extra.subflow]
        return [subflow for subflow in self._transfer.subflows if subflow.id not in extra]

    def _brought(self) -> int:
        return sum(subflow.bytes_received for subflow in self._others())
