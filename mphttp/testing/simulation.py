"""Paths with a virtual clock: what a strategy makes of a transfer, without a network or a second.

A fluid model: each path delivers its rate at once and shares it equally between its subflows; the
peer uses backups only while no regular subflow carries anything (RFC 8684, 3.1). There is no slow
start, no loss and no reordering: the simulator shows decisions and their order of magnitude, the
lab what really happens.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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

from .replay import MOST_COMMANDS, SERVER, end_restless

_OPEN_TIMEOUT = 5.0  # seconds, as the engine's


@dataclass(frozen=True, slots=True)
class SimulatedPath:
    """A path of the simulation.

        SimulatedPath("wifi", [(0, 1e6), (3, 0)])  # 1 MB/s, and a black hole after 3 s

    Args:
        name: of the interface.
        rate: bytes a second; or a trace, pairs of a time in seconds and the rate from then on. A
            rate of 0 is a black hole: nobody is told, and nothing opens.
        rtt: round-trip time in seconds.
        handshake: seconds that opening a subflow takes; None is one and a half round trips.
        cut_at: seconds after which the interface is gone, of which everybody is told.
    """

    name: str
    rate: float | Sequence[tuple[float, float]]
    rtt: float = 0.05
    handshake: float | None = None
    cut_at: float = math.inf

    @property
    def trace(self) -> Sequence[tuple[float, float]]:
        """Times and rates."""
        return [(0.0, self.rate)] if isinstance(self.rate, int | float) else self.rate

    def rate_at(self, now: float) -> float:
        """Bytes a second at a time."""
        if now >= self.cut_at:
            return 0.0
        return next((rate for start, rate in reversed(self.trace) if start <= now), 0.0)

    @property
    def opening_time(self) -> float:
        """Seconds that opening a subflow takes."""
        return 1.5 * self.rtt if self.handshake is None else self.handshake


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a simulated transfer.

    Args:
        seconds: until the whole body was there, or None if it never was.
        received: bytes that came.
        carried: bytes that came over each path, by its name.
        commands: what the strategy asked for, each with its time in seconds.
        crash: what ended the strategy, if it went wrong.
    """

    seconds: float | None
    received: int
    carried: dict[str, int]
    commands: tuple[tuple[float, Command], ...]
    crash: BaseException | None


def simulate(
    strategy: Strategy,
    paths: Sequence[SimulatedPath],
    length: int,
    *,
    length_known: bool = True,
    give_up_after: float = 600.0,
) -> Outcome:
    """Run a strategy on one simulated response.

    Args:
        strategy: decides.
        paths: preferred first.
        length: bytes of the body.
        length_known: whether the response tells its length.
        give_up_after: seconds of the virtual clock.
    """
    return _Simulation(strategy, paths, length, length_known).run(give_up_after)


@dataclass(slots=True, eq=False)
class _Carrier:
    """A subflow of the simulation; times are the virtual clock's."""

    id: int
    path: SimulatedPath
    opened_at: float
    backup: bool
    remote: Remote
    carried: float = 0.0
    last_data_at: float = 0.0
    initial: bool = False


@dataclass(slots=True)
class _Opening:
    command: Open
    path: SimulatedPath
    until: float
    works: bool


