"""Who fetches which part: pure, with the time as an argument.

    0        first response ──▶                                ◀── blocks of the others      length
    ├────────────────────────┬───────────── missing ──────────┬──────┬──────┬────────────────┤

The first response can't be asked for less than all: it streams from its beginning until nothing
that is missing lies before it. The others take blocks from the end backwards, each what its path
brings in a third of a second. So the first one is never interrupted, a path that is paused after
its block leaves no hole, and both sides meet where their rates let them. Near that point a block is
as long as lets both end at once.

What nobody has begun comes first. When nothing is left of that, whoever is idle takes a share of
the block that would take longest (work stealing): both go on, and the first to bring a byte wins.
What a source was asked for that has fallen silent counts as begun by nobody. Where the first
response is gone, silent or paused, the others go on from the front, since that is what the reader
waits for.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from .intervals import Interval, Intervals

BLOCK_SECONDS = 0.3
"""Seconds that a block takes: as long as a path that is paused goes on, and the more requests the
shorter it is."""
LEAST_BLOCK = 64 * 1024
"""Bytes of a block, unless less is left: a request costs about 1 kB, both ways."""
LEAST_SHARE = 16 * 1024
"""Bytes for which another request isn't worth it."""
_AHEAD = 1.5
"""Round trips before the end of a block at which the next one is asked for."""
_WINDOW = 0.5
"""Seconds over which a rate is averaged."""
_LOOK = 0.05
"""Seconds between two looks at a rate: shorter ones see the bursts of a receive buffer."""
_SILENT = 0.3
"""Seconds, or 4 round trips, after which a source counts for less the longer it is silent."""
_STALLED = 1.0
"""Seconds, or 8 round trips, of silence after which another one takes over at the front."""
_GAIN = 0.1
"""Seconds by which a stolen share must end earlier than it would."""


@dataclass(slots=True)
class Fetch:
    """A part on its way.

    Args:
        start: offset of its first byte.
        stop: its end, exclusive.
        position: offset of the byte that comes next.
    """

    start: int
    stop: int
    position: int

    @property
    def left(self) -> int:
        """Bytes that are still to come."""
        return self.stop - self.position


@dataclass(eq=False, slots=True)
class Source:
    """A connection that brings parts.

    Args:
        id: as the subflow's.
        streams: whether it is the first response, which is asked for nothing more.
        active: whether it is to be used; a paused one only finishes what it has begun.
        latency: seconds from a request to its first byte.
        fetches: what it was asked for, in order.
        rate: bytes a second, 0.0 while unknown.
        peak: the same of late at its best, since in slow start an average comes too late.
        heard_at: when something came last, put off by the time in which nobody waited for it.
        waited_for: whether somebody is reading from it now; if not, its silence means nothing.
    """

    id: int
    streams: bool = False
    active: bool = True
    latency: float = 0.1
    fetches: deque[Fetch] = field(default_factory=deque)
    rate: float = 0.0
    peak: float = 0.0
    heard_at: float = 0.0
    waited_for: bool = True
    _since: float | None = None
    _count: int = 0
    _rests_since: float = 0.0

    def asked(self, now: float) -> None:
        """Record that it has something to bring from now on."""
        self.heard_at, self._since = now, None

    def heard(self, count: int, now: float) -> None:
        """Record that bytes came."""
        self.heard_at = now
        if self._since is None:  # the wait before the first byte is no rate
            self._since, self._count = now, 0
            return
        self._count += count
        passed = now - self._since
        if passed >= _LOOK:
            weight = 1.0 if not self.rate else 1 - math.exp(-passed / _WINDOW)
            self.rate += weight * (self._count / passed - self.rate)
            self.peak = max(self._count / passed, 0.8 * self.peak)
            self._since, self._count = now, 0

    def rest(self, now: float) -> None:
        """Record that nobody reads from it for a while."""
        if self.waited_for:
            self.waited_for, self._rests_since = False, now

    def wait(self, now: float) -> None:
        """Record that somebody reads from it (again)."""
        if not self.waited_for:
            self.waited_for = True
            self.heard_at = min(now, self.heard_at + now - self._rests_since)

    def silence(self, now: float) -> float:
        """Return the seconds for which nothing came, though somebody waited for it."""
        until = now if self.waited_for else self._rests_since
        return max(0.0, until - self.heard_at) if self.fetches else 0.0

    def speed(self, now: float) -> float:
        """Return the bytes a second to be expected of it."""
        grace = max(_SILENT, 4 * self.latency)
        return self.rate * min(1.0, grace / max(self.silence(now), grace / 2))

    def stalled(self, now: float) -> bool:
        """Return whether it has been silent for so long that nobody should wait for it."""
        return self.silence(now) > max(_STALLED, 8 * self.latency)

    @property
    def backlog(self) -> int:
        """Bytes that it was asked for and hasn't brought."""
        return sum(fetch.left for fetch in self.fetches)


