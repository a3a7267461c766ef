"""The decision behind `Deadline(d)`: in time, with as little as possible of what costs more.

    bytes that are missing
      │╲          the preferred path may not bring all that: the other one carries, too
      │  ╲___
      │       ╲   enough: what the preferred path brings without luck, and a share of what the
      │         ╲     other one can bring in the time that is left; the other one is paused
      └───────────╲─▶ time
                  d - margin

There is a line: above it the other path carries, below it is paused. A share of what it can still
bring is held against the bytes that are missing, since there is time yet to ask for it; the rest of
it, and some deviations of what is expected, are for what no forecast knows. So it is asked early
while little is known, or much is left; what it carries then is mostly needed anyhow.

A second line is for what can't be put off: what the peer has put into the preferred path's queue
can't be moved, so that the other path must be asked before all the rest is there (`Ahead`).

Two things are no matter of chance: that nothing comes for a while (an outage), and that less and
less comes (somebody walks out of Wi-Fi). Then nothing is held in reserve for later, and what is in
use in an outage stays in use: its queue alone would not bring it to an end.

The margin is the time in which nothing can be put right any more: a path that is asked for takes
two round trips, and in the last second what comes is off by as much as the rate varies.
"""

from __future__ import annotations

import math

from .commands import RESPONSE, Expect, Until
from .extra_path import HOLD, RAMP, RETRY_AFTER, Ahead, Extra, Held
from .forecast import Forecast, time_of
from .strategy import Steps
from .view import Path, Subflow, Transfer

_CAUTION = 0.92
"""Deviations below the expected that it must be allowed to bring."""
_LAST_CAUTION = 2.0
"""Deviations below the expected, when what can be moved is about to be no more than is short."""
_RESERVE = 0.265
"""The share of what another path can bring that is counted on for later."""
_LAST_SECONDS = 0.8
"""Seconds at the end that may go as badly as the rate's deviation, with no time to mend it."""
_GROWTH = 1.25
"""A sender that brings so many times as much in two round trips is in slow start still."""
_SURE = 2.0
"""Deviations by which more is missing than all paths are expected to bring, if that is certain."""
_FIRST_WORD = 0.5
_SLOW_START = 8.0
"""Seconds, or round trips, before which nothing is said of the end: slow start may not be over."""
_NEWS = 0.1
"""The share of the deadline by which another end is worth a word."""
SHORT = 3.0
"""Seconds of a deadline so short that the peer's kernel may queue all for one path before it is
known what that brings: a warm path takes part from the beginning, and nothing is left for later."""
_EVENTS = ("subflow_closed", "path_lost", RESPONSE)
SOONEST = 0.03
"""Seconds until a look at what is all but over."""


