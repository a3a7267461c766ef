"""Several downloads at once, each in a thread; a signal, or a first failure, ends them all."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeVar

from mphttp.engine import engine
from mphttp.network.time_limit import TimeLimit

from ..interrupt import Stop, Stopped

T = TypeVar("T")

_WITHIN = 5.0
"""Seconds for threads to put away what they have; they don't keep the process."""


class Workers:
    """Threads that take one thing after the other.

    Args:
        most: how many things are under way at once.
        stop: ends what is under way.
        fail_early: whether the first that fails ends all.
    """

    def __init__(self, most: int, stop: Stop, *, fail_early: bool) -> None:
        self._most = most
        self._stop = stop
        self._fail_early = fail_early
        self._lock = threading.Lock()
        self._failure: BaseException | None = None

    def run(self, things: Iterable[T], do: Callable[[T], int]) -> int:
        """Do them all.

        Args:
            things: in the order in which they begin.
            do: does one, and returns an exit code.

        Returns:
            0, or the code of the last that failed, in the same order.

        Raises:
            BaseException: what `do` raised.
        """
        waiting = deque(enumerate(things))
        codes: dict[int, int] = {}

        def work() -> None:
            try:
                while self._next(waiting, do, codes):
                    pass
            finally:
                ended.release()

        # No Thread.join: one that is interrupted takes a thread for ended (CPython 3.11 and 3.12).
        ended, begun = threading.Semaphore(0), 0
        try:
            for _ in range(min(self._most, len(waiting))):
                threading.Thread(target=work, daemon=True).start()
                begun += 1
            while begun:
                ended.acquire()
                begun -= 1
        except BaseException:
            self._stop_all()
            limit = TimeLimit(_WITHIN)
            while begun and ended.acquire(timeout=limit.left()):
                begun -= 1
            raise
        if self._failure is not None:
            raise self._failure
        return next((codes[at] for at in sorted(codes, reverse=True) if codes[at]), 0)

    def _next(
        self, waiting: deque[tuple[int, T]], do: Callable[[T], int], codes: dict[int, int]
    ) -> bool:
        """Do the next one; tell whether another may follow."""
        with self._lock:
            if not waiting or self._stop.stopped:
                return False
            at, thing = waiting.popleft()
        try:
            code = do(thing)
        except Stopped:
            return False
        except BaseException as error:
            self._failure = error
            code = 1
        codes[at] = code
        if self._failure is not None or (code and self._fail_early):
            self._stop_all()
        return True

    def _stop_all(self) -> None:
        self._stop.stop()
        engine.shut_down()  # who reads, sees the end
