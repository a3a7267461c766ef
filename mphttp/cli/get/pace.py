"""`--limit-rate`: how long who reads, or sends, waits so that it is no faster than it may.

The reader stops reading, so that the kernel's receive buffer fills and its window tells the sender
to be slower: the limit holds on the links, not only here. What is sent is given to the kernel piece
by piece.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import httpx

_PIECES = 10
"""Pieces of what is sent in a second."""
_SLACK = 1.0
"""Seconds of the rate that a transfer which was slower may make up for."""


class Pace:
    """A transfer's pace; times are seconds of any steady clock.

    Args:
        rate: bytes per second, more than 0.
        now: when it begins.
    """

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._even_at = now

    def wait(self, count: int, now: float) -> float:
        """Return the seconds to wait after bytes were read.

        Args:
            count: how many.
            now: when.
        """
        self._even_at = max(self._even_at, now - _SLACK) + count / self._rate
        return max(0.0, self._even_at - now)


class PacedStream(httpx.SyncByteStream):
    """A request's body that is given no faster than it may be.

    Args:
        stream: the body.
        rate: bytes per second, more than 0.
        sleep: waits for so many seconds.
    """

    def __init__(
        self, stream: httpx.SyncByteStream, rate: float, sleep: Callable[[float], object]
    ) -> None:
        self._stream = stream
        self._rate = rate
        self._sleep = sleep

    def __iter__(self) -> Iterator[bytes]:
        pace = Pace(self._rate, time.monotonic())
        size = max(1, round(self._rate / _PIECES))
        for chunk in self._stream:
            for start in range(0, len(chunk), size):
                piece = chunk[start : start + size]
                yield piece
                self._sleep(pace.wait(len(piece), time.monotonic()))
