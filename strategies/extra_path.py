"""A path beside the preferred one: what it brought, what it will, and how it is paused."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

from .commands import Command, CommandFailed, Open, SetBackup
from .forecast import Forecast
from .view import Path, Subflow, Transfer

_UNKNOWN = 0.75
"""The share of the preferred path's rate that is supposed of a path that isn't known yet: with
less, it is opened for needs that pass; with more, too late if it is slow."""
_TAIL = 0.6
"""Seconds for which a paused path brings what was on its way, until that was seen once."""
_FEW = 32 * 1024
"""Bytes that tell nothing yet of how long they wait for others."""
_WAITS = 2.0
"""Seconds after which what came out of order is delivered, or came twice."""
HOLD = 0.1
"""Seconds between two looks, and two changes of a path: a change takes a round trip to be seen."""
RETRY_AFTER = 2.0
"""Seconds until a path that couldn't be opened, or wasn't there, is looked for again."""
_PAUSED = 0.3
"""The share of what a paused path brings at least that must be missing before it is asked again."""
RAMP = 3.0
"""Round trips that asking and slow start take from what a path brings (RFC 5681, 3.1)."""


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
        queued: bytes of an upload that it sends even if it is paused now; None where the peer
            sends, of whom nobody knows that.
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
    queued: int | None = None

    def observe(self, transfer: Transfer) -> None:
        """Look at what it has brought since the last time."""
        subflow = next((s for s in transfer.subflows if self.is_on(s)), None)
        self.active = self.active and subflow is not None
        self.subflow = subflow
        self.brought = subflow.carried if subflow else self.brought
        self.queued = None if transfer.answered else subflow.queued if subflow else 0
        if subflow and transfer.elapsed >= self.changed_at + RAMP * subflow.rtt and self.active:
            self.forecast.observe(transfer.elapsed, self.brought)
        else:
            self.forecast.pause()
        if subflow and not self.active and subflow.idle > 2 * HOLD and self.forecast.rate:
            self.tail = (self.brought - self.brought_when_paused) / self.forecast.rate

    def is_on(self, subflow: Subflow) -> bool:
        """Tell whether a subflow is this path's."""
        return self.subflow is not None and subflow.id == self.subflow.id

    def expected(self, seconds: float) -> float:
        """Return the bytes that it would bring in the next seconds, as far as that is known."""
        ramp = RAMP * self.subflow.rtt if self.subflow else 0.0
        known = self.forecast.known and not self.broken
        return self.forecast.expected(seconds - ramp) if known else 0.0

    @property
    def supposed(self) -> float:
        """The share of the preferred path's rate that it is supposed to have, unknown as it is."""
        return 0.0 if self.active or self.broken or self.forecast.known else _UNKNOWN

    def coming(self, seconds: float) -> float:
        """Return the bytes that it brings in the next seconds even if it is paused now."""
        if self.queued is not None:
            return self.queued
        came = 0 if self.active else self.brought - self.brought_when_paused
        on_its_way = max(0.0, self.forecast.rate * self.tail - came)
        return min(on_its_way, self.forecast.rate * seconds)

    @property
    def least(self) -> float:
        """Bytes that should be needed for it to be asked again."""
        paused = self.subflow is not None and not self.active
        tail = self.tail if self.queued is None else 0.0
        return _PAUSED * self.forecast.rate * (2 * HOLD + tail) if paused else 0.0

    def drains(self, now: float) -> bool:
        """Tell whether it was paused, and what was on its way may still come."""
        if self.subflow is None or self.active:
            return False
        return bool(self.queued) or (self.queued is None and now < self.changed_at + self.tail)

    def use(self, transfer: Transfer, *, active: bool) -> Generator[Command, Any, None]:
        """Let the peer use it, or not, unless that was changed a moment ago."""
        if active == self.active or transfer.elapsed < self.changed_at + HOLD or not self.path:
            return
        try:
            if self.subflow is None:
                self.subflow = yield Open(self.path)
            else:
                yield SetBackup(self.subflow, not active)
            self.active, self.broken, self.changed_at = active, False, transfer.elapsed
            self.brought_when_paused = self.brought
        except CommandFailed:
            self.broken, self.changed_at = True, transfer.elapsed + RETRY_AFTER


class Held:
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
        return self._seen[-1][1] - self.unclear

    @property
    def unclear(self) -> int:
        """Bytes that came twice, or are held back in turns all the time."""
        return min(count for _, count in self._seen)


class Ahead:
    """How far ahead the peer puts bytes into the preferred path's queue, where they must stay.

    The first bytes of a path that was asked for come after all of those. So they aren't delivered
    before the preferred path has brought these, which takes as long as that queue is.

    Attributes:
        seconds: of what the preferred path brings, as last seen; as long as a paused path goes on
            before that.
    """

    def __init__(self) -> None:
        self.seconds = _TAIL
        self._before: int | None = None
        self._since: float | None = None

    def asked(self, brought: int) -> None:
        """Take that a path was asked for, which had brought so many bytes before."""
        self._before, self._since = brought, None

    def observe(self, now: float, brought: int, undelivered: int) -> None:
        """Take how many bytes it has brought, and how many of all aren't delivered."""
        fresh = 0 if self._before is None else brought - self._before
        if fresh < _FEW:
            return
        self._since = now if self._since is None else self._since
        lasted, over = now - self._since, undelivered < fresh / 2
        self.seconds = lasted if over else max(lasted, self.seconds)
        if over:
            self._before = None
