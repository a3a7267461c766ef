"""The built-in strategies do what every strategy must, and the check finds those that don't."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from mphttp.strategies import (
    Background,
    CheapestFirst,
    Close,
    Deadline,
    DelayedByContentLength,
    DropSlow,
    FullMesh,
    Handover,
    HandshakeOn,
    Mark,
    NDiffPorts,
    Open,
    OpenFailed,
    Path,
    Refresh,
    SinglePath,
    Steps,
    Strategy,
    Transfer,
    Until,
)
from mphttp.testing import LTE, NotConforming, Replay, check_strategy

BUILT_IN = [
    SinglePath(),
    FullMesh(),
    Refresh(5000),
    Refresh(None, every=0.5),
    Refresh(5000, every=2, rotate=True),
    DelayedByContentLength(10_000),
    Deadline(10),
    Deadline(10, rule="half"),
    HandshakeOn(),
    HandshakeOn("lte", then="wifi"),
    CheapestFirst(["lte", "wifi"]),
    CheapestFirst({"wifi": 3, "eth": 1}, patience=0.5),
    Background(),
    Background("lte"),
    DropSlow(),
    Handover(),
    Handover(0.5, standby=True),
    NDiffPorts(4),
    Mark({"lte": "ef"}),
    Deadline(10) & Mark("ef"),
    FullMesh() & DropSlow() & Handover(),
    Refresh(5000) & Refresh(7500),
]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", BUILT_IN, ids=repr)
def test_the_built_in_strategies_conform(strategy: Strategy) -> None:
    check_strategy(strategy)


@dataclass(frozen=True)
class Bad(Strategy):
    steps: Callable[[Transfer], Steps] = field(repr=False)

    def run(self, transfer: Transfer) -> Steps:
        return self.steps(transfer)

    def parameters(self) -> dict[str, Any]:
        return {}


def catches_nothing(transfer: Transfer) -> Steps:
    yield Open(transfer.paths[-1])


def closes_the_last(transfer: Transfer) -> Steps:
    yield Until(received=100)
    yield Close(transfer.current)


def never_waits(transfer: Transfer) -> Steps:
    while True:
        try:
            yield Open(LTE)
        except OpenFailed:
            continue


def takes_what_is_not_there(transfer: Transfer) -> Steps:
    yield Until(elapsed=0.3)
    transfer.paths[0]


def decides_by_chance(transfer: Transfer) -> Steps:
    yield Until(elapsed=random.random())
    try:
        yield Open(random.choice(transfer.paths or (LTE,)))
    except OpenFailed:
        return


counter: list[int] = []


def remembers_other_transfers(transfer: Transfer) -> Steps:
    counter.append(1)
    if len(counter) % 2:
        try:
            yield Open(LTE)
        except OpenFailed:
            return


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        (catches_nothing, "ended with OpenFailed"),
        (closes_the_last, "the last subflow that works can't be closed"),
        (never_waits, "over 100 commands without waiting"),
        (takes_what_is_not_there, "ended with IndexError"),
        (decides_by_chance, "decides by something else than its view"),
        (remembers_other_transfers, "decides by something else than its view"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_the_check_finds_what_no_strategy_may_do(
    steps: Callable[[Transfer], Steps], told: str
) -> None:
    with pytest.raises(NotConforming, match=told):
        check_strategy(Bad(steps))


def test_the_check_looks_at_the_object_too() -> None:
    @dataclass(frozen=True)
    class Odd(SinglePath):
        what: Any = None

        def connect_on(self, paths: Sequence[Path]) -> Any:
            return "lte"

    with pytest.raises(NotConforming, match="neither a Path nor None"):
        check_strategy(Odd())
    with pytest.raises(NotConforming, match="the report can't tell"):
        check_strategy(Odd(what=object()))


def test_a_replay_ends_what_never_waits_as_the_engine_does() -> None:
    replay = Replay(Bad(never_waits))
    assert len(replay.commands) == 1000
    assert "over 100 commands" in str(replay.run.crash)
