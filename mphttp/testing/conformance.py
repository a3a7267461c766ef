"""What every strategy must do, whatever it decides: a check for those who write their own."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from mphttp.strategies import Command, Event, Open, Path, Remote, Strategy

from .replay import LTE, SERVER, WIFI, Replay

_PATHS = (WIFI, LTE, Path("eth"))
_KINDS = ("path_lost", "subflow_closed", "subflow_established", "address_announced")
_STEPS = 25


class NotConforming(AssertionError):
    """A strategy does what no strategy may do; the text says what, and in which history."""


def check_strategy(strategy: Strategy, *, histories: int = 100, seed: int = 0) -> None:
    """Play many made-up transfers, and check what holds for every strategy.

    It never crashes, not even where every open is refused, where subflows and paths vanish, or the
    server has no Multipath TCP; it decides by nothing but its view, so that the same history gives
    the same commands, with other transfers under way, too; it waits between its commands; it stops
    when its transfer does; its parameters can be written as JSON, and `connect_on` copes with any
    paths.

    Args:
        strategy: an object with the parameters that matter.
        histories: how many to play.
        seed: the same one gives the same histories.

    Raises:
        NotConforming: something of that doesn't hold.
    """
    _check_object(strategy)
    chance = random.Random(seed)
    before = _History.draw(chance)
    for _ in range(histories):
        history = _History.draw(chance)
        alone = _play(strategy, history)
        if alone != _play(strategy, history, beside=before):
            raise NotConforming(
                f"{strategy!r} decides by something else than its view: the same history gave "
                f"other commands the second time, with another transfer under way\n{history}"
            )
        before = history


@dataclass(frozen=True)
class _Moment:
    elapsed: float
    received: int
    unread: int
    idle: float
    ending: int
    paths: tuple[Path, ...]
    events: tuple[Event, ...]


@dataclass(frozen=True)
class _History:
    length: int | None
    paths: tuple[Path, ...]
    broken: frozenset[Path]
    addresses: tuple[Remote, ...]
    moments: tuple[_Moment, ...]

    @classmethod
    def draw(cls, chance: random.Random) -> _History:
        paths = _PATHS[: chance.randint(1, 3)]
        broken = frozenset(path for path in paths if chance.random() < 0.3)
        addresses = (SERVER, Remote("192.0.2.2", 443))[: chance.randint(1, 2)]
        length = chance.choice([None, 0, 1000, 100_000, 50_000_000])
        return cls(length, paths, broken, addresses, tuple(_moments(chance, paths, length)))

    def __str__(self) -> str:
        head = replace(self, moments=())
        return "\n".join([f"  {head!r}", *(f"  {moment!r}" for moment in self.moments)])


def _moments(chance: random.Random, paths: Sequence[Path], length: int | None) -> Iterator[_Moment]:
    elapsed, received, most = 0.0, 0, length or 10_000_000
    for _ in range(_STEPS):
        elapsed += chance.choice([0.0, 0.001, 0.3, 1.0, 30.0])
        received = min(most, received + chance.choice([0, 0, 1000, 50_000]))
        kinds = [kind for kind in _KINDS if chance.random() < 0.1]
        yield _Moment(
            elapsed=elapsed,
            received=received,
            unread=chance.choice([0, 0, most // 2]),
            idle=chance.choice([0.0, 0.0, 0.5, 10.0]),
            ending=chance.choice([-1, -1, -1, 0, 1, 2]),
            paths=tuple(path for path in paths if chance.random() < 0.9),
            events=tuple(Event(elapsed, kind) for kind in kinds),
        )


def _play(
    strategy: Strategy, history: _History, *, beside: _History | None = None
) -> list[list[Command]]:
    """Play a history, with another one beside it if there is one; return what came out when."""
    replay = _begin(strategy, history)
    other = _begin(strategy, beside) if beside else None
    came = [list(replay.commands)]
    for step, moment in enumerate(history.moments):
        came.append(_live_through(replay, moment))
        _check_alive(strategy, replay, history)
        if other is not None and beside is not None:
            _live_through(other, beside.moments[step])
    replay.run.stop()
    _check_alive(strategy, replay, history)
    return came


def _begin(strategy: Strategy, history: _History) -> Replay:
    return Replay(strategy, history.length, history.paths, history.broken, history.addresses)


def _live_through(replay: Replay, moment: _Moment) -> list[Command]:
    replay.all_paths = moment.paths
    doomed = moment.ending
    if 0 <= doomed < len(replay.live):  # the last one, too: the connection outlives it for a while
        replay.end(replay.live[doomed].id)
    for subflow in replay.live:
        share = moment.received // (1 + subflow.id)
        replay.change(subflow.id, idle=moment.idle, age=moment.elapsed, bytes_received=share)
    delivered = moment.received + moment.unread
    return replay.at(moment.elapsed, moment.received, delivered=delivered, events=moment.events)


def _check_alive(strategy: Strategy, replay: Replay, history: _History) -> None:
    crash = replay.run.crash
    if crash is not None:
        last = f", after {replay.commands[-1]!r}" if replay.commands else ""
        told = f"{strategy!r} ended with {type(crash).__name__}: {crash}{last}\n{history}"
        raise NotConforming(told) from crash


def _check_object(strategy: Strategy) -> None:
    try:
        json.dumps(strategy.parameters())
    except (TypeError, ValueError) as error:
        raise NotConforming(f"the report can't tell {strategy!r}'s parameters: {error}") from error
    for count in range(len(_PATHS) + 1):
        choice = strategy.connect_on(_PATHS[:count])
        if choice is not None and not isinstance(choice, Path):
            raise NotConforming(
                f"{strategy!r} wants to connect on {choice!r}, which is neither a Path nor None"
            )


def opened(commands: Sequence[Command]) -> list[str]:
    """Name the paths on which subflows were asked for, in order."""
    return [command.path.name for command in commands if isinstance(command, Open)]
