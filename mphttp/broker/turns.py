"""Whose turn it is: descriptors that are ready, and those that are left alone for a while."""

from __future__ import annotations

import heapq
import itertools
import select
import time
from collections.abc import Callable
from contextlib import suppress

PAUSE = 0.05  # seconds, while a user's descriptors wait to be closed


class Turns:
    """Descriptors from which something may come."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._paused: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def add(self, descriptor: int) -> None:
        """Wait for something to come from it."""
        self._poll.register(descriptor, select.EPOLLIN)

    def remove(self, descriptor: int) -> None:
        """Wait no more, whether or not it is paused."""
        with suppress(FileNotFoundError):
            self._poll.unregister(descriptor)

    def pause(
        self,
        descriptor: int,
        until: float | None = None,
        there: Callable[[], bool] = lambda: True,
    ) -> None:
        """Read nothing more from it for a while.

        Args:
            descriptor: which.
            until: of `time.monotonic`; None for a moment from now.
            there: tells then whether it is still what it was.
        """
        when = time.monotonic() + PAUSE if until is None else until
        self._poll.unregister(descriptor)

        def resume() -> None:
            if there():
                self.add(descriptor)

        heapq.heappush(self._paused, (when, next(self._order), resume))

    def resume(self) -> None:
        """End the pauses that have lasted long enough."""
        now = time.monotonic()
        while self._paused and self._paused[0][0] <= now:
            self._paused[0][-1]()  # if that fails, it is tried again
            heapq.heappop(self._paused)

    def wait(self, longest: float | None) -> list[int]:
        """Return the descriptors that are ready, once any is, or a pause ends.

        Args:
            longest: seconds to wait at most, or None.
        """
        seconds = [] if longest is None else [longest]
        if self._paused:
            seconds.append(max(0.0, self._paused[0][0] - time.monotonic()))
        return [descriptor for descriptor, _ in self._poll.poll(min(seconds, default=None))]
