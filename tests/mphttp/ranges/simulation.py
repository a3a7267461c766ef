"""Sources with given rates and latencies, in virtual time, that drive a plan as workers do."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from mphttp.ranges.intervals import Intervals
from mphttp.ranges.plan import Fetch, Plan, Source

LOOK_EVERY = 0.05
"""Seconds after which a source without work looks whether there is some (worker)."""
SLICE = 0.02
"""Seconds for which the reader waits for a first response that is paused (joined)."""
_CHUNK_SECONDS = 0.01
_LEAST_CHUNK = 4096


@dataclass(eq=False)
class Line:
    """A connection with a path of its own.

    Args:
        rate: bytes a second.
        latency: seconds from a request to its first byte.
        opens_at: when it is there, in seconds.
    """

    rate: float
    latency: float
    opens_at: float = 0.0
    source: Source = field(default_factory=lambda: Source(0))
    brought: int = 0
    idle_since: float | None = None
    idle: float = 0.0
    closed: bool = False
    stalled_until: float = 0.0
    asked_at: dict[int, float] = field(default_factory=dict)


class Simulation:
    """One body, the line of its first response, and others.

    Args:
        length: bytes of the body.
        first: of the first response.
        others: those that fetch parts.

    Attributes:
        now: virtual seconds.
        asked: what was asked for, by whom, and when.
    """

    def __init__(self, length: int, first: Line, *others: Line) -> None:
        self.now = 0.0
        self.plan = Plan(length)
        self.lines = [first, *others]
        self.asked: list[tuple[float, Line, Fetch]] = []
        self._given = Intervals()
        self._order = count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        for number, line in enumerate(self.lines):
            line.source = Source(number, streams=line is first, latency=line.latency)
        self.plan.stream(first.source, 0.0)
        self.at(first.latency, lambda: self._first(first))
        for line in others:
            self.at(line.opens_at, lambda line=line: self._join(line))  # type: ignore[misc]

    @property
    def brought(self) -> int:
        """Bytes that came, those that came twice among them."""
        return sum(line.brought for line in self.lines)

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Do something at a time."""
        heapq.heappush(self._due, (when, next(self._order), what))

    def run(self, within: float = math.inf) -> float:
        """Go on until the body is whole; return the seconds that it took."""
        while not self.plan.complete:
            assert self._due, "nobody does anything any more"
            self.now, _, what = heapq.heappop(self._due)
            assert self.now <= within, f"{self.plan.have.size} bytes are here at {self.now:.1f} s"
            what()
        assert not self._given.missing(0, self.plan.length)
        return self.now

    # What happens to lines.

    def close(self, line: Line) -> None:
        line.closed = True
        self.plan.leave(line.source)

    def pause(self, line: Line, paused: bool) -> None:
        line.source.active = not paused

    def stall(self, line: Line, seconds: float) -> None:
        line.stalled_until = max(line.stalled_until, self.now + seconds)

    # The first response, as the reader reads it (joined).

    def _first(self, line: Line) -> None:
        if line.closed or not self.plan.needed(line.source):
            return
        if not self.plan.may(line.source, self.now):
            self.at(self.now + SLICE, lambda: self._first(line))
        else:
            self._deliver(line, lambda: self._first(line))

    # The others (worker).

    def _join(self, line: Line) -> None:
        if not line.closed:
            self.plan.join(line.source)
            self._work(line)

    def _work(self, line: Line) -> None:
        if line.closed:
            return
        while fetch := self.plan.next(line.source, self.now):
            self.asked.append((self.now, line, fetch))
            line.asked_at[id(fetch)] = self.now
        if line.source.fetches:
            self._deliver(line, lambda: self._work(line))
            return
        self.at(self.now + LOOK_EVERY, lambda: self._work(line))

    def _deliver(self, line: Line, then: Callable[[], None]) -> None:
        """Let the next bytes of a line come, when its rate and its latency let them."""
        fetch = line.source.fetches[0]
        size = min(fetch.left, max(_LEAST_CHUNK, int(line.rate * _CHUNK_SECONDS)))
        begins = self.now
        if fetch.position == fetch.start and not line.source.streams:
            begins = max(begins, line.asked_at[id(fetch)] + line.latency)
        ends = max(begins, line.stalled_until) + size / line.rate

        def come() -> None:
            if line.stalled_until > self.now:  # it began meanwhile
                self.at(line.stalled_until + size / line.rate, come)
            elif not line.closed and line.source.fetches:
                self._come(line, size)
                then()

        self.at(ends, come)

    def _come(self, line: Line, size: int) -> None:
        for start, stop in self.plan.new(line.source, size):
            before = self._given.size
            self._given.add(start, stop)
            assert self._given.size - before == stop - start, "a byte was given twice"
        line.brought += size
        self.plan.came(line.source, size, self.now)
