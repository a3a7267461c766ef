"""One transfer, as the engine drives it: its strategy's steps, and what came of its commands."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from mphttp.core import SubflowRecord
from mphttp.report import Problem
from mphttp.strategies import Event, Open, Path, PathRests, SinglePath, Subflow
from mphttp.strategies.commands import Command

from .otherwise import Otherwise
from .progress import Seen
from .resting import Resting
from .viewed import Viewed

if TYPE_CHECKING:
    from .carrier import Carrier

_MOST_COMMANDS = 100
"""Commands in a row that were answered at once; more is a strategy that would never wait."""


class Driven(Viewed):
    """A transfer, as far as the engine drives it.

    Attributes:
        threshold: bytes at which whoever reads calls `crossed`.
    """

    threshold: float
    _otherwise: Otherwise
    _resting: Resting
    _started: bool

    @property
    def name(self) -> str:
        """The strategy's."""
        return self._stepping.strategy.name

    def turn(self, now: float) -> float | None:
        """Step the strategy as far as it goes; return when it wants to be woken, or None."""
        stepping = self._stepping
        if self._settles_down(now) or not self._started:
            return None
        self.bytes_sent()
        for _ in range(_MOST_COMMANDS):
            if not stepping.may_step():
                return None
            command, stepping.command = stepping.command or self._step(now), None
            if command is None:
                return self._time_wanted()
            carrier = self._carrier
            path = carrier.path_of(command) if isinstance(command, Open) else None
            with carrier.lock:
                if not stepping.may_step():
                    return None
                stepping.pending = self.engaged = True  # until answer or fail
                self._otherwise.ask(command, path)
                carrier.command(self, command, now, path)
            self._carrier.make_calls()
            now = time.monotonic()
        if stepping.may_step():
            self._end_restless()
        return None

    def _settles_down(self, now: float) -> bool:
        """Rest, if this is a stream in which nothing moves; return whether it does."""
        carrier, stepping, resting = self._carrier, self._stepping, self._resting
        needless = not self._started or self._stepping.strategy.rests or stepping.over
        if carrier.asks_after is None or not needless:
            return False
        moved = self._moved
        unseen = bool(stepping.unseen)
        if resting.look(moved, now, disturbed=unseen, well=self._all_is_well):
            self._ask()
            if moved != self._moved:  # whoever moved that didn't see that it rests
                self.stir()
        return resting.rests

    @property
    def _moved(self) -> int:
        return self.received + self._progress.written

    def _all_is_well(self) -> bool:
        return not (self.unacknowledged() or self.asked_for() or self._carrier.busy)

    def _ask(self) -> None:
        """Have the peer asked, while it is idle, whether it is there."""
        self._carrier.ask_after(self._resting.ask_after(watched=self.wants_subflows))

    @property
    def resting(self) -> bool:
        """Whether it is a stream that has been idle for long; who moves bytes is to `stir` it."""
        return self._resting.rests

    def stir(self) -> None:
        """Record that something moves again in a stream that has rested."""
        self._resting.rests = False
        self._ask()
        self._carrier.engine.wake(self._carrier)

    def _end_restless(self) -> None:
        self._stepping.stop()
        self.problem(
            f"the strategy {self.name!r} was ended: it gave {_MOST_COMMANDS} commands "
            "without waiting for anything",
            "the body came without it; `yield Until(…)` before it tries again",
        )

    def _step(self, now: float) -> Command | None:
        stepping = self._stepping
        command = stepping.step(self._seen, self.sent_at, now)
        wanted = stepping.bytes_wanted
        self.threshold = math.inf if wanted is None else wanted - self._progress.counted
        if self.journal.failure is not None:
            self.threshold = -1
        elif command is None and wanted is not None and self._seen().received >= wanted:
            # The reader passed it before it was set, and will not look again by itself.
            self._carrier.engine.wake(self._carrier)
        return command

    def _seen(self) -> Seen:
        progress = self._progress
        length = progress.total(self.length)
        done = self.received + progress.counted
        return Seen(done, length, progress.answered, progress.acknowledged, progress.complete)

    def _time_wanted(self) -> float | None:
        stepping, sending = self._stepping, self._progress.sending
        if stepping.wants_events or (self._started and sending):
            self.engaged = True
        wanted = stepping.time_wanted
        when = None if wanted is None else self.sent_at + wanted
        if sending and stepping.bytes_wanted is not None:
            left, now = stepping.bytes_wanted - self.received, time.monotonic()
            soon = self._progress.next_look(left, self.sent_at, now)
            when = soon if when is None else min(when, soon)
        return when

    def answer(self, value: Subflow | None = None) -> None:
        """Tell the strategy what came of its command."""
        self._stepping.answer(value)

    def fail(self, error: Exception, hint: str = "") -> None:
        """Tell the report that a command failed, and the strategy, unless it is done otherwise."""
        if isinstance(error, PathRests):
            self.problem(str(error), hint)
            self._stepping.fail(error)
            return
        self.problem(str(error), self._otherwise.hint(hint))
        bodiless = self._progress.length == 0
        if self._otherwise.keep(error, answered=self._progress.answered, bodiless=bodiless):
            return
        if not self._opens_otherwise():
            self._stepping.fail(error)

    def _open_what_was_refused(self) -> None:
        """Do as `fail` for what was refused before the head was there."""
        with self._carrier.lock:
            refusal = self._otherwise.take_refusal()
            if refusal is not None:
                if not self._opens_otherwise():
                    self._stepping.fail(refusal)
                self._carrier.engine.wake(self._carrier)

    def _opens_otherwise(self) -> bool:
        """Open in another way what was refused; return whether that is tried. Under the lock."""
        opening = self._otherwise.take_opening(self._carrier.alive)
        if opening is None or self._account.ended_at is not None:
            return False
        other = self._otherwise.go_over(self.received)
        if other is not None:
            self._carrier = other
            self._rows[other] = None
        return self._carrier.open_otherwise(self, *opening, time.monotonic())

    def note(self, kind: str, record: SubflowRecord | None = None, detail: str = "") -> None:
        """Write down an event, for the strategy and the report."""
        at = round(time.monotonic() - self.sent_at, 6)
        subflow, path = (record.id, record.path) if record else (None, None)
        event = Event(at, kind, subflow, path, detail)
        with self._carrier.lock:
            self._stepping.unseen.append(event)
            self.journal.events.append(event)

    def problem(self, what: str, hint: str = "") -> None:
        """Write down what didn't work, the first time that it didn't."""
        with self._carrier.lock:
            at = round(time.monotonic() - self.sent_at, 6)
            if self.journal.problem(Problem(at, what, hint)):
                self.threshold = -1  # the reading side looks at its next chunk

    def give_up(self, what: str) -> None:
        """Stop the strategy after a fault of ours; the bytes go on."""
        self._stepping.command = None
        self._stepping.stop()
        self.problem(what, "please report it with this text")

    def stop(self) -> None:
        """End the strategy, for good."""
        self._stepping.stop()

    def settle(self, carrier: Carrier) -> None:
        """Fix what the report says of a carrier's subflows: nothing changes any more."""
        if self.engaged and carrier in self._rows and self._rows[carrier] is None:
            self._rows[carrier] = carrier.rows(self._account)

    def comes_over(self, carrier: Carrier) -> bool:
        """Return whether a carrier is all that it comes over."""
        return self._carrier is carrier

    @property
    def wants_subflows(self) -> bool:
        """Whether the strategy may open any, so that it matters if it can't."""
        return not isinstance(self._stepping.strategy, SinglePath)

    @property
    def keeps(self) -> bool:
        """Whether what the strategy opened stays for the connection's next response."""
        return self._stepping.strategy.keep

    def ways_on(self, names: Iterable[str]) -> tuple[str, ...]:
        """Name the paths on which to go on where no subflow is left, in the order of trying."""
        paths = tuple(Path(name) for name in names)
        chosen = None
        try:
            chosen = self._stepping.guarded(lambda: tuple(self._stepping.strategy.resume_on(paths)))
        except Exception as error:  # a strategy can only help
            what = f"the strategy {self.name!r} failed: {error!r}"
            self.problem(what, "the body goes on without it; see its code")
        return tuple(path.name for path in (paths if chosen is None else chosen))
