"""A made-up transfer: times and bytes go in, commands come out."""

from __future__ import annotations

from dataclasses import dataclass, field

from mphttp.strategies import (
    Close,
    Command,
    Event,
    Open,
    OpenFailed,
    Path,
    Run,
    SetBackup,
    Strategy,
    Subflow,
    Transfer,
)

WIFI = Path("wifi")
LTE = Path("lte")


@dataclass
class Replay:
    """Paths that open at once, unless they are listed as broken."""

    strategy: Strategy
    length: int | None = 1000
    all_paths: tuple[Path, ...] = (WIFI, LTE)
    broken: frozenset[Path] = frozenset()
    commands: list[Command] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.live = [Subflow(0, WIFI, initial=True)]
        self.came = 0
        self._next_id = 1
        self.view = Transfer(self.length, self)
        self.run = Run(self.strategy, self.view)
        self.at(0.0, 0)

    def paths(self) -> tuple[Path, ...]:
        return self.all_paths

    def subflows(self) -> tuple[Subflow, ...]:
        return tuple(self.live)

    def delivered(self) -> int:
        return self.came

    def at(
        self, elapsed: float, received: int, *, delivered: int = 0, events: tuple[Event, ...] = ()
    ) -> list[Command]:
        """Let time and bytes pass; return the commands that came out."""
        self.came = max(received, delivered)
        first = len(self.commands)
        self.view.update(received=received, elapsed=elapsed, events=events)
        while (command := self.run.advance()) is not None:
            self.commands.append(command)
            self._carry_out(command)
            self.view.update(received=received, elapsed=elapsed)
        return self.commands[first:]

    def _carry_out(self, command: Command) -> None:
        match command:
            case Open(path=path) if path in self.broken:
                self.run.fail(OpenFailed(f"{path.name} is broken"))
                return
            case Open(path=path, backup=backup):
                self.live.append(Subflow(self._next_id, path, backup=backup))
                self._next_id += 1
                self.run.answer(self.live[-1])
                return
            case Close(subflow=subflow):
                self.live = [s for s in self.live if s.id != subflow.id]
            case SetBackup():
                pass
        self.run.answer()
