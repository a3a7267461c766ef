"""Ends what takes too long, so that an endless loop is a failure with an input."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


class HangError(Exception):
    """It took too long."""


@contextmanager
def no_longer_than(seconds: float) -> Iterator[None]:
    """Raise `HangError` after so many seconds of this process's own time, whatever others do."""
    before = signal.signal(signal.SIGVTALRM, _hang)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _hang(_number: int, _frame: FrameType | None) -> NoReturn:
    raise HangError
