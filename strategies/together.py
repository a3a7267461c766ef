"""Several strategies on one transfer, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from .commands import Close, Command, CommandFailed, Until
from .run import Run
from .steps import CLOSED
from .strategy import Steps, Strategy
from .view import Event, Path, Transfer


@dataclass(frozen=True)
class Together(Strategy):
    """Run strategies side by side, each as if it were alone: `Deadline(10) & Mark("ef")`.

        wifi ━━━━━━━━━━━━━━━━━━━━━━━
        lte               ╺EF╺EF╺EF   opened by Deadline, marked by Mark

    Each sees every event, also what came of another's commands. Commands are carried out one after
    the other. What two of them close is closed once, and both go on. The connection starts where
    the first one that cares wants it; the earliest deadline is the report's.

    One that crashes ends alone: the others go on, and the report tells of it at the end of the
    response. Strategies that undo each other's work, such as two that both move the connection,
    make no sense together.

    Args:
        strategies: two or more; those of a `Together` among them are taken out of it.
    """

    name: ClassVar[str] = "together"
    strategies: tuple[Strategy, ...]

    def __post_init__(self) -> None:
        flat: list[Strategy] = []
        for strategy in self.strategies:
            flat += strategy.strategies if isinstance(strategy, Together) else [strategy]
        if not all(isinstance(strategy, Strategy) for strategy in flat):
            raise TypeError(f"only strategies run together, not {self.strategies!r}")
        object.__setattr__(self, "strategies", tuple(flat))

    def parameters(self) -> dict[str, Any]:
        return {"strategies": [{"name": s.name, **s.parameters()} for s in self.strategies]}

    def connect_on(self, paths: Sequence[Path]) -> Path | None:
        choices = (strategy.connect_on(paths) for strategy in self.strategies)
        return next((choice for choice in choices if choice is not None), None)

    def resume_on(self, paths: Sequence[Path]) -> Sequence[Path]:
        for strategy in self.strategies:
            paths = strategy.resume_on(paths)
        return paths

    @property
    def deadline(self) -> float | None:
        deadlines = (strategy.deadline for strategy in self.strategies)
        return min((d for d in deadlines if d is not None), default=None)

    @property
    def in_kernel(self) -> bool:  # type: ignore[override]  # of those that run together
        return any(strategy.in_kernel for strategy in self.strategies)

    @property
    def early(self) -> bool:  # type: ignore[override]  # as above
        return any(strategy.early for strategy in self.strategies)

    @property
    def rests(self) -> bool:  # type: ignore[override]  # as above
        return all(strategy.rests for strategy in self.strategies)

    def run(self, transfer: Transfer) -> Steps:
        parts = [_Part(strategy, transfer) for strategy in self.strategies]
        closed = set[int]()
        try:
            while True:
                for part in parts:
                    while (command := part.advance(transfer)) is not None:
                        yield from _carry_out(command, part, parts, closed, transfer)
                if any(part.unseen for part in parts):
                    continue  # what came of one's command may be what another waits for
                waiting = [part.run.waiting for part in parts if part.run.waiting]
                if not waiting:
                    return
                yield _first_of(waiting)
                _tell(parts, transfer, closed)
        finally:
            for part in parts:
                part.run.stop()
            crash = next((part.run.crash for part in parts if part.run.crash), None)
            if crash is not None:
                raise crash


class _Part:
    """One of the strategies, with a view of its own: what it has seen is its own affair."""

    def __init__(self, strategy: Strategy, transfer: Transfer) -> None:
        self.view = transfer.fork()
        self.unseen: tuple[Event, ...] = ()
        self.run = Run(strategy, self.view)

    def advance(self, transfer: Transfer) -> Command | None:
        events, self.unseen = self.unseen, ()
        self.view.follow(transfer, events)
        return self.run.advance()


def _carry_out(
    command: Command, part: _Part, parts: Sequence[_Part], closed: set[int], transfer: Transfer
) -> Steps:
    """Have a command carried out, and tell its strategy what came of it."""
    if isinstance(command, Close) and command.subflow.id in closed:
        part.run.answer()  # another strategy wanted the same
        return
    try:
        part.run.answer((yield command))
    except CommandFailed as error:
        part.run.fail(error)
    else:
        if isinstance(command, Close):
            closed.add(command.subflow.id)
    _tell(parts, transfer, closed)


def _tell(parts: Sequence[_Part], transfer: Transfer, closed: set[int]) -> None:
    """Tell all what happened, but not as a fault that one of them has closed a subflow."""
    events = tuple(e for e in transfer.events if e.kind != CLOSED or e.subflow not in closed)
    for part in parts:
        part.unseen += events


def _first_of(waiting: Sequence[Until]) -> Until:
    """Wait for whatever the first of several strategies waits for."""
    kinds = {kind for until in waiting for kind in until.events}
    return Until(
        received=min((u.received for u in waiting if u.received is not None), default=None),
        elapsed=min((u.elapsed for u in waiting if u.elapsed is not None), default=None),
        event=tuple(sorted(kinds)) or None,
    )
