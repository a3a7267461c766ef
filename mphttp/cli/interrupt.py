"""What ends a command from outside: a time limit, or a signal that asks it to stop."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_AGAIN = 1.0
"""Seconds after which a limit is told again: the first time, it may have hit a destructor or a
callback of C, where Python drops exceptions."""
_AT_ONCE = 0.001


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


Anew = Callable[[float], None]
"""Begins a time limit again; takes seconds that are granted beside it."""


@contextmanager
def time_limit(seconds: float | None) -> Iterator[Anew]:
    """Raise `TimeIsOver` in the block after so many seconds, wherever it waits then.

    A timer of the system does it, since time-outs of sockets start anew with every byte. A limit
    around this one holds all the same, unless this one begins anew.

    Raises:
        TimeIsOver: the time is over.
    """
    if seconds is None:
        yield lambda _: None
        return
    limit = seconds
    handler = signal.signal(signal.SIGALRM, _over)
    began = time.monotonic()
    left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
    _set(min(limit, left or limit))
    try:
        yield lambda more: _set(limit + more)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:
            _set(max(left - (time.monotonic() - began), _AT_ONCE))


def _set(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)


def _over(_: int, __: FrameType | None) -> NoReturn:
    raise TimeIsOver
