"""The one lock of a body, and how those who wait behind it hear that there is something new."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import Self


class News:
    """A lock to be held with `with`; threads wait by a condition, event loops by a descriptor.

    Attributes:
        closed: whether nobody wants anything any more.
    """

    def __init__(self) -> None:
        self.closed = False
        self._condition = threading.Condition()  # whose lock one thread may take several times
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Take the lock."""
        self._condition.acquire()
        return self

    def __exit__(self, *error: object) -> None:
        """Release the lock."""
        self._condition.release()

    def tell(self) -> None:
        """Wake all who wait."""
        with self:
            self._condition.notify_all()
            if self._descriptor is not None:
                os.eventfd_write(self._descriptor, 1)

    def wait(self, seconds: float) -> None:
        """Wait until there is something new."""
        with self:
            self._condition.wait(seconds)

    def idle(self, seconds: float) -> None:
        """Wait the same way, as one who has nothing to do once it is closed."""
        with self:
            if not self.closed:
                self._condition.wait(seconds)

    def fileno(self) -> int:
        """Return a descriptor that is readable when there is something new (for event loops)."""
        with self:
            if self._descriptor is None:
                self._descriptor = os.eventfd(1, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            return self._descriptor

    def seen(self) -> None:
        """Make the descriptor unreadable until there is more."""
        with self, contextlib.suppress(BlockingIOError):
            if self._descriptor is not None:
                os.eventfd_read(self._descriptor)

    def close(self) -> None:
        """Wake all who wait, for the last time."""
        with self:
            self.closed = True
            self.tell()
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def after_fork(self) -> None:
        """Take a new lock, in a child process; a thread of the parent's may have held it."""
        self._condition = threading.Condition()
