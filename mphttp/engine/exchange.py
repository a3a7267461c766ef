"""One request and its response: where the strategy, the reading side and the report meet."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mphttp.errors import StrategyProblem
from mphttp.kernel.errors import KernelError
from mphttp.kernel.values import ConnectionInfo
from mphttp.report import DeadlineReport, Problem, SubflowReport
from mphttp.strategies import Command, Event, Path, Remote, Run, SinglePath, Subflow, Transfer

from .ledger import Entry, Ledger

if TYPE_CHECKING:
    from .carrier import Carrier, Taken
    from .request import Request

SETTLE_TIME = 2.0
"""Seconds that reading a report waits for the engine to close what the strategy opened."""
_CRASHED = "the body came without it; see its code"
_MOST_COMMANDS = 100
"""Commands in a row that were answered at once; more is a strategy that would never wait."""


class Exchange:
    """A response on its way.

    The reading side does two things a chunk: it adds to `received` and compares with `threshold`.
    All else happens under the connection's lock, on the engine's thread but for the first step.

    Args:
        carrier: what it comes over.
        request: what was asked for.
        status: the response's status code.
        length: bytes of the body, or None.
    """

    def __init__(
        self,
        carrier: Carrier,
        request: Request,
        *,
        status: int,
        length: int | None,
    ) -> None:
        self.received = 0
        self.threshold = math.inf
        self.url = request.url
        self.status = status
        self.length = length
        self.problems: tuple[Problem, ...] = ()
        self.events: list[Event] = []
        self.failure: StrategyProblem | None = None
        self.sent_at = request.sent_at
        self._carrier = carrier
        self._strategy = request.strategy
        self._strict = request.strict
        self._ended_at: float | None = None
        self._whole = False
        self._now = self.sent_at
        self._base: Taken | None = None
        self._gone: frozenset[int] = frozenset()
        self._end: Taken | None = None
        self.engaged = False
        self._rows: tuple[SubflowReport, ...] | None = None
        self._tell_settled: Callable[[], object] | None = None
        self._unseen: list[Event] = []
        self._command: Command | None = None
        self._pending = False
        self._view = Transfer(length, self)
        self._off = request.multipath == "off"
        self._not_in_parts = request.not_in_parts
        self._only_parts = request.multipath == "ranges"
        self._run = Run(SinglePath() if self._off else request.strategy, self._view)
        for what, hint in request.problems:
            self.problem(what, hint)

    # The reading side.

    def begin(self) -> None:
        """Take the first step; the engine hears of it only if there is something to do or await.

        Raises:
            StrategyProblem: `strict`, and something doesn't work.
        """
        carrier = self._carrier
        now = time.monotonic()
        with carrier.lock:
            self._base = carrier.enter(self)
            self._gone = carrier.gone
            self._command = self._decide(now)
            wanted = self._time_wanted()
        if (self._command or self.engaged or wanted is not None) and not carrier.engine.start():
            self._do_without(carrier.engine.failure)
        elif self._command is not None or self.engaged:
            carrier.engine.wake(carrier)
        elif wanted is not None:
            carrier.engine.wake_at(carrier, wanted)
        self.check()

    def _do_without(self, failure: KernelError | None) -> None:
        """End the strategy, since there is no thread for it."""
        self._run.stop()
        self._command, self.engaged, self.threshold = None, False, math.inf
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
        """End the response; what the strategy opened is closed after it.

        Args:
            whole: whether the body came to its end.
        """
        with self._carrier.lock:
            if self._ended_at is not None:
                return
            self._ended_at = time.monotonic()
            self._whole = whole or self.received == self.length
            self._run.stop()
            self._note_crash()
            self._end = self._carrier.leave(self, whole=self._whole)

    # The engine's side, under the connection's lock.

    def turn(self, now: float) -> float | None:
        """Step the strategy as far as it goes; return when it wants to be woken, or None."""
        if self._pending:
            return None
        command, self._command = self._command or self._decide(now), None
        for _ in range(_MOST_COMMANDS):
            if command is None:
                return self._time_wanted()
            self._pending = True  # until answer or fail
            self.engaged = True
            self._carrier.carry_out(self, command, now)
            if self._pending:
                return None
            command = self._decide(now)
        self._run.stop()
        self.problem(
            f"the strategy {self._strategy.name!r} was ended: it gave {_MOST_COMMANDS} commands "
            "without waiting for anything",
            "the body came without it; `yield Until(…)` before it tries again",
        )
        return None

    def answer(self, value: Any = None) -> None:
        """Tell the strategy what came of its command."""
        self._pending = False
        self._run.answer(value)

    def fail(self, error: Exception, hint: str = "") -> None:
        """Tell the strategy that its command failed, and the report too."""
        self._pending = False
        self._run.fail(error)
        self.problem(str(error), hint)

    def note(self, kind: str, entry: Entry | None = None, detail: str = "") -> None:
        """Write down an event, for the strategy and the report."""
        at = round(time.monotonic() - self.sent_at, 6)
        subflow, path = (entry.id, entry.path) if entry else (None, None)
        event = Event(at, kind, subflow, path, detail)
        self._unseen.append(event)
        self.events.append(event)

    def explain(self, kind: str, entry: Entry, detail: str) -> None:
        """Write down more of an event that was noted before it was known why it happened."""
        for n in reversed(range(len(self.events))):
            event = self.events[n]
            if (event.kind, event.subflow, event.detail) == (kind, entry.id, ""):
                self.events[n] = replace(event, detail=detail)
                return

    def problem(self, what: str, hint: str = "") -> None:
        """Write down what didn't work, the first time that it didn't."""
        if any(problem.what == what for problem in self.problems):
            return
        at = round(time.monotonic() - self.sent_at, 6)
        self.problems += (Problem(at, what, hint),)
        if self._strict and self.failure is None:
            self.failure = StrategyProblem(what, hint)
            self.threshold = -1  # the reading side looks at its next chunk

    def give_up(self, what: str) -> None:
        """Stop the strategy after a fault of ours; the bytes go on."""
        self._run.stop()
        self._pending, self._command = False, None
        self.problem(what, "please report it with this text")

    def stayed(self, alive: frozenset[int]) -> None:
        """Take what lives on now that the responses before have ended: the report is to tell it."""
        self._gone -= alive

    def settle(self, ledger: Ledger) -> None:
        """Fix what the report says of subflows: nothing changes any more."""
        if self.engaged:
            self._rows = self._rows_of(ledger)
            if self._tell_settled is not None:
                self._tell_settled()

    @property
    def busy(self) -> bool:
        """Whether something that was asked for is under way: an open, or a subflow that drains."""
        return self._pending or self._carrier.busy

    @property
    def settled(self) -> bool:
        """Whether what the report says is final, as far as the response has ended."""
        return self._ended_at is None or not self.engaged or self._rows is not None

    def wait_settled(self) -> None:
        """Wait until the engine has closed what the strategy opened, which takes no round trip."""
        with self._carrier.lock:
            self._carrier.settled.wait_for(lambda: self.settled, SETTLE_TIME)

    def tell_settled(self, tell: Callable[[], object] | None) -> bool:
        """Have it told when that is so, on the engine's thread; return whether it isn't yet.

        Args:
            tell: called at most once; None for nobody.
        """
        with self._carrier.lock:
            self._tell_settled = None if self.settled else tell
            return self._tell_settled is not None

    @property
    def wants_subflows(self) -> bool:
        """Whether the strategy may open any, so that it matters if it can't."""
        return not (self._off or isinstance(self._strategy, SinglePath))

    def obstacle(self, missing: tuple[str, str] | None) -> tuple[str, str] | None:
        """Say what keeps the strategy from opening anything, and what mends it, or None.

        Args:
            missing: the same of the connection's subflows.
        """
        why = self._not_in_parts
        if not why:
            return missing
        if self._only_parts or missing is None:
            return f"one path carries it all: {why}", ""
        return missing[0], f"{missing[1]}; nor can it be fetched in parts: {why}"

    @property
    def keeps(self) -> bool:
        """Whether what the strategy opened stays for the connection's next response."""
        return self._strategy.keep

    def ways_on(self, names: Iterable[str]) -> tuple[str, ...]:
        """Name the paths on which to go on where no subflow is left, in the order of trying."""
        paths = tuple(Path(name) for name in names)
        try:
            paths = tuple(self._strategy.resume_on(paths))
        except Exception as error:  # a strategy can only help
            self.problem(f"the strategy {self._strategy.name!r} failed: {error!r}", _CRASHED)
        return tuple(path.name for path in paths)

    def subflow(self, entry: Entry) -> Subflow:
        """Show a subflow to the strategy."""
        return Subflow(
            id=entry.id,
            path=Path(entry.path),
            age=self._now - (entry.opened_at if entry.opened_at is not None else self._now),
            backup=entry.backup,
            bytes_received=self._carried(entry),
            rtt=entry.info.rtt,
            state=entry.info.state.name.lower(),
            initial=entry.initial,
            idle=entry.info.last_data_received,
            remote=Remote(*entry.tuple.remote),
        )

    def _decide(self, now: float) -> Command | None:
        while True:
            events, self._unseen = tuple(self._unseen), []
            self._now = now
            elapsed = now - self.sent_at
            self._view.update(received=self.received, elapsed=elapsed, events=events)
            command = self._run.advance()
            self._note_crash()
            waiting = self._run.waiting
            received = waiting.received if waiting else None
            self.threshold = math.inf if received is None else received
            if self.failure is not None:
                self.threshold = -1
            # The reader may have passed it before it was set, and will not look again by itself.
            if command is not None or received is None or self.received < received:
                return command

    def _time_wanted(self) -> float | None:
        waiting = self._run.waiting
        if waiting is None:
            return None
        self.engaged = self.engaged or bool(waiting.events)
        return None if waiting.elapsed is None else self.sent_at + waiting.elapsed

    def _note_crash(self) -> None:
        if self._run.crash is not None:
            crash, self._run.crash = self._run.crash, None
            self.problem(
                f"the strategy {self._strategy.name!r} ended with {type(crash).__name__}: {crash}",
                _CRASHED,
            )

    # What a view asks for (strategies.Source).

    def paths(self) -> tuple[Path, ...]:
        """Return the paths, preferred first; a strategy that asks wants more than one.

        Unless its caller allows one alone: then there is nothing to mend.
        """
        paths = tuple(Path(path.name) for path in self._carrier.paths())
        allowed = self._carrier.path_names
        if not paths or (len(paths) < 2 and (allowed is None or len(set(allowed)) > 1)):
            what = f"only {paths[0].name} reaches the server" if paths else "no path is left"
            self.problem(what, "`mphttp doctor URL` tells what other interfaces lack")
        return paths

    def subflows(self) -> tuple[Subflow, ...]:
        """Return the live subflows, oldest first."""
        self._carrier.look(self._now)
        return tuple(self.subflow(entry) for entry in self._carrier.ledger.alive())

    def remotes(self) -> tuple[Remote, ...]:
        """Return the peer's addresses, the connection's own first."""
        return tuple(Remote(*remote) for remote in self._carrier.remotes())

    def delivered(self) -> int:
        """Return the bytes of the body that the network has delivered."""
        total = self._carrier.bytes_received()
        if total is None or self._base is None:
            return self.received
        came = total - self._base.bytes_received
        return came if self.length is None else min(came, self.length)

    def unread(self) -> int | None:
        """Return the bytes that the application could read at once, where the carrier knows."""
        return self._carrier.unread()

    @cached_property
    def _before(self) -> ConnectionInfo:
        """The connection before the first byte of this response."""
        return self._base.decode() if self._base else _NOTHING

    @property
    def _after(self) -> ConnectionInfo:
        """The connection after the last byte of this response; what came later is another's."""
        return self._end.decode() if self._end else _NOTHING

    def _carried(self, entry: Entry) -> int:
        """Return what a subflow has received for this response."""
        last = entry.info.bytes_received
        after = _bytes_of(entry, self._after, default=last)
        if entry.closed_at is not None and entry.closed_at <= (self._ended_at or entry.closed_at):
            after = max(after, last)  # of one that was reset, the kernel forgets what came
        return max(0, after - _bytes_of(entry, self._before, default=0))

    # What a report asks for (report.Exchange).

    @property
    def seconds(self) -> float:
        """Seconds from the request to the end of the response, or to now."""
        return (self._ended_at or time.monotonic()) - self.sent_at

    @property
    def protocol(self) -> str:
        """The protocol of the connection."""
        return self._carrier.protocol

    @property
    def mechanism(self) -> str:
        """What carried out the calls."""
        return self._carrier.mechanism_name

    @property
    def strategy(self) -> dict[str, Any]:
        """Name and parameters of the strategy."""
        return {"name": self._strategy.name, **self._strategy.parameters()}

    @property
    def deadline(self) -> DeadlineReport | None:
        """The deadline and whether it was met."""
        seconds = self._strategy.deadline
        if seconds is None:
            return None
        if self._ended_at is None:
            return DeadlineReport(seconds, met=None)
        return DeadlineReport(seconds, met=self._whole and self.seconds <= seconds)

    @property
    def path_names(self) -> tuple[str, ...]:
        """Names of the paths, preferred first."""
        return tuple(path.name for path in self._carrier.paths())

    @property
    def subflow_reports(self) -> tuple[SubflowReport, ...]:
        """Every subflow that was alive during the response."""
        with self._carrier.lock:
            self.wait_settled()
            if self._rows is not None:
                return self._rows
            if self._ended_at is None or self.engaged:
                self._carrier.look(time.monotonic())
                return self._rows_of(self._carrier.ledger)
            self._rows = self._rows_of(self._ledger_of_captures())
            return self._rows

    def _ledger_of_captures(self) -> Ledger:
        """Make a book of a response that the engine had nothing to do with."""
        ledger = self._carrier.new_ledger()
        for taken, at in ((self._base, self.sent_at), (self._end, self._ended_at)):
            if taken is not None and at is not None:
                ledger.observe(taken.decode(), at)
        return ledger

    def _rows_of(self, ledger: Ledger) -> tuple[SubflowReport, ...]:
        # What was to end with the response before may still have been there for a moment.
        gone = self._gone.difference(entry.id for entry in ledger.alive())
        entries = [entry for entry in ledger.since(self.sent_at) if entry.id not in gone]
        rows = [self._row(entry) for entry in entries]
        if self._base is not None and self._end is not None:
            came = self._end.bytes_received - self._base.bytes_received
            missing = came - sum(row.bytes_received for row in rows)
            ended = [n for n, entry in enumerate(entries) if entry.closed_at is not None]
            if missing > 0 and ended:
                # Since the last look it came over the one that has ended, and that forgot it.
                last = rows[ended[-1]]
                rows[ended[-1]] = replace(last, bytes_received=last.bytes_received + missing)
        return tuple(rows)

    def _row(self, entry: Entry) -> SubflowReport:
        def since_request(at: float | None) -> float:
            return round(max(0.0, (at or 0.0) - self.sent_at), 6)

        return SubflowReport(
            id=None if self.mechanism == "none" else entry.id,
            path=entry.path,
            local=entry.tuple.local,
            remote=entry.tuple.remote,
            opened_at=since_request(entry.opened_at),
            closed_at=None if entry.closed_at is None else since_request(entry.closed_at),
            bytes_received=self._carried(entry),
            initial=entry.initial,
            backup=entry.backup,
        )


_NOTHING = ConnectionInfo(0, 0, True, ())


def _bytes_of(entry: Entry, info: ConnectionInfo, *, default: int) -> int:
    """Return what a subflow had received at some moment; the default where it wasn't there."""
    return next((row.bytes_received for row in info.subflows if row.id == entry.id), default)
