"""Paths with a virtual clock: what a strategy makes of a transfer, without a network or a second.

A fluid model: each path delivers its rate and shares it equally between its subflows; the peer uses
backups only while there is no regular subflow, or all of them have been silent for a while (RFC
8684, 3.1). Slow start and the lag between a decision and what comes of it are there for the asking
(`slow_start`, `lag`), and so are the queues that the sender fills (`queue`): what is in one
can't be moved to another path, but by closing the subflow. Loss and reordering are not. The
simulator shows decisions and their order of magnitude, the lab what really happens;
benchmarks/fluid.py tells how far they are apart.

Nothing happens at the changes of a trace, which is integrated beforehand: the clock jumps from one
of the strategy's looks to the next, and a transfer of ten seconds takes a millisecond or two.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from mphttp.strategies import (
    Close,
    Command,
    CommandFailed,
    Event,
    Open,
    OpenFailed,
    Path,
    Remote,
    Run,
    SetBackup,
    SetOption,
    Strategy,
    Subflow,
    Transfer,
)

from .queues import RESENT_AFTER, Queues
from .quiet import QuietSource
from .replay import MOST_COMMANDS, SERVER, end_restless
from .simulated_path import Carrier, SimulatedPath

_OPEN_TIMEOUT = 5.0  # seconds, as the engine's
_STALE_AFTER = 3.0
"""Seconds of silence after which the peer turns to backups: Linux waits for 4 retransmissions."""
_LOOK_AT_STALE = 0.1  # seconds, until which a subflow that works again isn't noticed
_EXACTLY = 1e-6  # bytes more than what is waited for, or rounding could leave it short for ever


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a simulated transfer.

    Args:
        seconds: until the whole body was there, or None if it never was.
        received: bytes that came.
        carried: bytes that came over each path, by its name.
        commands: what the strategy asked for, each with its time in seconds.
        crash: what ended the strategy, if it went wrong.
        alive: names of the paths with a live subflow at the end.
        expected: seconds at which the strategy expected the end, if after its deadline.
    """

    seconds: float | None
    received: int
    carried: dict[str, int]
    commands: tuple[tuple[float, Command], ...]
    crash: BaseException | None
    alive: tuple[str, ...] = ()
    expected: float | None = None


def simulate(
    strategy: Strategy,
    paths: Sequence[SimulatedPath],
    length: int,
    *,
    length_known: bool = True,
    give_up_after: float = 600.0,
    begin: float = 0.0,
    warm: Collection[str] = (),
) -> Outcome:
    """Run a strategy on one simulated response.

    Args:
        strategy: decides.
        paths: preferred first.
        length: bytes of the body.
        length_known: whether the response tells its length.
        give_up_after: seconds of the virtual clock.
        begin: when the request is sent, in seconds of the paths' traces.
        warm: names of the paths on which a response before left a backup subflow.
    """
    simulation = _Simulation(strategy, paths, length, length_known, begin)
    return simulation.run(give_up_after, warm)


@dataclass(slots=True)
class _Opening:
    command: Open
    path: SimulatedPath
    until: float
    works: bool


