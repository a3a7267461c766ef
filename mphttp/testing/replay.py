"""A made-up transfer: times and bytes go in, commands come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

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

from .quiet import QuietSource

WIFI = Path("wifi")
LTE = Path("lte")
SERVER = Remote("192.0.2.1", 443)

MOST_COMMANDS = 100
"""Commands in a row without waiting, after which the engine ends a strategy."""

_MOST_AT_ONE_MOMENT = 1000
"""The same where opens, which take no time here, are among them."""


def end_restless(run: Run) -> None:
    """End a strategy that commands without ever waiting, as the engine does."""
    run.stop()
    run.crash = RuntimeError(f"the strategy gave over {MOST_COMMANDS} commands without waiting")


@dataclass
class Replay(QuietSource):
    """One response, told by a script; subflows open at once unless their path is broken.

        replay = Replay(Deadline(10), length=1000)
        assert replay.at(5.0, received=100) == [Open(LTE)]

    The connection begins where the strategy wants, or on the first path.

    Args:
        strategy: what is tried.
        length: bytes of the body, or None.
        all_paths: those that reach the server, preferred first.
        broken: those on which no subflow opens.
        addresses: the server's, the connection's own first.

    Attributes:
        live: the live subflows, oldest first.
        commands: what came out so far.
        run: the strategy at work: `run.crash` is what ended it, `run.waiting` what it waits for.
    """

    strategy: Strategy
    length: int | None = 1000
    all_paths: tuple[Path, ...] = (WIFI, LTE)
    broken: frozenset[Path] = frozenset()
    addresses: tuple[Remote, ...] = (SERVER,)
    answered: bool = True
    waiting: int = 0
    complete: bool = True
    live: list[Subflow] = field(default_factory=list, init=False)
    commands: list[Command] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        start = self.strategy.connect_on(self.all_paths)
        first = start if start in self.all_paths else self.all_paths[0]
        self.live.append(Subflow(0, first or self.all_paths[0], initial=True, remote=SERVER))
        self._came = 0
        self._next_id = 1
        self._view = Transfer(self.length, self)
        self.run = Run(self.strategy, self._view)
        self.at(0.0, 0)

    def at(
        self,
        elapsed: float,
        received: int,
        *,
        delivered: int = 0,
        events: Sequence[Event] = (),
        sent: int = 0,
    ) -> list[Command]:
        """Let time and bytes pass; return the commands that came out.

        Args:
            elapsed: seconds since the request was sent.
            received: bytes that the application has read, or the peer has acknowledged.
            delivered: bytes that the network has delivered, if they are more.
            events: what happened.
            sent: bytes of the request's body that the peer has acknowledged.
        """
        self._view.tell(
            length=self.length, answered=self.answered, sent=sent, complete=self.complete
        )
        self._came = max(received, delivered)
        first, at_once = len(self.commands), 0
        self._view.update(received=received, elapsed=elapsed, events=tuple(events))
        while (command := self.run.advance()) is not None:
            self.commands.append(command)
            takes_time = self._carry_out(command)
            at_once = 0 if takes_time else at_once + 1
            if at_once >= MOST_COMMANDS or len(self.commands) - first >= _MOST_AT_ONE_MOMENT:
                end_restless(self.run)
            self._view.update(received=received, elapsed=elapsed)
        return self.commands[first:]

    def change(self, subflow_id: int, **values: Any) -> None:
        """Let a live subflow have other values from now on, such as `bytes_received` or `idle`."""
        self.live = [replace(s, **values) if s.id == subflow_id else s for s in self.live]

    def end(self, subflow_id: int) -> None:
        """Let a subflow end, as if the peer had reset it; tell it by `at`'s events, or don't."""
        self.live = [subflow for subflow in self.live if subflow.id != subflow_id]

    # What the view asks for (strategies.Source).

    def paths(self) -> tuple[Path, ...]:
        """Return the paths, preferred first."""
        return self.all_paths

    def subflows(self) -> tuple[Subflow, ...]:
        """Return the live subflows, oldest first."""
        return tuple(self.live)

    def remotes(self) -> tuple[Remote, ...]:
        """Return the server's addresses, the connection's own first."""
        return self.addresses

    def delivered(self) -> int:
        """Return the bytes of the body that the network has delivered."""
        return self._came

    def unacknowledged(self) -> int:
        """Return the bytes that the peer doesn't have."""
        return self.waiting

    def owed_for(self) -> float:
        """Return the seconds since the request began to leave."""
        return self._view.elapsed

    def _carry_out(self, command: Command) -> bool:
        """Answer a command; return whether it would have taken time, as a handshake does."""
        try:
            answer = self._done(command)
        except CommandFailed as error:
            self.run.fail(error)
            return False
        self.run.answer(answer)
        return answer is not None

    def _done(self, command: Command) -> Subflow | None:
        """Do as the engine does, with its refusals."""
        match command:
            case Open():
                return self._open(command)
            case Close(subflow) | SetBackup(subflow) | SetOption(subflow):
                if not any(live.id == subflow.id for live in self.live):
                    raise CommandFailed(f"subflow {subflow.id} is closed already")
        match command:
            case Close(subflow):
                if len(self.live) == 1:
                    raise CommandFailed("the last subflow that works can't be closed")
                self.end(subflow.id)
            case SetBackup(subflow, backup):
                self.change(subflow.id, backup=backup)
        return None

    def _open(self, command: Open) -> Subflow:
        if command.path in self.broken or command.path not in self.all_paths:
            raise OpenFailed(f"{command.path.name} is broken")
        remote = command.remote or self.addresses[0]
        self.live.append(Subflow(self._next_id, command.path, backup=command.backup, remote=remote))
        self._next_id += 1
        return self.live[-1]
