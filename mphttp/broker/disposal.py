"""Closing what came from strangers, where it can't hold up anybody else.

Closing a descriptor can take for as long as a stranger likes: a TCP socket with SO_LINGER waits for
its peer (measured), a file of a FUSE file system for its server, and a Unix socket can have either
in its queue. So no user keeps more than one thread at it. One thread is always there; when no other
can be had, whoever is free takes over, and a start is tried again by and by.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterable
from contextlib import suppress

_IDLE = 10.0  # seconds after which a thread ends that isn't the last one


class Disposal:
    """Closes descriptors, each user's one after the other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._filled = threading.Condition(self._lock)
        self._queues: dict[int, deque[int]] = {}
        self._attended: set[int] = set()  # users who have a thread at work
        self._threads = 0
        self._idle = 0
        with self._lock:
            self._start()

    def close(self, user: int, descriptors: Iterable[int]) -> None:
        """Close them soon; returns at once.

        Args:
            user: whose they are.
            descriptors: nobody else closes them.
        """
        given = list(descriptors)
        with self._lock:
            if given:
                self._queues.setdefault(user, deque()).extend(given)
                self._help()

    def waiting(self, user: int) -> int:
        """Count a user's descriptors that aren't closed yet."""
        queue = self._queues.get(user)
        return 0 if queue is None else len(queue)

    def all_waiting(self) -> int:
        """Count everybody's."""
        return sum(len(queue) for queue in list(self._queues.values()))

    @property
    def short(self) -> bool:
        """Whether somebody's descriptors wait for a thread, so that `help` is to be called."""
        return len(self._attended) < len(self._queues) and not self._idle

    def help(self) -> None:
        """Try again to start a thread, if one is missing."""
        with self._lock:
            self._help()

    def _help(self) -> None:
        if self._idle:
            self._filled.notify()
        elif self.short:
            self._start()

    def _start(self) -> None:
        name = f"mphttpd-close-{self._threads}"
        # The system may have no more threads (RLIMIT_NPROC, TasksMax=), or no memory for one.
        with suppress(RuntimeError, MemoryError):
            threading.Thread(target=self._work, name=name, daemon=True).start()
            self._threads += 1

    def _work(self) -> None:
        with self._lock:
            while (user := self._next()) is not None:
                self._attended.add(user)
                self._help()  # there may be more to do than this thread was woken for
                self._close_one(user)
                self._attended.discard(user)
            self._threads -= 1

    def _next(self) -> int | None:
        """Wait for a user whom nobody attends to; None when there is enough of waiting."""
        while True:
            user = next((user for user in self._queues if user not in self._attended), None)
            if user is not None:
                return user
            self._idle += 1
            told = self._filled.wait(_IDLE)
            self._idle -= 1
            if not told and self._threads > 1 and not self.short:
                return None

    def _close_one(self, user: int) -> None:
        """Close one; the lock is free meanwhile."""
        queue = self._queues.pop(user)
        self._queues[user] = queue  # last in line now: everybody gets a turn
        self._lock.release()
        try:
            with suppress(OSError):
                os.close(queue[0])
        finally:
            self._lock.acquire()
        queue.popleft()  # only now: it counts until it is closed
        if not queue:
            del self._queues[user]
