"""Finds the path that makes a download slower than the preferred one alone would be: pure.

What a weak path was given to carry holds up all that comes after it on the others. Then the peer
may send no more (the window is full of what waits), and the good path idles. Seen from here:

    in order      ▁▁▁▁▁▁▂▂▂▂▂▂▃▃    no more than what the weak path brings
    preferred     ▆▆▆▇              its bytes come, wait, and then it falls silent
    weak          ▂▂▂▂▂▂▂▂▂▂▂▂▂▂    each of its bytes is delivered at once: all wait for it

So three things are compared at each look: what came over each path, what was delivered in order,
and what the preferred path brings when nothing holds it up. A path is to blame only for what is
lost while others' bytes wait and its own don't, or while it alone brings what is delivered next.
Where the preferred path itself fades or falls silent, its own bytes are what others wait for, and
nobody is blamed.

What is lost is counted in bytes, and what the other path has gained before stands against it. A
path that is weak anyhow ends before anything is lost: once it ends, the peer sends again all that
wasn't delivered in order, and the longer it is waited for, the more that is.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

_WAITS = 6 * 1024
"""Bytes that wait, or don't, beyond what packets under way between two looks explain."""
_PATIENCE = 0.15
_PATIENCE_ROUND_TRIPS = 2.0
"""Seconds of the preferred path's rate that may be lost, or one round trip of it, or two of the
other while that is in slow start: then its bytes come in bursts, with silences between them."""
_WORTH = 1 / 4
"""The share of the preferred path's rate that is worth it to wait for what was given to a path,"""
_WORTH_WAITING = 1.0
"""seconds, since Wi-Fi may have failed just then, which looks the same; less, squared, for less."""
_WEAK = 1 / 6
"""The share of the preferred path's rate below which a path isn't worth waiting for."""
_WEAK_SEEN_FOR = 0.4
_WEAK_ROUND_TRIPS = 4.0
"""Seconds, or round trips if that is more, in which slow start shows more than that share, if there
is more: also where its first bytes stand in a queue behind another connection's for 0.2 s."""
_LATELY = 1.0
"""Seconds over which it is seen what such a path brings: a link's first packets come in a burst."""
_CREDIT = 0.5
"""Seconds of the preferred path's rate that a path which was a help may cost beyond that."""
_MEASURE = 0.05
"""Seconds, or two round trips if that is more, over which a rate is taken."""
_RISES = 0.3
_FORGETS = 1.0
"""Seconds in which a rate follows a path that gets faster, or slower by itself."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a connection has brought so far, at one moment.

    Args:
        now: seconds of any clock that never goes back.
        delivered: bytes that came in order.
        came: bytes that came over each path that the peer may use, by its name.
        waiting: bytes that came and aren't delivered, for want of others before them.
        rtt: round-trip time of each of these paths, in seconds; 0.0 while unknown.
        idle: seconds since something came over each of them last.
    """

    now: float
    delivered: int
    came: Mapping[str, int]
    waiting: int
    rtt: Mapping[str, float] = field(default_factory=dict)
    idle: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class _Rate:
    """What a path brings when nothing holds it up, in bytes a second.

    Args:
        value: the rate, 0.0 while unknown.
        seconds: since it was taken last; those in which it was held up and silent don't count,
            unless nothing is known yet.
        bytes: that came since then.
    """

    value: float = 0.0
    seconds: float = 0.0
    bytes: int = 0

    def take(self, seconds: float, silent: float, came: int, *, over: float, held: bool) -> None:
        """Record what has come since the last look."""
        self.bytes += came
        self.seconds += max(0.0, seconds - silent) if held and self.value else seconds
        if self.seconds < over:
            return
        rate = self.bytes / self.seconds
        if not self.value:
            self.value = rate
        elif rate > self.value or (rate and not held):
            follows = _RISES if rate > self.value else _FORGETS
            self.value += (rate - self.value) * -math.expm1(-self.seconds / follows)
        self.seconds, self.bytes = 0.0, 0


