"""One strategy on one response: stepped by one thread at a time, with no lock held meanwhile.

That thread is the engine's, but for the first step of a strategy that is known to return at once.
Any other may be one that never comes back: it is given up (`guard`), and its response goes on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from mphttp.strategies import Command, Event, Run, SinglePath, Strategy, Transfer, returns_at_once
from mphttp.strategies.commands import RESPONSE

from .guard import PATIENCE, TooManyAbandoned
from .progress import Seen

T = TypeVar("T")

_CRASHED = "the body came without it; see its code"
_STUCK = "the body came without it; a strategy only decides: it never waits, computes or loops long"
_WORTH_A_WORD = 0.1
"""Seconds in one step at a response's end after which the report says so."""


class Engine(Protocol):
    """Whose thread takes the steps."""

    def guarded(self, function: Callable[[], T], give_up: Callable[[], None]) -> T:
        """Call what may never come back."""


class Owner(Protocol):
    """What the response comes over; its lock is another one in a child process."""

    @property
    def lock(self) -> threading.RLock:
        """Held for moments only."""

    @property
    def engine(self) -> Engine:
        """Whose thread takes the steps."""


class Stepping:
    """The steps of one strategy.

    Args:
        strategy: the one.
        view: what it sees.
        owner: has the lock, and the engine.
        problem: writes down what doesn't work, and what mends it.

    Attributes:
        pending: whether it awaits what comes of a command; under the lock.
        unseen: events since its last step; under the lock.
        prompt: whether it is known to return at once.
        strategy: the one.
        command: what it gave, until the engine takes it.
        now: when the current step, or the last one, began, in seconds of the engine's clock.
    """

    def __init__(
        self,
        strategy: Strategy,
        view: Transfer,
        owner: Owner,
        problem: Callable[[str, str], None],
    ) -> None:
        self.pending = False
        self.unseen: list[Event] = []
        self.prompt = returns_at_once(strategy)
        self.command: Command | None = None
        self._done = False  # it has ended, or is given up
        self._waited_for: threading.Event | None = None
        self.now = 0.0
        self.strategy = strategy
        self._view = view
        self._owner = owner
        self._problem = problem
        self._run: Run | None = None
        self._since: float | None = None  # a step is under way
        self._ended = False
        self._told = False  # that it hasn't come back

    @property
    def over(self) -> bool:
        """Whether the strategy has nothing more to decide."""
        return self._ended or (self._run is not None and self._run.done)

    def may_step(self) -> bool:
        """Return whether it awaits no outcome, isn't being stepped, and hasn't ended."""
        return not self.pending and not self._ended and self._since is None

    def step(self, look: Callable[[], Seen], sent_at: float, now: float) -> Command | None:
        """Step until it gives a command, or waits for what hasn't come.

        Args:
            look: tells how far the transfer has come.
            sent_at: when the request was sent, in seconds of the engine's clock.
            now: the time on that clock.

        Returns:
            The command, or None; `wanted` tells what it waits for then.
        """
        with self._owner.lock:
            if not self.may_step():
                return None
            self._since = time.monotonic()
        try:
            while True:
                with self._owner.lock:
                    events, self.unseen = tuple(self.unseen), []
                    self.now, seen = now, look()
                self._view.tell(
                    length=seen.length,
                    answered=seen.answered,
                    sent=seen.sent,
                    complete=seen.complete,
                )
                self._view.update(received=seen.received, elapsed=now - sent_at, events=events)
                command = self.guarded(self._advance)
                self._note_crash()
                wanted = self.bytes_wanted
                # The reader may have passed it already, and will not look again by itself.
                if command is not None or wanted is None or look().received < wanted:
                    return command
        finally:
            with self._owner.lock:
                self._since, ended = None, self._ended
            if ended:
                self.stop()

    def _advance(self) -> Command | None:
        if self._run is None:
            self._run = Run(self.strategy, self._view)
        return self._run.advance()

    @property
    def bytes_wanted(self) -> float | None:
        """Bytes of the body for which it waits, or None."""
        waiting = self._run.waiting if self._run is not None else None
        return None if waiting is None else waiting.received

    @property
    def time_wanted(self) -> float | None:
        """Seconds after the request for which it waits, or None."""
        waiting = self._run.waiting if self._run is not None else None
        return None if waiting is None else waiting.elapsed

    @property
    def wants_events(self) -> bool:
        """Whether it waits for an event that the kernel or the engine tells of."""
        waiting = self._run.waiting if self._run is not None else None
        return waiting is not None and any(kind != RESPONSE for kind in waiting.events)

    def waits_for(self, kind: str) -> bool:
        """Return whether it waits for an event of a kind, or may do so before long."""
        with self._owner.lock:
            if self._since is not None or self.pending:
                return True
            waiting = self._run.waiting if self._run is not None else None
            return waiting is not None and kind in waiting.events

    def answer(self, value: object = None) -> None:
        """Tell it what came of its command; under the lock."""
        self.pending = False
        if self._run is not None:
            self._run.answer(value)

    def fail(self, error: Exception) -> None:
        """Tell it that its command failed; under the lock."""
        self.pending = False
        if self._run is not None:
            self._run.fail(error)

    def end(self, now: float) -> None:
        """Record that the response has ended: no step follows. Under the lock; `stop` is to follow.

        Args:
            now: the time on the engine's clock, in seconds.
        """
        self._ended = True
        if self._since is not None and now - self._since >= _WORTH_A_WORD:
            self._say_stuck(now - self._since)

    def stop(self) -> None:
        """End it, unless it is in the middle of a step: then its thread does."""
        with self._owner.lock:
            self._ended, self.pending = True, False
            run = self._run
            if self._since is not None:
                return
        if run is None and not self.prompt:  # a response that was over before its first step
            self.guarded(self._advance)
            run = self._run
        if run is not None and not run.done:
            self.guarded(run.stop)
        self._note_crash()
        self._tell_done()

    def skip(self) -> None:
        """Record that it never begins."""
        self._tell_done()

    def _tell_done(self) -> None:
        with self._owner.lock:
            self._done = True
            if self._waited_for is not None:
                self._waited_for.set()

    def wait(self, timeout: float) -> bool:
        """Wait until it has ended, or is given up; return whether that is so.

        Args:
            timeout: seconds, at most.
        """
        with self._owner.lock:
            if self._done or timeout <= 0:
                return self._done
            # Made here, since it costs much of what a short response does.
            waited_for = self._waited_for = self._waited_for or threading.Event()
        return waited_for.wait(timeout)

    def guarded(self, function: Callable[[], T]) -> T | None:
        """Call the strategy's code; None if it isn't called, since that of others is stuck."""
        if self.prompt:
            return function()
        try:
            return self._owner.engine.guarded(function, self._lost)
        except TooManyAbandoned as error:
            what = f"the strategy {self.strategy.name!r} wasn't run: of others, {error}"
            self._problem(what, _STUCK)
            return None

    def _lost(self) -> None:
        """Record that it hasn't come back, and is given up; on the watchdog's thread."""
        with self._owner.lock:
            self._run = Run(SinglePath(), self._view)
            self._ended, self.pending, self._since = True, False, None
            self._say_stuck(PATIENCE)
        self._tell_done()

    def _say_stuck(self, seconds: float) -> None:
        if not self._told:
            self._told = True
            what = f"the strategy {self.strategy.name!r} has not come back from a step"
            self._problem(f"{what} for {seconds:.1f} s", _STUCK)

    def _note_crash(self) -> None:
        run = self._run
        if run is not None and run.crash is not None:
            crash, run.crash = run.crash, None
            who = f"the strategy {self.strategy.name!r}"
            self._problem(f"{who} ended with {type(crash).__name__}: {crash}", _CRASHED)
