"""Strategies side by side: each as if it were alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from mphttp.strategies import (
    Close,
    CommandFailed,
    Deadline,
    Event,
    FullMesh,
    HandshakeOn,
    Mark,
    Open,
    Refresh,
    SetOption,
    SinglePath,
    Steps,
    Strategy,
    Together,
    Transfer,
    Until,
)
from mphttp.testing import LTE, WIFI, Replay, SimulatedPath, opened, simulate

TWO = [SimulatedPath("wifi", 1e6, 0.04), SimulatedPath("lte", 1.5e6, 0.1)]


@dataclass(frozen=True)
class Given(Strategy):
    """A strategy made of a generator function."""

    steps: Callable[[Transfer], Steps]

    def run(self, transfer: Transfer) -> Steps:
        return self.steps(transfer)


def closes_the_first(transfer: Transfer) -> Steps:
    first = transfer.subflows[0]
    yield Until(received=500)
    yield Close(first)
    yield Until(received=600)
    yield Open(LTE)


def crashes(transfer: Transfer) -> Steps:
    yield Until(received=100)
    raise KeyError("oh")


def test_what_one_opens_the_other_marks() -> None:
    replay = Replay(Deadline(10, rule="half") & Mark({"lte": "ef"}))
    replay.at(5.0, 100)
    assert opened(replay.commands) == ["lte"]
    replay.at(5.1, 110, events=[Event(5.1, "subflow_established", 1, "lte")])
    (option,) = (command for command in replay.commands if isinstance(command, SetOption))
    assert option.subflow.path == LTE


def test_events_are_seen_by_all() -> None:
    seen = []

    def sees(transfer: Transfer) -> Steps:
        yield Until(event="address_announced")
        seen.append(transfer.elapsed)

    replay = Replay(Given(sees) & Given(sees) & FullMesh())
    replay.at(1.0, 0, events=[Event(1.0, "address_announced")])
    assert seen == [1.0, 1.0]


def test_an_event_is_seen_once() -> None:
    seen = []

    def sees(transfer: Transfer) -> Steps:
        while True:
            yield Until(event="subflow_closed")
            seen.append(transfer.elapsed)

    replay = Replay(Given(sees) & SinglePath())
    replay.at(1.0, 0, events=[Event(1.0, "subflow_closed")])
    replay.at(2.0, 0)
    assert seen == [1.0]


def test_what_both_close_is_closed_once_and_both_go_on() -> None:
    both = Given(closes_the_first) & Given(closes_the_first)
    replay = Replay(FullMesh() & both)
    replay.at(1.0, 500)
    assert [command.subflow.id for command in replay.commands if isinstance(command, Close)] == [0]
    replay.at(2.0, 600)
    assert opened(replay.commands) == ["lte", "lte", "lte"]
    assert replay.run.crash is None


def test_a_crash_ends_one_alone_and_is_told_at_the_end() -> None:
    replay = Replay(Given(crashes) & Refresh(200))
    replay.at(1.0, 100)
    assert replay.run.crash is None
    assert opened(replay.at(2.0, 200)) == ["wifi"]
    replay.run.stop()
    assert isinstance(replay.run.crash, KeyError)


def test_a_crash_of_the_last_that_runs_is_told_at_once() -> None:
    replay = Replay(SinglePath() & Given(crashes))
    replay.at(1.0, 100)
    assert isinstance(replay.run.crash, KeyError)


def test_a_failure_is_told_to_the_one_that_asked() -> None:
    seen = []

    def asks(transfer: Transfer) -> Steps:
        try:
            yield Close(transfer.current)
        except CommandFailed as error:
            seen.append(str(error))

    Replay(Mark("ef") & Given(asks))
    assert seen == ["the last subflow that works can't be closed"]


def test_the_first_that_cares_says_where_to_start() -> None:
    both = Deadline(10) & HandshakeOn("lte", then="wifi")
    assert both.connect_on([WIFI, LTE]) == LTE
    assert (Deadline(10) & Deadline(5)).connect_on([WIFI]) is None


def test_the_earliest_deadline_is_the_reports() -> None:
    assert (Deadline(10) & Deadline(5) & FullMesh()).deadline == 5
    assert (FullMesh() & SinglePath()).deadline is None


def test_three_are_one_list() -> None:
    assert Deadline(10) & (Mark("ef") & FullMesh()) == Together(
        (Deadline(10), Mark("ef"), FullMesh())
    )


def test_the_report_names_all() -> None:
    told = (Deadline(10) & Mark({"lte": "ef"})).parameters()
    assert told == {
        "strategies": [
            {"name": "deadline", **Deadline(10).parameters()},
            {"name": "mark", "dscp": {"lte": "ef"}},
        ]
    }


def test_only_strategies_run_together() -> None:
    with pytest.raises(TypeError, match="only strategies"):
        Deadline(10) & "mark"  # type: ignore[operator]


def test_a_deadline_beside_a_mark_is_as_good_as_alone() -> None:
    alone = simulate(Deadline(5), TWO, 10_000_000)
    beside = simulate(Deadline(5) & Mark({"lte": "ef"}), TWO, 10_000_000)
    assert beside.seconds == pytest.approx(alone.seconds)
    assert len(beside.commands) == len(alone.commands) + 1


@pytest.mark.parametrize("together", [FullMesh() & Mark("ef"), Mark("ef") & FullMesh()])
def test_the_order_makes_no_difference(together: Strategy) -> None:
    """What one opens the other marks, although it was asked first, and nothing else happens."""
    outcome = simulate(together, TWO, 2_000_000)
    told = [command for _, command in outcome.commands]
    opens = [command.path.name for command in told if isinstance(command, Open)]
    marked = {command.subflow.path.name for command in told if isinstance(command, SetOption)}
    assert (opens, marked) == (["lte"], {"wifi", "lte"})


def test_what_one_closes_the_other_does_not_take_for_killed() -> None:
    def closes_what_is_opened(transfer: Transfer) -> Steps:
        yield Until(received=100)
        yield Close(transfer.subflows[1])

    replay = Replay(FullMesh() & Given(closes_what_is_opened))
    replay.at(1.0, 100)
    replay.at(1.1, 110, events=[Event(1.1, "subflow_closed", 1, "lte")])
    replay.at(1.2, 120, events=[Event(1.2, "address_announced")])
    assert opened(replay.commands) == ["lte"]