class InTime:
    """One transfer that has to be there by `d`.

    Args:
        transfer: the view.
        d: seconds from the request to the last byte.
        margin: seconds before `d` at which it is planned to be there; None for what the rate needs.
    """

    def __init__(self, transfer: Transfer, d: float, margin: float | None) -> None:
        self._transfer = transfer
        self._d = d
        first = transfer.subflows[0]
        self._rtt = max(first.rtt, 0.01)
        self._margin = margin
        self._look_every = max(SOONEST, min(HOLD, d / 80))
        self._held = Held()
        self._ahead = Ahead()
        self._expected: float | None = None
        slow_start = max(_FIRST_WORD, _SLOW_START * self._rtt)
        self._told_from = transfer.elapsed + min(d / 3, slow_start)
        self._start_until = transfer.elapsed + d / 8
        self._stall_after = max(0.2, 4 * self._rtt)
        self._forecast = Forecast(self._stall_after)
        others = [s for s in transfer.subflows if s.path != first.path]
        self._extras = [self._extra(s.path, s) for s in others]
        self._extras.append(self._extra(None))

    def _extra(self, path: Path | None, subflow: Subflow | None = None) -> Extra:
        forecast = Forecast()
        used = subflow is not None and not subflow.backup
        return Extra(path, subflow, active=used, forecast=forecast)

    def run(self) -> Steps:
        """Decide until all is there."""
        transfer = self._transfer
        if self._d < SHORT and not transfer.slow_reader:
            yield from self._extras[0].use(transfer, active=True)
        yield from self._start()
        while not self._over:
            self._observe()
            for extra, wanted in zip(tuple(self._extras), self._wanted(), strict=True):
                if wanted and extra.path is None:
                    self._find_path(extra)
                if wanted and not extra.active:
                    self._ahead.asked(self._carried_by_others())
                yield from extra.use(transfer, active=wanted)
            yield from self._tell_end()
            yield Until(elapsed=transfer.elapsed + self._look_every, event=_EVENTS)

    @property
    def _over(self) -> bool:
        """Whether nothing more is to come, as far as is known."""
        return self._transfer.answered and self._missing <= 0

    @property
    def _missing(self) -> int:
        """Bytes that are still to be delivered, as far as is known."""
        return (self._transfer.length or 0) - self._transfer.delivered

    def _start(self) -> Steps:
        """Wait until slow start is over, whose rates say nothing; at most for an eighth of `d`."""
        transfer, last = self._transfer, 0.0
        end = self._start_until
        while True:
            then, before = transfer.elapsed, self._brought()
            self._forecast.pause()
            self._forecast.observe(then, before)
            yield Until(elapsed=min(end, then + max(2 * self._rtt, self._d / 400)))
            rate = (self._brought() - before) / max(1e-6, transfer.elapsed - then)
            if 0 < rate < _GROWTH * last or transfer.elapsed >= end:
                return
            last = rate

    def _observe(self) -> None:
        transfer = self._transfer
        for extra in self._extras:
            if extra.subflow is not None:
                extra.observe(transfer)
        came = sum(subflow.carried for subflow in transfer.subflows)
        self._held.observe(transfer.elapsed, came - transfer.delivered)
        self._ahead.observe(transfer.elapsed, self._carried_by_others(), self._held.back)
        if transfer.slow_reader:  # a closed window says nothing of the path
            self._forecast.pause()
            return
        others = self._others()
        brought = sum(subflow.carried for subflow in others)
        silence = min((s.idle for s in others if not s.backup), default=math.inf)
        if not self._drains or silence > self._stall_after:
            self._forecast.observe(transfer.elapsed, brought, silence)

    @property
    def _drains(self) -> bool:
        """Whether a path was paused a moment ago, and there is time to wait for what it has left.

        What the peer's kernel has queued there takes room that the preferred path's data would
        have: that pauses for up to 0.15 s, and catches up (in the lab), so that only the mean over
        all that time tells something.
        """
        return self._left > SHORT and any(e.drains(self._transfer.elapsed) for e in self._extras)

    def _wanted(self) -> list[bool]:
        """Tell of each other path whether it is to carry something now."""
        starting = not self._forecast.known and self._transfer.elapsed < self._start_until
        if self._transfer.slow_reader:
            return [False] * len(self._extras)
        if starting:
            return [extra.active for extra in self._extras]
        left = self._left
        coming = sum(extra.coming(left) for extra in self._extras)
        missing = self._missing - self._held.back - coming
        expected, deviation = self._forecast.expected(left), self._forecast.deviation(left)
        wanted: list[bool] = []
        needed = True
        for extra in self._extras:
            over = missing - self._enough(extra, expected, deviation)
            needed = needed and (over > 0 or (extra.active and self._forecast.stalled))
            wanted.append(needed)
            # A costlier path comes in when it is known that this one isn't enough.
            needed = needed and (extra.broken or (extra.active and extra.forecast.known))
            expected += extra.expected(left)
            deviation = math.hypot(deviation, extra.forecast.deviation(left))
        return wanted

    @property
    def _left(self) -> float:
        margin = self._margin
        if margin is None:
            margin = 2 * self._rtt + min(_LAST_SECONDS, self._d / 6) * self._forecast.unsteadiness
        return max(0.0, self._d - margin - self._transfer.elapsed)

    def _enough(self, extra: Extra, expected: float, deviation: float) -> float:
        """Return the bytes for which neither this path is needed nor those after it.

        What is held back may have come twice, so that it is no reason to ask for a path. A paused
        one is asked again only for a good part of what it brings at least, as far as luck can
        make that good; but what can't be put off isn't.

        Args:
            extra: the path.
            expected: bytes that the paths before it will bring.
            deviation: of those.
        """
        left = self._left
        now_or_never = self._forecast.falling or self._forecast.stalled or self._d < SHORT
        more = extra.expected(left) or extra.supposed * self._forecast.expected(left)
        enough = expected - _CAUTION * deviation
        if not now_or_never:
            enough += _RESERVE * more + min(extra.least, deviation)
        if more:
            enough = min(enough, expected - _LAST_CAUTION * deviation + self._movable)
        return enough + self._held.unclear

    @property
    def _movable(self) -> float:
        """Bytes that are missing and that the peer hasn't put into the preferred path's queue.

        It goes on with that until a path that is asked for has what it needs.
        """
        ahead = self._ahead.seconds
        ahead += RAMP * self._rtt if ahead else 0.0
        return max(0.0, self._missing - self._held.back - ahead * self._forecast.rate)

    def _tell_end(self) -> Steps:
        """Say so as soon as it is known that all paths together aren't enough, or are after all."""
        transfer = self._transfer
        growing = transfer.elapsed < self._told_from or self._forecast.rising
        if transfer.slow_reader or growing or not self._all_known():
            return
        missing = self._missing - self._held.back
        left = max(0.0, self._d - transfer.elapsed)
        late = missing > self._all_bring(left) + _SURE * self._forecast.deviation(left)
        if not late and self._expected is not None and missing < self._all_bring(left):
            self._expected = None
            yield Expect(None)
        if late:
            end = transfer.elapsed + time_of(missing, self._all_bring)
            if self._expected is None or abs(end - self._expected) > _NEWS * self._d:
                self._expected = end
                yield Expect(end)

    def _all_known(self) -> bool:
        """Tell whether it is known of each path what it brings, or that it can't be used."""
        found = {extra.path for extra in self._extras}
        known = all(e.path is None or e.broken or e.forecast.known for e in self._extras)
        return self._forecast.known and known and set(self._transfer.unused_paths) <= found

    def _all_bring(self, seconds: float) -> float:
        """Return what all paths may bring, if an outage were over now."""
        stalled, usual = self._forecast.stalled, self._forecast.rate * seconds
        mine = usual if stalled else self._forecast.expected(seconds)
        return mine + sum(extra.expected(seconds) for extra in self._extras)

    def _find_path(self, extra: Extra) -> None:
        """Let a path that nobody uses take the place of one that was still to be found."""
        if self._transfer.elapsed < extra.changed_at:
            return
        known = {other.path for other in self._extras}
        unused = [path for path in self._transfer.unused_paths if path not in known]
        if unused:
            extra.path = unused[0]
            self._extras += [self._extra(path) for path in [*unused[1:], None]]
        else:
            extra.changed_at = self._transfer.elapsed + RETRY_AFTER

    def _others(self) -> list[Subflow]:
        """Return the live subflows that aren't extra: the preferred path's."""
        extra = [extra.subflow.id for extra in self._extras if extra.subflow]
        return [subflow for subflow in self._transfer.subflows if subflow.id not in extra]

    def _carried_by_others(self) -> int:
        return sum(extra.brought for extra in self._extras)

    def _brought(self) -> int:
        return sum(subflow.carried for subflow in self._others())