@dataclass
class _Simulation:
    strategy: Strategy
    all_paths: Sequence[SimulatedPath]
    length: int
    length_known: bool
    now: float = 0.0
    received: float = 0.0
    live: list[_Carrier] = field(default_factory=list)
    ended: list[_Carrier] = field(default_factory=list)
    commands: list[tuple[float, Command]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    opening: _Opening | None = None

    def __post_init__(self) -> None:
        start = self.strategy.connect_on(self.paths())
        first = next((path for path in self.all_paths if start == Path(path.name)), None)
        self._add(first or self.all_paths[0], backup=False, remote=SERVER, initial=True)
        self._view = Transfer(self.length if self.length_known else None, self)
        self._run = Run(self.strategy, self._view)

    def run(self, give_up_after: float) -> Outcome:
        self._step()
        while self.received < self.length and self.now < give_up_after:
            self._pass_time(min(self._next_time(), give_up_after))
            self._step()
        self._run.stop()
        carried = {path.name: 0.0 for path in self.all_paths}
        for carrier in self.ended + self.live:
            carried[carrier.path.name] += carrier.carried
        return Outcome(
            seconds=self.now if self.received >= self.length else None,
            received=int(self.received),
            carried={name: round(count) for name, count in carried.items()},
            commands=tuple(self.commands),
            crash=self._run.crash,
        )

    # What the strategy sees (strategies.Source).

    def paths(self) -> tuple[Path, ...]:
        return tuple(Path(path.name) for path in self.all_paths if self.now < path.cut_at)

    def subflows(self) -> tuple[Subflow, ...]:
        return tuple(self._shown(carrier) for carrier in self.live)

    def remotes(self) -> tuple[Remote, ...]:
        return (SERVER,)

    def delivered(self) -> int:
        return int(self.received)

    def _shown(self, carrier: _Carrier) -> Subflow:
        return Subflow(
            id=carrier.id,
            path=Path(carrier.path.name),
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
            self._view.update(received=int(self.received), elapsed=self.now, events=events)
            command = self._run.advance()
            if command is None:
                return
            if count == MOST_COMMANDS:
                end_restless(self._run)
                return
            self.commands.append((self.now, command))
            try:
                self._carry_out(command)
            except CommandFailed as error:
                self._run.fail(error)
            if self.opening is not None:
                return

    def _carry_out(self, command: Command) -> None:
        match command:
            case Open():
                self._open(command)
            case Close(subflow):
                carrier = self._carrier(subflow)
                if len(self.live) == 1:
                    raise CommandFailed("the last subflow that works can't be closed")
                self.live.remove(carrier)
                self.ended.append(carrier)
                self._tell("subflow_closed", carrier.path, carrier.id)
                self._run.answer()
            case SetBackup(subflow, backup):
                self._carrier(subflow).backup = backup
                self._run.answer()
            case SetOption(subflow):
                self._carrier(subflow)
                self._run.answer()

    def _carrier(self, subflow: Subflow) -> _Carrier:
        carrier = next((carrier for carrier in self.live if carrier.id == subflow.id), None)
        if carrier is None:
            raise CommandFailed(f"subflow {subflow.id} is closed already")
        return carrier

    def _open(self, command: Open) -> None:
        path = next((path for path in self.all_paths if path.name == command.path.name), None)
        if path is None or self.now >= path.cut_at:
            raise OpenFailed(f"no path {command.path.name!r} reaches the server")
        works = path.rate_at(self.now) > 0
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
    ) -> _Carrier:
        number = len(self.live) + len(self.ended)
        carrier = _Carrier(number, path, self.now, backup, remote, 0.0, self.now, initial)
        self.live.append(carrier)
        return carrier

    def _tell(self, kind: str, path: SimulatedPath, subflow: int | None = None) -> None:
        self.events.append(Event(self.now, kind, subflow, path.name))

    # What time brings.

    def _rates(self) -> dict[_Carrier, float]:
        """Bytes a second that each subflow brings now; those that bring nothing are left out."""
        regular = {c: rate for c in self.live if not c.backup and (rate := self._share(c))}
        return regular or {c: rate for c in self.live if (rate := self._share(c))}

    def _share(self, carrier: _Carrier) -> float:
        sharing = sum(
            other.path is carrier.path and other.backup == carrier.backup for other in self.live
        )
        return carrier.path.rate_at(self.now) / sharing

    def _next_time(self) -> float:
        """Return the next time at which anything changes."""
        times = [path.cut_at for path in self.all_paths]
        times += [start for path in self.all_paths for start, _ in path.trace]
        wanted = [float(self.length)]
        waiting = self._run.waiting
        if self.opening is not None:
            times.append(self.opening.until)
        elif waiting is not None:
            times += [] if waiting.elapsed is None else [waiting.elapsed]
            wanted += [] if waiting.received is None else [waiting.received]
        total = sum(self._rates().values())
        if total:
            # A little more than exactly so much, or rounding could leave it short for ever.
            missing = (want - self.received for want in wanted if want > self.received)
            times += [self.now + (1e-6 + count) / total for count in missing]
        return min((when for when in times if when > self.now), default=math.inf)

    def _pass_time(self, then: float) -> None:
        for carrier, rate in self._rates().items():
            came = rate * (then - self.now)
            carrier.carried += came
            carrier.last_data_at = then
            self.received = min(self.received + came, float(self.length))
        gone = [path for path in self.all_paths if self.now < path.cut_at <= then]
        self.now = then
        for path in gone:
            self._tell("path_lost", path)