@dataclass
class _Simulation(QuietSource):
    strategy: Strategy
    all_paths: Sequence[SimulatedPath]
    length: int
    length_known: bool
    begin: float = 0.0
    received: float = 0.0
    live: list[Carrier] = field(default_factory=list)
    ended: list[Carrier] = field(default_factory=list)
    commands: list[tuple[float, Command]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    opening: _Opening | None = None

    def __post_init__(self) -> None:
        self.now = self.begin
        queued = any(path.queue for path in self.all_paths)
        self._queues = Queues(float(self.length) if queued else math.inf)
        start = self.strategy.connect_on(self.paths())
        first = next((path for path in self.all_paths if start == path.as_path), None)
        self._add(first or self.all_paths[0], backup=False, remote=SERVER, initial=True)
        self._view = Transfer(self.length if self.length_known else None, self)
        self._run = Run(self.strategy, self._view)

    def run(self, give_up_after: float, warm: Collection[str]) -> Outcome:
        for path in self.all_paths:
            if path.name in warm and path is not self.live[0].path and self.now < path.cut_at:
                self._add(path, backup=True, remote=SERVER)
        give_up_at = self.begin + give_up_after
        self._pass_time(self.live[0].flows_from)  # a strategy begins when the header is there
        self._step()
        while self.received < self.length and self.now < give_up_at:
            self._pass_time(min(self._next_time(), give_up_at))
            self._step()
        self._run.stop()
        return self._outcome()

    def _outcome(self) -> Outcome:
        carried = {path.name: 0.0 for path in self.all_paths}
        for carrier in self.ended + self.live:
            carried[carrier.path.name] += carrier.carried
        return Outcome(
            seconds=self.now - self.begin if self.received >= self.length else None,
            received=int(self.received),
            carried={name: round(count) for name, count in carried.items()},
            commands=tuple(self.commands),
            crash=self._run.crash,
            alive=tuple(carrier.path.name for carrier in self.live),
            expected=self.expected,
        )

    # What the strategy sees (strategies.Source).

    def paths(self) -> tuple[Path, ...]:
        return tuple(path.as_path for path in self.all_paths if self.now < path.cut_at)

    def subflows(self) -> tuple[Subflow, ...]:
        return tuple(self._shown(carrier) for carrier in self.live)

    def remotes(self) -> tuple[Remote, ...]:
        return (SERVER,)

    def delivered(self) -> int:
        """Return the bytes before the first one that is still in some queue."""
        return self._queues.delivered(self.live, self.received)

    def _shown(self, carrier: Carrier) -> Subflow:
        return Subflow(
            id=carrier.id,
            path=carrier.path.as_path,
            age=self.now - carrier.opened_at,
            backup=carrier.backup,
            bytes_received=int(carrier.carried),
            rtt=carrier.path.rtt,
            initial=carrier.initial,
            idle=self.now - carrier.last_data_at,
            remote=carrier.remote,
        )

    # What it does.

    def _step(self) -> None:
        if self.opening is not None:
            if self.now < self.opening.until:
                return
            self._conclude(self.opening)
        for count in range(MOST_COMMANDS + 1):
            events, self.events = tuple(self.events), []
            elapsed = self._elapsed()
            self._view.update(received=self.delivered(), elapsed=elapsed, events=events)
            command = self._run.advance()
            if command is None:
                return
            if count == MOST_COMMANDS:
                end_restless(self._run)
                return
            self.commands.append((elapsed, command))
            try:
                self._carry_out(command)
            except CommandFailed as error:
                self._run.fail(error)
            if self.opening is not None:
                return

    def _elapsed(self) -> float:
        """Return the seconds since the request; those waited for are not missed by rounding."""
        waiting = self._run.waiting
        if waiting and waiting.elapsed and self.now >= self.begin + waiting.elapsed:
            return max(waiting.elapsed, self.now - self.begin)
        return self.now - self.begin

    def _carry_out(self, command: Command) -> None:
        match command:
            case Open():
                self._open(command)
            case Close(subflow):
                carrier = self._carrier(subflow)
                if len(self.live) == 1:
                    raise CommandFailed("the last subflow that works can't be closed")
                self._queues.take_back(carrier)
                self.live.remove(carrier)
                self.ended.append(carrier)
                self._tell("subflow_closed", carrier.path, carrier.id)
                self._run.answer()
            case SetBackup(subflow, backup):
                self._set_backup(self._carrier(subflow), backup)
                self._run.answer()
            case SetOption(subflow):
                self._carrier(subflow)
                self._run.answer()

    def _set_backup(self, carrier: Carrier, backup: bool) -> None:
        if backup == carrier.backup:
            return
        carrier.backup = backup
        if backup:
            path = carrier.path  # with a queue, what is left is that until the peer knows
            carrier.flows_until = self.now + (path.rtt / 2 if path.queue else path.lag)
            return
        if self.now >= carrier.flows_until:
            carrier.start(self.now)
        carrier.flows_until = math.inf

    def _carrier(self, subflow: Subflow) -> Carrier:
        carrier = next((carrier for carrier in self.live if carrier.id == subflow.id), None)
        if carrier is None:
            raise CommandFailed(f"subflow {subflow.id} is closed already")
        return carrier

    def _open(self, command: Open) -> None:
        path = next((path for path in self.all_paths if path.name == command.path.name), None)
        if path is None or self.now >= path.cut_at:
            raise OpenFailed(f"no path {command.path.name!r} reaches the server")
        works = path.supply.rate_at(self.now) > 0
        takes = path.opening_time if works else _OPEN_TIMEOUT
        self.opening = _Opening(command, path, self.now + takes, works)

    def _conclude(self, opening: _Opening) -> None:
        self.opening = None
        if not opening.works or self.now >= opening.path.cut_at:
            self._run.fail(OpenFailed(f"nobody answered on {opening.path.name}"))
            return
        remote = opening.command.remote or SERVER
        carrier = self._add(opening.path, backup=opening.command.backup, remote=remote)
        self._tell("subflow_established", carrier.path, carrier.id)
        self._run.answer(self._shown(carrier))

    def _add(
        self, path: SimulatedPath, *, backup: bool, remote: Remote, initial: bool = False
    ) -> Carrier:
        number = len(self.live) + len(self.ended)
        carrier = Carrier(number, path, self.now, backup, remote, 0.0, self.now, initial)
        if backup:
            carrier.flows_until = self.now
        else:
            carrier.start(self.now)
        self.live.append(carrier)
        return carrier

    def _tell(self, kind: str, path: SimulatedPath, subflow: int | None = None) -> None:
        self.events.append(Event(self.now - self.begin, kind, subflow, path.name))

    # What time brings.

    @property
    def _stale(self) -> bool:
        """Whether the peer has given up every regular subflow for now."""
        since = self.now - _STALE_AFTER
        return all(c.backup or c.last_data_at <= since for c in self.live)

    def _used(self) -> list[Carrier]:
        """Return the subflows that the peer uses now, or whose last data is on its way."""
        ready = [c for c in self.live if c.flows_from <= self.now]
        return ready if self._stale else [c for c in ready if self.now < c.flows_until]

    def _next_time(self) -> float:
        """Return the next time at which the strategy or the model has something to do."""
        times = [path.cut_at for path in self.all_paths]
        for c in self.live:
            times += [c.grows_at, c.flows_from, c.flows_until]
            if not c.backup and len(self.live) > 1:
                times.append(c.last_data_at + _STALE_AFTER)
            times.append(c.waits_since + RESENT_AFTER)
        if self._stale:
            times.append(self.now + _LOOK_AT_STALE)
        waiting = self._run.waiting
        if self.opening is not None:
            times.append(self.opening.until)
        elif waiting is not None and waiting.elapsed is not None:
            times.append(self.begin + waiting.elapsed)
        if waiting is not None and (waiting.received or math.inf) <= self.received:
            times.append(self.now + _LOOK_AT_STALE)  # it came, and waits for what is queued
        return min((when for when in times if when > self.now), default=math.inf)

    def _wanted(self) -> float:
        """Return the bytes at which the clock has to stop."""
        waiting = self._run.waiting
        if self.opening is None and waiting is not None and waiting.received is not None:
            wanted = min(self.length, waiting.received)
            if not self._queues:
                return max(self.received, wanted)
            if wanted > self.received:
                return float(wanted)
        return float(self.length)

    def _brings(self, flowing: Sequence[Carrier], then: float) -> list[float]:
        """Return the bytes that each of these brings from now until then."""
        brought, used = [], self._used()
        for carrier in flowing:
            path = carrier.path
            sharing = 1 if len(flowing) == 1 else sum(c.path is path for c in flowing)
            came = (path.supply.by(then) - path.supply.by(self.now)) / sharing
            if carrier.window < math.inf:
                came = min(came, carrier.window / path.rtt * (then - self.now))
            most = carrier.queued + (self._queues.unsent if carrier in used else 0.0)
            brought.append(min(came, max(0.0, most + 2 * _EXACTLY)))
        return brought

    def _pass_time(self, then: float) -> None:
        self._queues.fill(self.live, self._used(), self.now)
        used = self._used()  # and those that have something queued still
        flowing = [c for c in self.live if c in used or (c.queued > 0 and c.flows_from <= self.now)]
        if self._queues:
            then = self._stop_at(self._queues.unsent, used, then)
        then = self._stop_at(self._wanted() - self.received, flowing, then)
        for carrier, came in zip(flowing, self._brings(flowing, then), strict=True):
            carrier.carried += came
            if self._queues:
                carrier.bring(came)
            self.received += came
            if came > 0:
                carrier.last_data_at = carrier.path.supply.last_before(then)
        if self.received > self.length - _EXACTLY:
            self.received = float(self.length)
        gone = [path for path in self.all_paths if self.now < path.cut_at <= then]
        self.now = then
        self._queues.fill(self.live, self._used(), self.now)
        for path in gone:
            self._tell("path_lost", path)
        for carrier in flowing:
            if carrier.grows_at <= then:
                carrier.grow(then)

    def _stop_at(self, count: float, flowing: Sequence[Carrier], then: float) -> float:
        """Return when these have brought so many bytes, if that is before then."""
        if count > 0 and sum(self._brings(flowing, then)) >= count + _EXACTLY:
            return self._time_of(count + _EXACTLY, flowing, then)
        return then

    def _time_of(self, missing: float, flowing: Sequence[Carrier], then: float) -> float:
        """Return when these bring so many bytes, at the latest `then`, to the nanosecond."""
        before = self.now
        while then - before > 1e-9 * max(1.0, then):
            middle = (before + then) / 2
            enough = sum(self._brings(flowing, middle)) >= missing
            before, then = (before, middle) if enough else (middle, then)
        return then
