"""One request and its response: where the strategy, the reading side and the report meet."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mphttp.core import SubflowRecord, SubflowTable
from mphttp.errors import StrategyProblem
from mphttp.kernel.errors import KernelError
from mphttp.report import DeadlineReport, Problem, SubflowReport
from mphttp.strategies import Event, Open, Path, Remote, SinglePath, Subflow, Transfer
from mphttp.strategies.commands import Command

from .account import Account
from .guard import LOST_WITHIN
from .paths import why_alone
from .stepping import Stepping

if TYPE_CHECKING:
    from .carrier import Carrier
    from .request import Request

_MOST_COMMANDS = 100
"""Commands in a row that were answered at once; more is a strategy that would never wait."""


class Exchange:
    """A response on its way.

    The reading side does two things a chunk: it adds to `received` and compares with `threshold`.
    The lock of the connection is held for moments only, around what several threads change: never
    while the strategy runs (`stepping`), or a call is made.

    Args:
        carrier: what it comes over.
        request: what was asked for.
        status: the response's status code.
        length: bytes of the body, or None.

    Attributes:
        engaged: whether the engine has anything to do with it.
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
        self.engaged = False
        self._carrier = carrier
        self._request = request
        self._strategy = SinglePath() if request.multipath == "off" else request.strategy
        self._account = Account(request.sent_at)
        self._whole = False
        self._rows: tuple[SubflowReport, ...] | None = None
        self._command: Command | None = None
        view = Transfer(length, self)
        self._stepping = Stepping(self._strategy, view, carrier, self.problem)
        for what, hint in request.problems:
            self.problem(what, hint)

    @property
    def name(self) -> str:
        """The strategy's."""
        return self._strategy.name

    @property
    def sent_at(self) -> float:
        """When the request was sent, in seconds of the engine's clock."""
        return self._account.sent_at

    # The reading side.

    def begin(self) -> None:
        """Take the first step; the engine hears of it only if there is something to do or await.

        Raises:
            StrategyProblem: `strict`, and something doesn't work.
        """
        carrier, account, stepping = self._carrier, self._account, self._stepping
        with carrier.lock:
            account.before = carrier.enter(self)
            account.gone = carrier.gone()
            self.engaged = not stepping.prompt
        if stepping.prompt:
            self._command = self._step(time.monotonic())
        wanted = self._time_wanted()
        needed = self._command is not None or self.engaged or wanted is not None
        if needed and not carrier.engine.start():
            self._do_without(carrier.engine.failure)
        elif self._command is not None or self.engaged:
            carrier.engine.wake(carrier)
        elif wanted is not None:
            carrier.engine.wake_at(carrier, wanted)
        self.check()

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
        if self.engaged and account.ended_at is None:
            carrier.renew_paths()  # a path that went at the very end is to be told, too
        with carrier.lock:
            if account.ended_at is not None:
                return
            ended_at = time.monotonic()
            account.ended_at = ended_at
            self._whole = whole or self.received == self.length
            stepping.end(ended_at)
            account.after = carrier.leave(self, whole=self._whole)
        if stepping.prompt or not self.engaged:
            stepping.stop()
        elif self._request.strict:  # what goes wrong at the very end is an error, too
            stepping.wait(LOST_WITHIN)

    # The engine's side.

    def turn(self, now: float) -> float | None:
        """Step the strategy as far as it goes; return when it wants to be woken, or None."""
        carrier, stepping = self._carrier, self._stepping
        for _ in range(_MOST_COMMANDS):
            if not stepping.may_step():
                return None
            command, self._command = self._command or self._step(now), None
            if command is None:
                return self._time_wanted()
            path = carrier.path_of(command) if isinstance(command, Open) else None
            with carrier.lock:
                if not stepping.may_step():
                    return None
                stepping.pending = self.engaged = True  # until answer or fail
                carrier.command(self, command, now, path)
            carrier.make_calls()
            now = time.monotonic()
        if stepping.may_step():
            self._end_restless()
        return None

    def _end_restless(self) -> None:
        self._stepping.stop()
        self.problem(
            f"the strategy {self._strategy.name!r} was ended: it gave {_MOST_COMMANDS} commands "
            "without waiting for anything",
            "the body came without it; `yield Until(…)` before it tries again",
        )

    def _step(self, now: float) -> Command | None:
        stepping = self._stepping
        command = stepping.step(lambda: self.received, self.sent_at, now)
        wanted = stepping.bytes_wanted
        self.threshold = math.inf if wanted is None else wanted
        if self.failure is not None:
            self.threshold = -1
        elif command is None and wanted is not None and self.received >= wanted:
            # The reader passed it before it was set, and will not look again by itself.
            self._carrier.engine.wake(self._carrier)
        return command

    def _time_wanted(self) -> float | None:
        self.engaged = self.engaged or self._stepping.wants_events
        wanted = self._stepping.time_wanted
        return None if wanted is None else self.sent_at + wanted

    def answer(self, value: Subflow | None = None) -> None:
        """Tell the strategy what came of its command."""
        self._stepping.answer(value)

    def fail(self, error: Exception, hint: str = "") -> None:
        """Tell the strategy that its command failed, and the report too."""
        self._stepping.fail(error)
        self.problem(str(error), hint)

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

    def settle(self, table: SubflowTable) -> None:
        """Fix what the report says of subflows: nothing changes any more."""
        if self.engaged:
            self._rows = self._rows_of(table)

    @property
    def busy(self) -> bool:
        """Whether something that was asked for is under way: an open, or a subflow that drains."""
        return self._stepping.pending or self._carrier.busy

    @property
    def settled(self) -> bool:
        """Whether what the report says is final, as far as the response has ended."""
        return self._account.ended_at is None or not self.engaged or self._rows is not None

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
        if not why:
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

    def subflow(self, record: SubflowRecord) -> Subflow:
        """Show a subflow to the strategy."""
        now = self._stepping.now
        return Subflow(
            id=record.id,
            path=Path(record.path),
            age=now - (record.opened_at if record.opened_at is not None else now),
            backup=record.backup,
            bytes_received=self._account.carried(record),
            rtt=record.info.rtt,
            state=record.info.state.name.lower(),
            initial=record.initial,
            idle=record.info.last_data_received,
            remote=Remote(*record.tuple.remote),
        )

    # What a view asks for (strategies.Source).

    def paths(self) -> tuple[Path, ...]:
        """Return the paths, preferred first; a strategy that asks wants more than one.

        Unless its caller allows one alone: then there is nothing to mend.
        """
        paths = tuple(Path(path.name) for path in self._carrier.paths())
        allowed = self._carrier.path_names
        if not paths or (len(paths) < 2 and (allowed is None or len(set(allowed)) > 1)):
            self.problem(*why_alone(paths[0].name if paths else "", self._carrier.remote))
        return paths

    def subflows(self) -> tuple[Subflow, ...]:
        """Return the live subflows, oldest first."""
        with self._carrier.lock:
            self._carrier.look(self._stepping.now)
            return tuple(self.subflow(record) for record in self._carrier.table.alive())

    def remotes(self) -> tuple[Remote, ...]:
        """Return the peer's addresses, the connection's own first."""
        return tuple(Remote(*remote) for remote in self._carrier.remotes())

    def delivered(self) -> int:
        """Return the bytes of the body that the network has delivered."""
        total = self._carrier.bytes_received()
        if total is None or self._account.before is None:
            return self.received
        came = self._account.delivered(total)
        return came if self.length is None else min(came, self.length)

    def unread(self) -> int | None:
        """Return the bytes that the application could read at once, where the carrier knows."""
        return self._carrier.unread()

    # What a report asks for (report.Exchange).

    @property
    def seconds(self) -> float:
        """Seconds from the request to the end of the response, or to now."""
        return (self._account.ended_at or time.monotonic()) - self.sent_at

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
        return {"name": self._request.strategy.name, **self._request.strategy.parameters()}

    @property
    def deadline(self) -> DeadlineReport | None:
        """The deadline and whether it was met."""
        seconds = self._request.strategy.deadline
        if seconds is None:
            return None
        if self._account.ended_at is None:
            return DeadlineReport(seconds, met=None)
        return DeadlineReport(seconds, met=self._whole and self.seconds <= seconds)

    @property
    def path_names(self) -> tuple[str, ...]:
        """Names of the paths, preferred first."""
        return tuple(path.name for path in self._carrier.paths())

    @property
    def subflow_reports(self) -> tuple[SubflowReport, ...]:
        """Every subflow that was alive during the response."""
        carrier = self._carrier
        with carrier.lock:
            if self._rows is not None:
                return self._rows
            if self._account.ended_at is None:
                carrier.look(time.monotonic())
            if self._account.ended_at is None or self.engaged:
                return self._rows_of(carrier.table)
            self._rows = self._rows_of(self._account.table(carrier.new_table()))
            return self._rows

    def wait(self, timeout: float) -> bool:
        """Wait until the strategy of a response that has ended is done, too; tell whether it is.

        Args:
            timeout: seconds, at most.
        """
        return self._stepping.wait(0.0 if self._account.ended_at is None else timeout)

    def _rows_of(self, table: SubflowTable) -> tuple[SubflowReport, ...]:
        alive = self._carrier.table.alive
        numbered = self.mechanism != "none"
        return self._account.rows(table, lambda: {r.id for r in alive()}, numbered=numbered)