@dataclass(eq=False, slots=True)
class First(Source):
    """The first response, as a source.

    Args:
        planned: whether others may help it.
        ended: whether it was to end before that was known, or while it went on.
        error: why it ended too early, or "".
        brought: bytes of the body that it brought.
    """

    planned: bool = False
    ended: bool = False
    error: str = ""
    brought: int = 0

    @property
    def goes_on(self) -> bool:
        """Whether it brings more."""
        return bool(self.fetches) if self.planned else not self.ended

    @property
    def read_whole(self) -> bool:
        """Whether it was read to its own end, if others are to help."""
        return not self.goes_on and not self.error and not self.ended


class Plan:
    """The parts of one body.

    Args:
        length: bytes of the body.

    Attributes:
        have: which bytes are here.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self.have = Intervals()
        self._sources: list[Source] = []

    # Who is there.

    def stream(self, source: Source, now: float, position: int = 0) -> None:
        """Let the first response bring the body, of which it has brought so many bytes already."""
        self.have.add(0, position)
        if position < self.length:
            source.fetches.append(Fetch(0, self.length, position))
        source.asked(now)
        self._sources.append(source)

    def join(self, source: Source) -> None:
        """Let a connection bring parts."""
        self._sources.append(source)

    def leave(self, source: Source) -> None:
        """Record that a connection is gone; what it was asked for is anybody's."""
        if source in self._sources:
            self._sources.remove(source)
        source.fetches.clear()

    def others(self) -> list[Source]:
        """Return the connections that are there besides the first response."""
        return [source for source in self._sources if not source.streams]

    @property
    def complete(self) -> bool:
        """Whether every byte is here."""
        return self.have.size == self.length

    def needed(self, source: Source) -> bool:
        """Return whether a source that goes on could still bring a byte that is missing."""
        return any(not self.have.covers(f.position, f.stop) for f in source.fetches)

    # What came.

    def ahead(self, position: int) -> int:
        """Return how many bytes are here from an offset on, in order."""
        gaps = self.have.missing(position, self.length)
        return (gaps[0][0] if gaps else self.length) - position

    def new(self, source: Source, count: int) -> list[Interval]:
        """Return which of the bytes that a source brings next aren't here yet."""
        position = source.fetches[0].position
        return self.have.missing(position, position + count)

    def came(self, source: Source, count: int, now: float) -> None:
        """Record that a source brought the next bytes of what it was asked for."""
        fetch = source.fetches[0]
        self.have.add(fetch.position, fetch.position + count)
        fetch.position += count
        source.heard(count, now)
        if not fetch.left:
            source.fetches.popleft()

    # What to fetch.

    def next(self, source: Source, now: float) -> Fetch | None:
        """Choose what a source is to be asked for now, and write it down; None for nothing."""
        if source not in self._sources or source.streams:
            return None  # to one that is gone nothing is given: what comes of it has no place
        if not self.may(source, now) or self._has_enough(source):
            return None
        free = self._free(now)
        part = self._block(source, free, now) if free else self._share(source, now)
        if part is None:
            return None
        fetch = Fetch(*part, part[0])
        if not source.fetches:
            source.asked(now)
        source.fetches.append(fetch)
        return fetch

    def may(self, source: Source, now: float) -> bool:
        """Return whether to use a source: a paused one while no other works (RFC 8684, 3.1)."""
        others = (o for o in self._sources if o is not source and o.active and not o.stalled(now))
        return source.active or not any(others)

    def _has_enough(self, source: Source) -> bool:
        return source.backlog > max(LEAST_BLOCK, source.peak * source.latency * _AHEAD)

    def _free(self, now: float) -> list[Interval]:
        """Return what is missing and nobody who isn't stalled has been asked for.

        Of the first response that doesn't say anything: it was asked for all.
        """
        asked = Intervals()
        for other in self._sources:
            if not other.streams and not other.stalled(now):
                for fetch in other.fetches:
                    asked.add(fetch.position, fetch.stop)
        gaps = self.have.missing(0, self.length)
        return [part for gap in gaps for part in asked.missing(*gap)]

    def _block(self, source: Source, free: list[Interval], now: float) -> Interval | None:
        """Choose a block of what is free: from the end, or what the reader wants next."""
        most = max(LEAST_BLOCK, int(source.rate * BLOCK_SECONDS))
        if not self._streamed(now):
            start, stop = free[0]
            share = _fair(*self._until(self.length, free, source, now), source, now)
            return start, min(stop, start + min(most, max(LEAST_SHARE, share)))
        start, stop = free[-1]
        left, rate = self._until(stop, free, source, now)
        size = min(most, stop - start, _fair(left, rate, source, now))
        if size < LEAST_SHARE:  # no share is worth a request: all of so little, or nothing
            size = min(LEAST_SHARE, stop - start)
            if _seconds(left, rate) - _own_seconds(source, size) < _GAIN:
                return None
        return stop - size, stop

    def _streamed(self, now: float) -> bool:
        """Return whether the first response brings what the reader wants next."""
        streaming = (s for s in self._sources if s.streams and s.fetches)
        return any(s.active and not s.stalled(now) for s in streaming)

    def _share(self, source: Source, now: float) -> Interval | None:
        """Choose a share of what would take longest, if that gains time."""
        slowest, late = None, 0.0
        for other in self._sources:
            if other is source or other.streams:
                continue
            for fetch in other.fetches:
                seconds = _seconds(other.backlog, other.speed(now))
                alone = self._alone(other, fetch)
                if alone and seconds > late:
                    slowest, late = (other, alone), seconds
        if slowest is None:
            return None
        other, (start, stop) = slowest
        share = max(LEAST_SHARE, _fair(stop - start, other.speed(now), source, now))
        share = min(share, stop - start)
        if late - _own_seconds(source, share) < _GAIN:
            return None
        return stop - share, stop

    def _until(
        self, stop: int, free: list[Interval], source: Source, now: float
    ) -> tuple[int, float]:
        """Return the bytes that all others have before them up to an offset, and their rate."""
        left, rate = sum(end - begin for begin, end in free), 0.0
        for other in self._sources:
            if other is source or not other.active or other.stalled(now):
                continue
            rate += other.speed(now)
            if other.streams and other.fetches:  # it can't leave out what is here already
                left = max(left, stop - other.fetches[0].position)
            else:
                left += other.backlog
        return left, rate

    def _alone(self, owner: Source, fetch: Fetch) -> Interval | None:
        """Return the last stretch of a fetch that is missing and nobody else is on."""
        asked = Intervals()
        for other in self._sources:
            if other is not owner and not other.streams:
                for rival in other.fetches:
                    asked.add(rival.position, rival.stop)
        gaps = self.have.missing(fetch.position, fetch.stop)
        parts = [part for gap in gaps for part in asked.missing(*gap)]
        return parts[-1] if parts else None


def _seconds(count: int, rate: float) -> float:
    return count / rate if rate else math.inf


def _own_seconds(source: Source, size: int) -> float:
    """Return the seconds until a source has brought what it has before it, and so much more."""
    return source.latency + (_seconds(source.backlog + size, source.rate) if source.rate else 0.0)


def _fair(left: int, rate: float, source: Source, now: float) -> int:
    """Return how much of what others have before them a source takes, so that all end at once.

    Args:
        left: bytes before the others.
        rate: theirs together, in bytes a second.
        source: the one that takes.
        now: the time.
    """
    own = source.speed(now)
    if not rate:
        return left
    if not own:  # unknown yet: it is as good as they are
        own = rate
    begins_in = max(source.latency, source.backlog / own)
    return max(0, int((left / rate - begins_in) / (1 / rate + 1 / own)))