@dataclass(slots=True)
class _Suspect:
    """A path beside the preferred one.

    Args:
        others_wait: bytes of others that came and wait, at least.
        own_wait: bytes of its own that do.
        lost: bytes that the preferred path would have brought beyond what came; a gain if negative.
        excused: the preferred path held things up itself, and hasn't brought anything since.
        seconds: for which it is watched, those long ago counted less.
        brought: bytes that came over it in these.
        silent: seconds since something came over it, once something has.
        gap: the longest of such silences.
    """

    others_wait: int = 0
    own_wait: int = 0
    lost: float = 0.0
    excused: bool = False
    seconds: float = 0.0
    brought: float = 0.0
    silent: float = 0.0
    gap: float = math.inf

    def waits_for_acknowledgements(self, rtt: float) -> bool:
        """Return whether it may bring more each round trip: its bytes come in bursts still."""
        return max(self.gap, self.silent) > rtt / 2

    @property
    def rate(self) -> float:
        """Bytes a second that it brings, held up or not."""
        return self.brought / self.seconds if self.seconds else 0.0

    def time(self, seconds: float, own: int) -> None:
        """Record what has come over it since the last look."""
        if self.seconds > _LATELY:
            self.seconds, self.brought = self.seconds / 2, self.brought / 2
        self.seconds += seconds
        self.brought += own
        if own and self.gap == math.inf:
            self.gap = 0.0
        elif own:
            self.gap = max(self.gap, self.silent)
        self.silent = 0.0 if own else self.silent + seconds

    def take(self, own: int, others: int, preferred: int, delivered: int, waiting: int) -> None:
        """Record what has come, and been delivered, since the last look."""
        self.others_wait = min(waiting, max(0, self.others_wait + others - delivered))
        self.own_wait = min(waiting, max(0, self.own_wait + own - delivered))
        if self.own_wait > _WAITS:
            self.excused = True
        elif preferred and self.own_wait == 0:
            self.excused = False

    def holds_up(self, own: int, preferred: int) -> bool:
        """Return whether the others wait for it, or it alone brings what is delivered."""
        if self.excused or self.own_wait > _WAITS:
            return False
        return self.others_wait > _WAITS or (own > 0 and not preferred)


class PathGuard:
    """Watches the paths of one connection."""

    def __init__(self) -> None:
        self._last: Look | None = None
        self._rates: dict[str, _Rate] = {}
        self._suspects: dict[str, _Suspect] = {}

    def rate(self, path: str) -> float:
        """Return what a path brings if nothing holds it up, in bytes a second; 0.0 if unknown."""
        if path in self._suspects:
            return self._suspects[path].rate
        return self._rates[path].value if path in self._rates else 0.0

    def forget(self) -> None:
        """Record that nothing was asked for since the last look: that says nothing of paths."""
        self._last = None
        self._suspects.clear()

    def look(self, look: Look, preferred: str, suspects: Collection[str]) -> str | None:
        """Take a look; return the path that is to end, or None.

        Args:
            look: what there is.
            preferred: the path that would carry all if it were alone.
            suspects: the paths that may be ended; without `preferred`.
        """
        last, self._last = self._last, look
        if last is None or look.now <= last.now:
            return None
        came = {
            path: max(0, count - last.came[path])
            for path, count in look.came.items()
            if path in last.came
        }
        delivered = max(0, look.delivered - last.delivered)
        self._suspects = {p: self._suspects.get(p, _Suspect()) for p in suspects if p in came}
        first, seconds = came.get(preferred, 0), look.now - last.now
        for path, suspect in self._suspects.items():
            others = sum(came.values()) - came[path]
            suspect.take(came[path], others, first, delivered, look.waiting)
            suspect.time(seconds, came[path])
        guilty = [p for p, s in self._suspects.items() if s.holds_up(came[p], first)]
        self._measure(look, seconds, came, preferred, held=bool(guilty))
        return self._judge(look, seconds, sum(came.values()), preferred, guilty)

    def _measure(
        self, look: Look, seconds: float, came: Mapping[str, int], preferred: str, *, held: bool
    ) -> None:
        """Take the preferred path's rate."""
        silent = look.idle.get(preferred, 0.0)
        over = max(_MEASURE, 2 * look.rtt.get(preferred, 0.0))
        rate = self._rates.setdefault(preferred, _Rate())
        rate.take(seconds, silent, came.get(preferred, 0), over=over, held=held)

    def _judge(
        self, look: Look, seconds: float, came: int, preferred: str, guilty: Collection[str]
    ) -> str | None:
        """Count what is lost, or gained; return the path for which it is too much, or None."""
        rate = self.rate(preferred)
        lost = rate * seconds - came
        for path, suspect in self._suspects.items():
            if lost < 0 or path in guilty:
                suspect.lost = max(-_CREDIT * rate, suspect.lost + lost)
        worst = max(guilty, key=lambda path: self._suspects[path].lost, default=None)
        if worst is None:
            return None
        there, here = look.rtt.get(worst, 0.0), look.rtt.get(preferred, 0.0)
        suspect = self._suspects[worst]
        if not suspect.waits_for_acknowledgements(there):
            there = 0.0
        worth = min(1.0, suspect.rate / (_WORTH * rate)) ** 2 * _WORTH_WAITING if rate else 0.0
        patience = rate * max(_PATIENCE, here, _PATIENCE_ROUND_TRIPS * there, worth)
        seen_for = max(_WEAK_SEEN_FOR, _WEAK_ROUND_TRIPS * there)
        weak = suspect.seconds >= seen_for and suspect.rate < _WEAK * rate
        may_wait = rate * seen_for
        # To end it costs what waits, too: less is no reason to.
        lost = suspect.lost > max(patience, suspect.others_wait)
        over = lost or (weak and suspect.others_wait > may_wait)
        return worst if over and rate else None
