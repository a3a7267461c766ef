"""A path that falls silent or goes is replaced in time, and one that is only late is kept."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.strategies import Close, Event, FullMesh, Handover, Open, Path, SetBackup, for_intent
from mphttp.testing import LTE, WIFI, Outcome, Replay, SimulatedPath, opened, simulate

LENGTH = 10_000_000
LTE_PATH = SimulatedPath("lte", 1.5e6, 0.1)


def replay_of(strategy: Handover) -> Replay:
    return Replay(strategy, length=LENGTH)


def silent(replay: Replay, now: float, idle: float) -> None:
    """Let nothing come for so long, of which the application has read all."""
    for subflow in replay.live:
        replay.change(subflow.id, idle=idle)
    replay.at(now, 1_000_000)


def bring(replay: Replay, now: float, *ids: int) -> None:
    """Let subflows bring something."""
    for subflow_id in ids:
        replay.change(subflow_id, bytes_received=500_000, idle=0.0)
    replay.at(now, 1_500_000)


def first_on(outcome: Outcome, path: str) -> float:
    """Return when a subflow was first asked for on a path."""
    return next(
        at for at, command in outcome.commands if isinstance(command, Open) and path in str(command)
    )


def test_nothing_is_opened_while_data_comes() -> None:
    replay = replay_of(Handover(1.0))
    for tenth in range(100):
        silent(replay, tenth / 10, 0.49)
    assert replay.commands == []


def test_half_of_the_time_is_spent_on_being_sure() -> None:
    replay = replay_of(Handover(1.0))
    silent(replay, 2.0, 0.5)
    assert opened(replay.commands) == ["lte"]


def test_a_long_round_trip_is_waited_for() -> None:
    replay = replay_of(Handover(1.0))
    replay.change(0, rtt=0.4)
    silent(replay, 2.0, 0.79)
    assert replay.commands == []
    silent(replay, 3.0, 0.8)
    assert opened(replay.commands) == ["lte"]


def test_the_dead_one_is_closed_once_the_new_one_brings_data() -> None:
    replay = replay_of(Handover(1.0))
    silent(replay, 2.0, 0.5)
    assert len(replay.live) == 2
    bring(replay, 2.2, 1)
    assert [subflow.path for subflow in replay.live] == [LTE]
    assert isinstance(replay.commands[-1], Close)
    assert replay.commands[-1].lost


def test_the_new_one_is_closed_if_the_old_one_was_only_late() -> None:
    replay = replay_of(Handover(1.0))
    silent(replay, 2.0, 0.5)
    bring(replay, 2.2, 0, 1)
    assert [subflow.path for subflow in replay.live] == [WIFI]
    assert isinstance(replay.commands[-1], Close)
    assert not replay.commands[-1].lost


def test_a_path_whose_interface_is_gone_is_not_waited_for() -> None:
    replay = replay_of(Handover(60.0))
    replay.all_paths = (LTE,)
    replay.at(1.0, 1_000_000, events=[Event(1.0, "path_lost", 0, "wifi")])
    assert opened(replay.commands) == ["lte"]


def test_a_subflow_that_was_reset_is_replaced_at_once() -> None:
    replay = replay_of(Handover(60.0))
    replay.end(0)
    replay.at(1.0, 1_000_000, events=[Event(1.0, "subflow_closed", 0, "wifi")])
    assert opened(replay.commands) == ["wifi"]


def test_the_application_s_own_slowness_is_no_silence() -> None:
    replay = replay_of(Handover(1.0))
    replay.change(0, idle=100.0)
    replay.at(100.0, 1_000_000, delivered=1_100_000)
    assert replay.commands == []


def test_where_there_is_no_other_path_the_same_one_is_tried_once_more() -> None:
    replay = Replay(Handover(1.0), length=LENGTH, all_paths=(WIFI,))
    for second in range(2, 30):
        silent(replay, float(second), 1.0)
    assert [subflow.path for subflow in replay.live] == [WIFI, WIFI]


def test_a_standby_is_a_backup_until_it_is_needed() -> None:
    replay = replay_of(Handover(1.0, standby=True))
    assert replay.commands == [Open(LTE, backup=True)]
    silent(replay, 2.0, 0.5)
    last = replay.commands[-1]
    assert isinstance(last, SetBackup)
    assert not last.backup
    bring(replay, 2.2, 1)
    assert [subflow.path for subflow in replay.live] == [LTE]


def test_a_standby_stands_by_again_if_the_old_one_was_only_late() -> None:
    replay = replay_of(Handover(1.0, standby=True))
    silent(replay, 2.0, 0.5)
    bring(replay, 2.2, 0)
    assert [subflow.backup for subflow in replay.live] == [False, True]


@given(cut=st.floats(0.5, 5.0), within=st.floats(0.2, 3.0))
def test_a_black_hole_is_left_in_the_stated_time(cut: float, within: float) -> None:
    hole = SimulatedPath("wifi", [(0, 1e6), (cut, 0)], 0.04)
    outcome = simulate(Handover(within), [hole, LTE_PATH], LENGTH)
    assert outcome.seconds is not None
    assert cut + within / 2 <= first_on(outcome, "lte") + 1e-3 <= cut + within
    assert outcome.seconds < cut + within + LENGTH / 1.5e6


@given(cut=st.floats(0.5, 5.0))
def test_an_interface_that_goes_is_left_at_once(cut: float) -> None:
    gone = SimulatedPath("wifi", 1e6, 0.04, cut_at=cut)
    outcome = simulate(Handover(), [gone, LTE_PATH], LENGTH)
    assert first_on(outcome, "lte") == pytest.approx(cut)


@given(pause=st.floats(0.1, 5.0))
def test_a_pause_of_the_server_loses_nothing(pause: float) -> None:
    """Nobody sends for a while: the transfer takes that much longer, and no more."""
    both = [
        SimulatedPath("wifi", [(0, 1e6), (3, 0), (3 + pause, 1e6)], 0.04),
        SimulatedPath("lte", [(0, 1.5e6), (3, 0), (3 + pause, 1.5e6)], 0.1),
    ]
    outcome = simulate(Handover(), both, LENGTH)
    assert outcome.seconds is not None
    assert outcome.seconds <= 10 + pause + 1
    assert outcome.crash is None


def test_a_standby_carries_nothing_while_the_first_path_works() -> None:
    outcome = simulate(Handover(standby=True), [SimulatedPath("wifi", 1e6, 0.04), LTE_PATH], LENGTH)
    assert outcome.carried == {"wifi": LENGTH, "lte": 0}


@pytest.mark.parametrize("bad", [0, -1, math.inf, "1", None])
def test_a_time_is_positive(bad: object) -> None:
    with pytest.raises(ValueError, match="within must be a positive"):
        Handover(bad)  # type: ignore[arg-type]


def test_intents_are_strategies() -> None:
    assert for_intent("handover") == Handover()
    assert for_intent("interactive") == Handover(0.4, standby=True)
    assert for_intent("aggregate") == FullMesh()
    with pytest.raises(ValueError, match="'handover', 'interactive', 'aggregate', not 'bulk'"):
        for_intent("bulk")  # type: ignore[arg-type]


def opens_of(replay: Replay) -> int:
    return sum(isinstance(command, Open) for command in replay.commands)


def test_a_server_that_pauses_again_and_again_is_doubted_once_for_each_doubling() -> None:
    """Such as one that sends something each two seconds; nothing is wrong with the path."""
    replay = replay_of(Handover(1.0))
    for second in range(2, 1000, 2):
        silent(replay, second - 0.2, 1.8)
        bring(replay, float(second), 0)
        replay.change(0, bytes_received=second * 1000)
    assert [subflow.path for subflow in replay.live] == [WIFI]
    # 0.5 s and 1 s of silence were too little; that is tried again now and then.
    assert 2 <= opens_of(replay) < 20


class Unlisted(Replay):
    """A connection over a path that isn't among those that are listed."""

    def paths(self) -> tuple[Path, ...]:
        return self.all_paths[1:]


