"""One direction of one link: which packets are dropped, and when each comes out.

A packet goes through three stations, each in order of arrival:

    queue (bytes, drop-tail)  →  transmitter (rate or trace)  →  delay line  →  out, or lost

No clock and no socket is here: time is an argument, in seconds, and never runs backwards. What is
due is worked out when somebody asks, so a late caller changes nothing but when packets leave.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections import deque
from typing import Generic, Protocol, TypeVar

from .spec import MTU, Link

T = TypeVar("T")


class Transmitter(Protocol):
    """What takes its time for each byte."""

    def carry(self, begin: float, size: int) -> float:
        """Return when the last of `size` bytes is through, if the first may go at `begin`."""


class ConstantRate:
    """So many bits a second.

    Args:
        rate: bits a second.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate

    def carry(self, begin: float, size: int) -> float:
        return begin + size * 8 / self._rate


class Trace:
    """Chances to deliver at given milliseconds, over and over (Mahimahi's format).

    A chance carries up to 1500 bytes, of several packets or of a part of one; one that finds no
    byte waiting is gone.

    Args:
        chances: milliseconds, ascending; the last is the period.
        start: when the trace begins, in seconds.
    """

    def __init__(self, chances: tuple[int, ...], start: float) -> None:
        self._chances = chances
        self._start = start
        self._next = 0
        self._left = 0
        self._now = start

    def carry(self, begin: float, size: int) -> float:
        if begin > self._now:
            self._left = 0
            self._next = self._first_at(begin)
        while size > self._left:
            size -= self._left
            self._now, self._left = self._time(self._next), MTU
            self._next += 1
        self._left -= size
        return self._now

    def _time(self, number: int) -> float:
        rounds, index = divmod(number, len(self._chances))
        return self._start + (rounds * self._chances[-1] + self._chances[index]) / 1000

    def _first_at(self, time: float) -> int:
        """Return the number of the first chance at `time` or later, counted over all rounds."""
        each = len(self._chances)
        rounds = int((time - self._start) * 1000 / self._chances[-1])
        # The division rounds, and a round's last chance can be at the next one's begin.
        near = range(max(0, rounds - 1) * each, (rounds + 2) * each)
        return near[bisect_left(near, time, key=self._time)]


class Shaper(Generic[T]):
    """The queue, the transmitter and the delay line of one direction.

    Args:
        link: rate or trace, delay, loss and queue.
        seed: for the random losses.
        now: when it begins, in seconds.
    """

    def __init__(self, link: Link, *, seed: int, now: float = 0.0) -> None:
        self._random = random.Random(seed)
        self._link = link
        self._limit = link.queue_bytes
        self._transmitter = _transmitter(link, now)
        self._queue: deque[tuple[int, T]] = deque()
        self._line: deque[tuple[float, T]] = deque()
        self._head_began = self._head_ends = now
        self.backlog = 0
        self.lost = 0

    def push(self, now: float, size: int, packet: T) -> bool:
        """Take a packet of `size` bytes in; False: the queue is full and it is dropped."""
        self._transmit(now)
        if self.backlog + size > self._limit:
            return False
        self._queue.append((size, packet))
        self.backlog += size
        if len(self._queue) == 1:
            self._begin(now, size)
        return True

    def pop(self, now: float) -> list[T]:
        """Return the packets that have come out by now, in order, without those that got lost."""
        self._transmit(now)
        out = []
        # A packet that a shorter delay would let overtake waits behind those before it.
        while self._line and self._line[0][0] <= now:
            _, packet = self._line.popleft()
            if self._link.loss and self._random.random() < self._link.loss:
                self.lost += 1
            else:
                out.append(packet)
        return out

    def next_release(self) -> float | None:
        """Return when the next packet comes out (or is lost), or None when there is none."""
        if self._line:
            return self._line[0][0]
        return self._head_ends + self._link.delay if self._queue else None

    def change(self, now: float, link: Link) -> None:
        """Go on as another link; what the packet under way has left goes at the new rate."""
        self._transmit(now)
        same = (link.rate, link.trace) == (self._link.rate, self._link.trace)
        self._link, self._limit = link, link.queue_bytes
        if same:
            return
        self._transmitter = _transmitter(link, now)
        if self._queue:
            took = self._head_ends - self._head_began
            left = (self._head_ends - max(now, self._head_began)) / took if took else 0.0
            self._begin(now, max(1, round(self._queue[0][0] * left)))

    def flush(self) -> int:
        """Forget every packet, as a link that is cut does, and return how many there were."""
        gone = len(self._queue) + len(self._line)
        self._queue.clear()
        self._line.clear()
        self.backlog = 0
        self.lost += gone
        return gone

    def _begin(self, now: float, size: int) -> None:
        self._head_began, self._head_ends = now, self._transmitter.carry(now, size)

    def _transmit(self, now: float) -> None:
        """Move what the transmitter has done by now into the delay line."""
        while self._queue and self._head_ends <= now:
            size, packet = self._queue.popleft()
            self.backlog -= size
            self._line.append((self._head_ends + self._link.delay, packet))
            if self._queue:
                self._begin(self._head_ends, self._queue[0][0])


def _transmitter(link: Link, now: float) -> Transmitter:
    return ConstantRate(link.rate) if link.rate is not None else Trace(link.trace, now)
