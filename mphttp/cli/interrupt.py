"""What ends a command from outside: a time limit, or a signal that asks it to stop."""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_AGAIN = 1.0
"""Seconds after which a limit is told again: the first time, it may have hit a destructor or a
callback of C, where Python drops exceptions."""
_AT_ONCE = 0.001

_Hook = Callable[["sys.UnraisableHookArgs"], object]


class TimeIsOver(Exception):
    """The time of `--max-time` is over."""


class Stopped(BaseException):
    """A signal asked the process to stop; like KeyboardInterrupt, it lets `finally` clean up.

    Args:
        number: the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = number


@contextmanager
def stoppable() -> Iterator[None]:
    """Clean up before SIGTERM or SIGHUP ends the process, which Python doesn't do by itself.

    Raises:
        Stopped: such a signal came. One that is ignored (as under nohup) stays so.
    """

    def stop(number: int, _: FrameType | None) -> NoReturn:
        raise Stopped(number)

    heeded = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) != signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Stop:
    """Ends what other threads do, since signals and their exceptions reach the first one alone."""

    def __init__(self) -> None:
        self._set = threading.Event()

    def stop(self) -> None:
        """Let every wait end, and nothing begin."""
        self._set.set()

    @property
    def stopped(self) -> bool:
        """Whether all is to end."""
        return self._set.is_set()

    def sleep(self, seconds: float) -> None:
        """Wait, until all is to end."""
        if self._set.wait(seconds):
            raise Stopped(signal.SIGINT)


class Limit:
    """When something has to be done, for those who ask before they wait.

    Args:
        seconds: from now on; None for no limit.
        stop: ends it, too.
    """

    def __init__(self, seconds: float | None, stop: Stop | None = None) -> None:
        self._seconds = seconds
        self._end = math.inf if seconds is None else time.monotonic() + seconds
        self._stop = stop

    def left(self) -> float | None:
        """Return the seconds that are left, or None without a limit."""
        if self._stop is not None and self._stop.stopped:
            return 0.0
        return None if self._end == math.inf else max(0.0, self._end - time.monotonic())

    def require(self) -> None:
        """Go on only if there is time.

        Raises:
            TimeIsOver: there is none.
            Stopped: all is to end.
        """
        if self._stop is not None and self._stop.stopped:
            raise Stopped(signal.SIGINT)
        if time.monotonic() >= self._end:
            raise TimeIsOver

    def anew(self, more: float) -> None:
        """Begin again, with seconds that are granted beside."""
        if self._seconds is not None:
            self._end = time.monotonic() + self._seconds + more
            if _in_first_thread():
                _set(self._seconds + more)


class Waits(dict[str, float | None]):
    """httpx's limits of single waits, none of which lasts longer than there is time.

    Args:
        limit: of all together.
        own: of each, such as connect=60.
    """

    def __init__(self, limit: Limit, **own: float | None) -> None:
        super().__init__(own)
        self._limit = limit

    def get(self, kind: str, _: object = None, /) -> float | None:
        """Return what a wait may take now, in seconds, or None."""
        given = [super().get(kind), self._limit.left()]
        return min((seconds for seconds in given if seconds is not None), default=None)


@contextmanager
def time_limit(seconds: float | None, stop: Stop | None = None) -> Iterator[Limit]:
    """Raise `TimeIsOver` in the block after so many seconds, wherever it waits then.

    A timer of the system does it, since time-outs of sockets start anew with every byte. A limit
    around this one holds all the same, unless this one begins anew. Where there are several
    threads, a signal reaches the first one alone: in the others, waits ask what is left.

    Raises:
        TimeIsOver: the time is over.
    """
    limit = Limit(seconds, stop)
    if seconds is None or not _in_first_thread():
        yield limit
        return
    handler, hook = signal.signal(signal.SIGALRM, _over), sys.unraisablehook
    began = time.monotonic()
    left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
    sys.unraisablehook = _quiet_about_time(hook)
    _set(min(seconds, left or seconds))
    try:
        yield limit
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        sys.unraisablehook = hook
        if left:
            _set(max(left - (time.monotonic() - began), _AT_ONCE))


def _in_first_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _set(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)


def _quiet_about_time(hook: _Hook) -> _Hook:
    """Return a hook that lets Python drop a limit without a word, since it is told again."""

    def heed(dropped: sys.UnraisableHookArgs) -> None:
        if not isinstance(dropped.exc_value, TimeIsOver):
            hook(dropped)

    return heed


def _over(_: int, __: FrameType | None) -> NoReturn:
    raise TimeIsOver
