"""Stepping: what a strategy yields, and what becomes of one that goes wrong."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from mphttp.strategies import (
    CommandFailed,
    Event,
    Open,
    OpenFailed,
    Run,
    Steps,
    Strategy,
    Transfer,
    Until,
)
from mphttp.testing import LTE, Replay


@dataclass(frozen=True)
class Given(Strategy):
    """A strategy made of a generator function."""

    steps: Callable[[Transfer], Steps]

    def run(self, transfer: Transfer) -> Steps:
        return self.steps(transfer)


def replay_of(steps: Callable[[Transfer], Steps]) -> Replay:
    return Replay(Given(steps))


@pytest.mark.parametrize("arguments", [{}, {"received": math.nan}, {"elapsed": math.nan}])
def test_an_until_that_would_never_hold_is_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="never resume"):
        Until(**arguments)  # type: ignore[arg-type]


def test_until_resumes_at_the_first_that_holds() -> None:
    seen = []

    def steps(transfer: Transfer) -> Steps:
        yield Until(received=10, elapsed=5)
        seen.append((transfer.received, transfer.elapsed))
        yield Until(received=20, event="subflow_closed")
        seen.append((transfer.received, [e.kind for e in transfer.events]))

    replay = replay_of(steps)
    replay.at(5.0, 3)
    replay.at(5.1, 4, events=(Event(5.1, "subflow_closed"),))
    assert seen == [(3, 5.0), (4, ["subflow_closed"])]


def test_an_event_resumes_a_strategy_once() -> None:
    seen = []

    def steps(transfer: Transfer) -> Steps:
        while True:
            yield Until(event="subflow_closed")
            seen.append(transfer.elapsed)

    replay = replay_of(steps)
    replay.at(1.0, 0, events=(Event(1.0, "subflow_closed"),))
    replay.at(2.0, 0)
    assert seen == [1.0]
    assert replay.run.crash is None


def test_a_failed_open_is_raised_inside_the_generator() -> None:
    seen = []

    def steps(transfer: Transfer) -> Steps:
        try:
            yield Open(LTE)
        except OpenFailed as error:
            seen.append(str(error))

    replay = Replay(Given(steps), broken=frozenset({LTE}))
    assert seen == ["lte is broken"]
    assert replay.run.crash is None


def test_a_failure_that_is_not_caught_ends_the_strategy_only() -> None:
    def steps(transfer: Transfer) -> Steps:
        yield Open(LTE)

    replay = Replay(Given(steps), broken=frozenset({LTE}))
    assert replay.run.done
    assert isinstance(replay.run.crash, CommandFailed)


def test_a_strategy_that_raises_is_ended_and_told_of() -> None:
    def steps(transfer: Transfer) -> Steps:
        yield Until(received=10)
        raise KeyError("oh")

    replay = replay_of(steps)
    replay.at(1.0, 10)
    assert isinstance(replay.run.crash, KeyError)
    assert replay.at(2.0, 1000) == []


def test_a_run_that_is_no_generator_is_told_of() -> None:
    def steps(transfer: Transfer) -> Steps:
        raise RuntimeError("no generator came")

    assert isinstance(replay_of(steps).run.crash, RuntimeError)


def test_yielding_something_else_is_told_of() -> None:
    def steps(transfer: Transfer) -> Steps:
        yield "open lte"  # type: ignore[misc]

    crash = replay_of(steps).run.crash
    assert isinstance(crash, TypeError)
    assert "open lte" in str(crash)


def test_opening_what_is_no_path_is_told_of() -> None:
    def steps(transfer: Transfer) -> Steps:
        yield Open("lte")  # type: ignore[arg-type]

    crash = replay_of(steps).run.crash
    assert isinstance(crash, TypeError)
    assert "transfer.paths[0], not 'lte'" in str(crash)


def test_a_strategy_that_never_waits_is_ended() -> None:
    def steps(transfer: Transfer) -> Steps:
        while True:
            yield Until(received=0)

    crash = replay_of(steps).run.crash
    assert "without waiting" in str(crash)


def test_stopping_runs_the_generators_finally() -> None:
    seen = []

    def steps(transfer: Transfer) -> Steps:
        try:
            yield Until(received=10)
        finally:
            seen.append("closed")

    replay = replay_of(steps)
    replay.run.stop()
    assert seen == ["closed"]
    assert replay.run.done
    assert replay.run.crash is None


def test_one_strategy_object_serves_many_transfers() -> None:
    def steps(transfer: Transfer) -> Steps:
        yield Until(received=10)

    strategy = Given(steps)
    first, second = Replay(strategy), Replay(strategy)
    first.at(1.0, 10)
    assert first.run.done
    assert not second.run.done
    assert isinstance(first.run, Run)
