"""One transfer, in both directions: where strategy, sender, reader and report meet.

It begins as its request leaves, knows the response once the head is there, and ends with the last
byte. A stream that isn't HTTP's is a transfer, too: one whose lengths nobody knows.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from mphttp.core import SubflowRecord
from mphttp.errors import StrategyProblem
from mphttp.kernel.errors import KernelError
from mphttp.report import Problem, SubflowReport
from mphttp.strategies import Event, Open, Path, SinglePath, Subflow, Transfer
from mphttp.strategies.commands import RESPONSE, Command

from .account import Account
from .guard import LOST_WITHIN, unbroken
from .progress import Progress, Seen
from .request import Parts
from .resting import Resting
from .stepping import Stepping
from .viewed import Viewed

if TYPE_CHECKING:
    from mphttp.kernel.values import Path as KernelPath

    from .carrier import Carrier
    from .request import Request

_MOST_COMMANDS = 100
"""Commands in a row that were answered at once; more is a strategy that would never wait."""
_AT_ONCE = 64 * 1024
"""Bytes of a request that leave before a strategy could do anything about it."""


class Exchange(Viewed):
    """A request and its response on their way, or a stream of bytes in both directions.

    `begin` is called before the first byte of the request leaves, `wrote` before each part of its
    body does, `complete` after the last, `respond` at the response's head (a stream has none), and
    `finish` in any case. The reading side does two things a chunk: it adds to `received` and
    compares with `threshold`. The lock of the connection is held for moments only, around what
    several threads change: never while the strategy runs (`stepping`), or a call is made.

    Args:
        carrier: what it goes over.
        request: what is asked for.

    Attributes:
        status: the response's status code, 0 until its head is there.
        length: bytes of the response's body; None while that isn't known.
        answered: whether the response's head is there.
        engaged: whether the engine has anything to do with it.
        instead: makes what it comes over once its connection refuses a subflow; it takes the bytes
            that were read.
    """

    def __init__(self, carrier: Carrier, request: Request) -> None:
        self.received = 0
        self.threshold = math.inf
        self.url = request.url
        self.status = 0
        self.length: int | None = None
        self.answered = False
        self.problems: tuple[Problem, ...] = ()
        self.events: list[Event] = []
        self.failure: StrategyProblem | None = None
        self._expected: float | None = None
        self.engaged = False
        self._resting = Resting()
        self._carrier = carrier
        self.instead: Callable[[int], Carrier | None] | None = None
        self._came_over = [carrier]
        self._opening: tuple[Open, KernelPath] | None = None  # what `instead` may do, too
        self._refusal: Exception | None = None  # to be told once it is clear that nothing does
        self._request = request
        self._strategy = SinglePath() if request.multipath == "off" else request.strategy
        request.sent_at = request.sent_at or time.monotonic()
        self._account = Account(request.sent_at)
        self._progress = Progress(request.length, self._account.sent_at)
        self._whole = False
        self._rows: dict[Carrier, list[SubflowReport]] = {}  # where they are final
        self._command: Command | None = None
        self._queued = 0
        self._started = False
        self._told_obstacle = False
        self._stepping = self._new_stepping()
        for what, hint in request.problems:
            self.problem(what, hint)

    def _new_stepping(self) -> Stepping:
        return Stepping(self._strategy, Transfer(None, self), self._carrier, self.problem)

    @property
    def name(self) -> str:
        """The strategy's."""
        return self._strategy.name

    # Whoever sends and reads.

    def begin(self) -> None:
        """Take that the request is about to leave; its strategy is at work if that helps already.

        Raises:
            StrategyProblem: `strict`, and something doesn't work.
        """
        carrier, account = self._carrier, self._account
        with carrier.lock:
            account.before = carrier.enter(self)
            account.gone = carrier.gone()
        if self._progress.length != 0 and self._large:
            self._tell_obstacle()
        if self._begins_early:
            self._progress.counts = self._progress.length != 0
            self._start()
            self.check()

    @property
    def _large(self) -> bool:
        """Whether so much is to be sent that a strategy has something to decide."""
        length = self._progress.length
        return length is None or length > _AT_ONCE

    @property
    def _begins_early(self) -> bool:
        """Whether the strategy begins before the head of the response is there."""
        if not self.wants_subflows or not (self._strategy.early or self._large):
            return False
        return self._carrier.missing() is None and not self._carrier.wants_parts(self._request)

    def begin_stream(self) -> None:
        """Do as `begin`, for a stream without an end that is known.

        Raises:
            StrategyProblem: `strict`, and something doesn't work.
        """
        self._ask()
        self.begin()

    def wrote(self, size: int) -> None:
        """Take that bytes of the request's body are about to leave.

        Raises:
            StrategyProblem: `strict`, and something doesn't work.
        """
        self._progress.written += size
        if self.resting:
            self.stir()
        self.check()

    def complete(self) -> None:
        """Take that all of the request was written."""
        self._progress.complete = True

    def respond(self, status: int, length: int | None, carrier: Carrier | None = None) -> None:
        """Take that the head of the response is there.

        Args:
            status: its status code.
            length: bytes of its body, or None.
            carrier: what the body comes over, where that isn't the request's connection alone.

        Raises:
            StrategyProblem: `strict`, and something doesn't work.
        """
        self.status, self.length, self.answered = status, length, True
        self._carrier.answered()
        if carrier is not None and carrier is not self._carrier:
            self._move(carrier)
        self._tell_obstacle()
        if self._refusal is not None:
            self._open_what_was_refused(self._refusal)
        if self._started:
            self._tell_head()
        else:
            self._start()
        self.check()

    def switch(self, status: int) -> None:
        """Take that the connection is a stream of bytes from here on, of whatever protocol.

        Args:
            status: of the response that says so.

        Raises:
            StrategyProblem: `strict`, and something doesn't work.
        """
        self.status = status
        self._progress = Progress(None, time.monotonic())
        self._progress.counts = True
        self._tell_obstacle()
        self._ask()
        if not self._started:
            self._start()
        self.check()

    def _move(self, carrier: Carrier) -> None:
        """Go on over something else, where the strategy begins anew."""
        before, account = self._carrier, self._account
        with before.lock:
            before.withdraw(self)
        self._stepping.stop()
        with carrier.lock:
            self._carrier, self._started, self._command = carrier, False, None
            self._came_over, self._refusal = [carrier], None
            self._stepping = self._new_stepping()
            account.before = carrier.enter(self)
            account.gone = carrier.gone()

    def _tell_obstacle(self) -> None:
        """Say once what keeps the strategy from opening anything."""
        if not self._told_obstacle and self.wants_subflows:
            self._told_obstacle = True
            if (problem := self.obstacle(self._carrier.missing())) is not None:
                self.problem(*problem)

    def _tell_head(self) -> None:
        """Let a strategy that is at work see the length of the response."""
        stepping = self._stepping
        with self._carrier.lock:
            at = round(time.monotonic() - self.sent_at, 6)
            stepping.unseen.append(Event(at, RESPONSE))
        if stepping.waits_for(RESPONSE):
            self._go_on()

    def _start(self) -> None:
        """Take the first step; the engine hears of it only if there is something to do or await."""
        self._started = True
        with self._carrier.lock:
            self.engaged = not self._stepping.prompt
        self._go_on()

    def _go_on(self) -> None:
        """Take a step, if that is known to be short, or have the engine take it."""
        carrier = self._carrier
        if self._stepping.prompt and not self.engaged:
            self._command = self._step(time.monotonic())
        wanted = self._time_wanted()
        needed = self._command is not None or self.engaged or wanted is not None
        if needed and not carrier.engine.start():
            self._do_without(carrier.engine.failure)
        elif self._command is not None or self.engaged:
            carrier.engine.wake(carrier)
        elif wanted is not None:
            carrier.engine.wake_at(carrier, wanted)

    def _do_without(self, failure: KernelError | None) -> None:
        """End the strategy, since there is no thread for it."""
        self.engaged, self.threshold, self._command = False, math.inf, None
        self._stepping.stop()
        if failure is not None:
            self.problem(str(failure), failure.hint)

    def check(self) -> None:
        """Raise what a strict transfer raises.

        Raises:
            StrategyProblem: `strict`, and something didn't work.
        """
        if self.failure is not None:
            # A new one: what is kept must not keep, with its traceback, all that read the body.
            raise StrategyProblem(self.failure.what, self.failure.hint)

    def crossed(self) -> None:
        """Tell the engine that `received` has reached `threshold`.

        Raises:
            StrategyProblem: `strict`, and something doesn't work.
        """
        self.check()
        self.threshold = math.inf
        self._carrier.engine.wake(self._carrier)

    def finish(self, *, whole: bool) -> None:
        """End the response; what the strategy opened is closed after it, which isn't waited for.

        Args:
            whole: whether the body came to its end.
        """
        carrier, account, stepping = self._carrier, self._account, self._stepping
        if account.ended_at is None:
            self._look_at_the_end()
        with carrier.lock:
            if account.ended_at is not None:
                return
            ended_at = time.monotonic()
            account.ended_at = ended_at
            self._whole = whole or (self.answered and self.received == self.length)
            stepping.end(ended_at)
            account.after = carrier.leave(self, whole=self._whole)
        if not self._started:
            stepping.skip()
        elif stepping.prompt or not self.engaged:
            stepping.stop()
        elif self._request.strict:  # what goes wrong at the very end is an error, too
            stepping.wait(LOST_WITHIN)

    def _look_at_the_end(self) -> None:
        self.bytes_sent()
        if self.engaged:
            self._carrier.renew_paths()  # a path that went at the very end is to be told, too
        self._tell_obstacle()

    # The engine's side.

    def turn(self, now: float) -> float | None:
        """Step the strategy as far as it goes; return when it wants to be woken, or None."""
        stepping = self._stepping
        if self._settles_down(now) or not self._started:
            return None
        self.bytes_sent()
        for _ in range(_MOST_COMMANDS):
            if not stepping.may_step():
                return None
            command, self._command = self._command or self._step(now), None
            if command is None:
                return self._time_wanted()
            carrier = self._carrier
            path = carrier.path_of(command) if isinstance(command, Open) else None
            with carrier.lock:
                if not stepping.may_step():
                    return None
                stepping.pending = self.engaged = True  # until answer or fail
                self._opening = (command, path) if isinstance(command, Open) and path else None
                carrier.command(self, command, now, path)
            self._carrier.make_calls()
            now = time.monotonic()
        if stepping.may_step():
            self._end_restless()
        return None

    def _settles_down(self, now: float) -> bool:
        """Rest, if this is a stream in which nothing moves; tell whether it does."""
        carrier, stepping, resting = self._carrier, self._stepping, self._resting
        needless = not self._started or self._strategy.rests or stepping.over
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
        """Take that something moves again in a stream that has rested."""
        self._resting.rests = False
        self._ask()
        self._carrier.engine.wake(self._carrier)

    def _end_restless(self) -> None:
        self._stepping.stop()
        self.problem(
            f"the strategy {self._strategy.name!r} was ended: it gave {_MOST_COMMANDS} commands "
            "without waiting for anything",
            "the body came without it; `yield Until(…)` before it tries again",
        )

    def _step(self, now: float) -> Command | None:
        stepping = self._stepping
        command = stepping.step(self._seen, self.sent_at, now)
        wanted = stepping.bytes_wanted
        self.threshold = math.inf if wanted is None else wanted - self._progress.counted
        if self.failure is not None:
            self.threshold = -1
        elif command is None and wanted is not None and self._seen().received >= wanted:
            # The reader passed it before it was set, and will not look again by itself.
            self._carrier.engine.wake(self._carrier)
        return command

    def _seen(self) -> Seen:
        progress = self._progress
        length = progress.total(self.length, answered=self.answered)
        done = self.received + progress.counted
        return Seen(done, length, self.answered, progress.acknowledged, progress.complete)

    def _time_wanted(self) -> float | None:
        stepping, sending = self._stepping, self._progress.sending
        self.engaged = self.engaged or stepping.wants_events or (self._started and sending)
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
        if self._opening and self._request.parts is Parts.IF_REFUSED and self._request.not_in_parts:
            hint += f"; nor can it be fetched in parts: {self._request.not_in_parts}"
        self.problem(str(error), hint)
        if self._opening and self._may_have_parts_later:
            self._refusal = error
        elif not self._opens_instead():
            self._stepping.fail(error)

    @property
    def _may_have_parts_later(self) -> bool:
        """Whether the head is still to tell if the response can be fetched in parts."""
        asked = self._request
        return not self.answered and asked.multipath == "auto" and self._progress.length == 0

    def _open_what_was_refused(self, refusal: Exception) -> None:
        """Do as `fail` for what was refused before the head was there."""
        with self._carrier.lock:
            self._refusal = None
            if not self._opens_instead():
                self._stepping.fail(refusal)
            self._carrier.engine.wake(self._carrier)

    def _opens_instead(self) -> bool:
        """Let what was refused be opened by what can do it otherwise; tell whether it tries."""
        opening, self._opening = self._opening, None
        if opening is None or self._account.ended_at is not None:
            return False
        if any(record.path == opening[1].name for record in self._carrier.alive()):
            return False  # it is of use already, and shall not be more than that
        if self.instead is not None and (other := self.instead(self.received)) is not None:
            self._carrier, self.instead = other, None
            self._came_over.append(other)
        return self._carrier.open_otherwise(self, *opening, time.monotonic())

    def note(self, kind: str, record: SubflowRecord | None = None, detail: str = "") -> None:
        """Write down an event, for the strategy and the report."""
        at = round(time.monotonic() - self.sent_at, 6)
        subflow, path = (record.id, record.path) if record else (None, None)
        event = Event(at, kind, subflow, path, detail)
        with self._carrier.lock:
            self._stepping.unseen.append(event)
            self.events.append(event)

    def explain(self, kind: str, record: SubflowRecord, detail: str) -> None:
        """Write down more of an event that was noted before it was known why it happened."""
        for n in reversed(range(len(self.events))):
            event = self.events[n]
            if (event.kind, event.subflow, event.detail) == (kind, record.id, ""):
                self.events[n] = replace(event, detail=detail)
                return

    def problem(self, what: str, hint: str = "") -> None:
        """Write down what didn't work, the first time that it didn't."""
        with self._carrier.lock:
            if any(problem.what == what for problem in self.problems):
                return
            at = round(time.monotonic() - self.sent_at, 6)
            self.problems += (Problem(at, what, hint),)
            if self._request.strict and self.failure is None:
                self.failure = StrategyProblem(what, hint)
                self.threshold = -1  # the reading side looks at its next chunk

    def give_up(self, what: str) -> None:
        """Stop the strategy after a fault of ours; the bytes go on."""
        self._command = None
        self._stepping.stop()
        self.problem(what, "please report it with this text")

    def stop(self) -> None:
        """End the strategy, for good."""
        self._stepping.stop()

    def settle(self, carrier: Carrier) -> None:
        """Fix what the report says of a carrier's subflows: nothing changes any more."""
        if self.engaged:
            self._rows.setdefault(carrier, carrier.rows(self._account))

    def comes_over(self, carrier: Carrier) -> bool:
        """Tell whether a carrier is all that it comes over."""
        return self._carrier is carrier

    @property
    def busy(self) -> bool:
        """Whether something that was asked for is under way: an open, or a subflow that drains."""
        return self._stepping.pending or self._carrier.busy

    @property
    def settled(self) -> bool:
        """Whether what the report says is final, as far as the response has ended."""
        final = all(carrier in self._rows for carrier in self._came_over)
        return self._account.ended_at is None or not self.engaged or final

    @property
    def wants_subflows(self) -> bool:
        """Whether the strategy may open any, so that it matters if it can't."""
        return not isinstance(self._strategy, SinglePath)

    def obstacle(self, missing: tuple[str, str] | None) -> tuple[str, str] | None:
        """Say what keeps the strategy from opening anything, and what mends it, or None.

        Args:
            missing: the same of the connection's subflows.
        """
        why = self._request.not_in_parts
        if not why or self._request.parts is not Parts.AT_ONCE:
            return missing
        if self._request.multipath == "ranges" or missing is None:
            return f"one path carries it all: {why}", ""
        return missing[0], f"{missing[1]}; nor can it be fetched in parts: {why}"

    @property
    def keeps(self) -> bool:
        """Whether what the strategy opened stays for the connection's next response."""
        return self._strategy.keep

    def ways_on(self, names: Iterable[str]) -> tuple[str, ...]:
        """Name the paths on which to go on where no subflow is left, in the order of trying."""
        paths = tuple(Path(name) for name in names)
        chosen = None
        try:
            chosen = self._stepping.guarded(lambda: tuple(self._strategy.resume_on(paths)))
        except Exception as error:  # a strategy can only help
            what = f"the strategy {self._strategy.name!r} failed: {error!r}"
            self.problem(what, "the body goes on without it; see its code")
        return tuple(path.name for path in (paths if chosen is None else chosen))

    @unbroken
    def expect(self, seconds: float | None) -> None:
        """Take when the body is expected, if later than its deadline."""
        self._expected = None if seconds is None else round(seconds, 3)
        late, detail = "deadline_unreachable", f"the body is expected after {seconds or 0.0:.1f} s"
        self.note(
            "deadline_reachable" if seconds is None else late, detail=detail if seconds else ""
        )