def test_nothing_is_opened_beside_an_unlisted_path_that_works() -> None:
    replay = Unlisted(Handover(1.0), length=LENGTH)
    for tenth in range(1, 100):
        replay.change(0, bytes_received=tenth * 1000, idle=0.01)
        replay.at(tenth / 10, tenth * 1000)
    assert replay.commands == []
    silent(replay, 11.0, 0.5)
    assert opened(replay.commands) == ["lte"]


def test_a_route_that_comes_and_goes_is_left_once() -> None:
    """While data comes; the path itself works all the time."""
    replay = replay_of(Handover(1.0))
    came = 0
    for second in range(1, 60):
        replay.all_paths = (LTE,) if second % 2 else (WIFI, LTE)
        lost = [Event(float(second), "path_lost", 0, "wifi")] if second % 2 else []
        for tenth in range(10):
            came += 10_000
            replay.change(0, bytes_received=came, idle=0.01)
            replay.at(second + tenth / 10, came, events=lost if not tenth else [])
    assert opened(replay.commands) == ["lte"]
    assert [subflow.path for subflow in replay.live] == [WIFI]


def test_an_address_that_is_gone_is_left_at_once() -> None:
    """The interface has another one, by DHCP: its name is still among the paths."""
    replay = replay_of(Handover(60.0))
    replay.at(1.0, 1_000_000, events=[Event(1.0, "path_lost", 0, "wifi")])
    assert opened(replay.commands) == ["lte"]


class Stream(Replay):
    """A stream, whose idle peer is asked every second whether it is there."""

    late = 0.0

    def asked_for(self) -> float:  # type: ignore[override]
        return self.late


def stream() -> Stream:
    return Stream(Handover(0.8), length=None, answered=False, complete=False)


def test_an_idle_stream_whose_peer_answers_is_left_alone() -> None:
    replay = stream()
    for second in range(1, 100):
        replay.change(0, idle=float(second))
        replay.late = 0.3
        replay.at(float(second), 0)
    assert replay.commands == []


def test_an_idle_stream_whose_peer_doesn_t_answer_goes_elsewhere() -> None:
    """That the peer answers over the new path is enough: nothing need come over it."""
    replay = stream()
    replay.change(0, idle=1.4, heard=1.4)
    replay.late = 0.4
    replay.at(5.0, 0)
    assert opened(replay.commands) == ["lte"]
    replay.change(0, heard=1.6)
    replay.change(1, heard=0.05)
    replay.late = 0.0
    replay.at(5.2, 0)
    assert [command.subflow.id for command in replay.commands if isinstance(command, Close)] == [0]
