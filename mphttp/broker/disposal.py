"""Closing what came from strangers, where it can't hold up anybody else.

Closing a descriptor can take for as long as a stranger likes: a TCP socket with SO_LINGER waits for
its peer (measured), a file of a FUSE file system for its server, and a Unix socket can have either
in its queue. So each user has a thread that closes what came from that user's processes.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterable
from contextlib import suppress

_IDLE = 10.0  # seconds after which a thread ends


class Disposal:
    """Closes descriptors, each user's one after the other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: dict[int, _Queue] = {}

    def close(self, user: int, descriptors: Iterable[int]) -> None:
        """Close them soon; returns at once.

        Args:
            user: whose they are.
            descriptors: nobody else closes them.
        """
        with self._lock:
            queue = self._queues.get(user)
            if queue is None:
                queue = self._queues[user] = _Queue(threading.Condition(self._lock))
                self._start(user, queue)
            queue.descriptors.extend(descriptors)
            queue.filled.notify()

    def waiting(self, user: int) -> int:
        """Count a user's descriptors that aren't closed yet."""
        queue = self._queues.get(user)
        return 0 if queue is None else len(queue.descriptors)

    def all_waiting(self) -> int:
        """Count everybody's."""
        return sum(len(queue.descriptors) for queue in list(self._queues.values()))

    def _start(self, user: int, queue: _Queue) -> None:
        name = f"mphttpd-close-{user}"
        threading.Thread(target=self._work, args=(user, queue), name=name, daemon=True).start()

    def _work(self, user: int, queue: _Queue) -> None:
        while True:
            with self._lock:
                if not queue.descriptors and not queue.filled.wait(_IDLE):
                    del self._queues[user]
                    return
                descriptor = queue.descriptors[0] if queue.descriptors else None
            if descriptor is not None:
                with suppress(OSError):
                    os.close(descriptor)
                queue.descriptors.popleft()  # only now: it counts until it is closed


class _Queue:
    """What one user's thread has to do."""

    def __init__(self, filled: threading.Condition) -> None:
        self.descriptors: deque[int] = deque()
        self.filled = filled
