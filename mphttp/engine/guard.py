"""Calls of code that isn't ours, such as a strategy's step, and what is done if one never returns.

Who carries on when a thread is stuck in such a call is another thread: this one is abandoned. It
ends when the call returns, and an exception is raised in it meanwhile, which ends a loop that does
nothing but Python. Nothing can end what waits inside the system.

Such an exception comes between any two steps. In `threading.Condition`, it may come when the lock
is taken and nobody knows it yet, so that it is never given back. Code of ours that a call calls
back is therefore `unbroken`: the exception waits until it has returned.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import threading
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")

_calls = threading.local()
"""`mine`: the call that is under way on a thread, or None."""

PATIENCE = 1.0
"""Seconds after which a call is given up."""
MOST_ABANDONED = 8
"""Threads of a process that may be stuck at once; then no such call is made until one returns."""
_LOOK_EVERY = 0.25
"""Seconds between two looks at a call under way; so a call is given up within 1.25 s."""
LOST_WITHIN = PATIENCE + 2 * _LOOK_EVERY
"""Seconds within which a call has returned, or is known to be given up."""
_LOOKS_UNTIL_IDLE = 20


class Abandoned(BaseException):
    """Ends the thread of a call that was given up; not for `except Exception`."""


class TooManyAbandoned(Exception):
    """No call is made: as many threads as may be are stuck in earlier ones."""


class Call:
    """One call under way.

    Args:
        give_up: told, on another thread, that the call was given up.
    """

    def __init__(self, give_up: Callable[[], None]) -> None:
        self.began_at = time.monotonic()
        self.thread = threading.current_thread()
        self.give_up = give_up
        self._lock = threading.Lock()
        self._over = False
        self._abandoned = False
        self._unbroken = 0  # functions of ours under way

    def end(self) -> None:
        """Record that it has returned.

        Raises:
            Abandoned: too late.
        """
        with self._lock:
            self._over = True
            self._end_if_abandoned()

    def enter(self) -> None:
        """Record that it calls a function of ours.

        Raises:
            Abandoned: it was given up.
        """
        with self._lock:
            self._end_if_abandoned()
            self._unbroken += 1

    def leave(self) -> None:
        """Record that such a function returns.

        Raises:
            Abandoned: it was given up meanwhile.
        """
        with self._lock:
            self._unbroken -= 1
            if not self._unbroken:
                self._end_if_abandoned()

    def _end_if_abandoned(self) -> None:
        if self._abandoned:
            self._interrupt(None)  # once is enough: what follows on this thread puts things right
            raise Abandoned

    def _interrupt(self, kind: type[BaseException] | None) -> None:
        """Have an exception raised in its thread; None takes back one that wasn't raised yet."""
        raised = None if kind is None else ctypes.py_object(kind)
        identity = ctypes.c_ulong(self.thread.ident or 0)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(identity, raised)

    def abandon(self) -> bool:
        """Give it up; return whether it was still under way."""
        with self._lock:
            if self._over:
                return False
            self._abandoned = True
            if not self._unbroken:
                self._interrupt(Abandoned)
            return True


def unbroken(function: Callable[P, T]) -> Callable[P, T]:
    """Return a function of ours for calls to call back, in which none of them is ended."""

    @functools.wraps(function)
    def whole(*arguments: P.args, **named: P.kwargs) -> T:
        call: Call | None = getattr(_calls, "mine", None)
        if call is None:
            return function(*arguments, **named)
        call.enter()
        try:
            return function(*arguments, **named)
        finally:
            call.leave()

    return whole


class Guard:
    """Makes calls, one at a time, that are given up after `PATIENCE`.

    Args:
        replace: starts another thread in place of one that is stuck; told on a thread of its own.
    """

    def __init__(self, replace: Callable[[], None]) -> None:
        self._replace = replace
        self._call: Call | None = None
        self._abandoned: list[threading.Thread] = []
        self._bell = threading.Event()
        self._asleep = False
        self._wanted = False  # a thread, in place of one that is stuck

    def run(self, function: Callable[[], T], give_up: Callable[[], None]) -> T:
        """Call a function.

        Args:
            function: which.
            give_up: told, on another thread, if it doesn't come back.

        Raises:
            TooManyAbandoned: it wasn't called.
            Abandoned: it came back too late.
        """
        if len(self._abandoned) >= MOST_ABANDONED:
            self._abandoned = [thread for thread in self._abandoned if thread.is_alive()]
            if len(self._abandoned) >= MOST_ABANDONED:
                raise TooManyAbandoned(f"{MOST_ABANDONED} have not come back")
        self._call = _calls.mine = call = Call(give_up)
        if self._asleep:
            self._bell.set()
        try:
            return function()
        finally:
            _calls.mine = None
            call.end()
            self._call = None

    def start(self) -> None:
        """Begin to look after calls."""
        threading.Thread(target=self._look, name="mphttp-watchdog", daemon=True).start()

    def _look(self) -> None:
        looks = 0
        while True:
            call = self._call
            looks = 0 if call is not None or self._wanted else looks + 1
            if looks > _LOOKS_UNTIL_IDLE:
                self._sleep()
                looks = 0
            elif call is not None and time.monotonic() >= call.began_at + PATIENCE:
                self._give_up(call)
            else:
                time.sleep(_LOOK_EVERY)
            self._replace_if_wanted()

    def _give_up(self, call: Call) -> None:
        if call.abandon():
            self._wanted = True
            self._abandoned.append(call.thread)
            self._call = None
            call.give_up()

    def _replace_if_wanted(self) -> None:
        if self._wanted:
            with contextlib.suppress(RuntimeError):  # no thread is to be had now
                self._replace()
                self._wanted = False

    def _sleep(self) -> None:
        """Sleep until a call is made."""
        self._bell.clear()
        self._asleep = True
        if self._call is None:
            self._bell.wait()
        self._asleep = False
