"""The virtual clock and its fluid: times and shares that one can work out by hand."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.strategies import (
    Close,
    Deadline,
    FullMesh,
    NDiffPorts,
    Open,
    OpenFailed,
    Refresh,
    SetBackup,
    SinglePath,
    Steps,
    Strategy,
    Transfer,
    Until,
)
from mphttp.testing import LTE, SimulatedPath, simulate

WIFI = SimulatedPath("wifi", 1e6, 0.04)


def test_one_path_takes_length_by_rate() -> None:
    assert simulate(SinglePath(), [WIFI], 5_000_000).seconds == pytest.approx(5.0)


def test_two_paths_add_up_from_the_end_of_the_handshake() -> None:
    other = SimulatedPath("lte", 1e6, handshake=1.0)
    outcome = simulate(FullMesh(), [WIFI, other], 5_000_000)
    assert outcome.seconds == pytest.approx(3.0)
    assert outcome.carried == {"wifi": 3_000_000, "lte": 2_000_000}


def test_subflows_share_their_path() -> None:
    assert simulate(NDiffPorts(3), [WIFI], 5_000_000).seconds == pytest.approx(5.0)


def test_a_trace_is_followed() -> None:
    path = SimulatedPath("wifi", [(0, 1e6), (2, 5e5), (4, 2e6)])
    assert simulate(SinglePath(), [path], 5_000_000).seconds == pytest.approx(5.0)


def test_what_never_comes_is_given_up() -> None:
    hole = SimulatedPath("wifi", [(0, 1e6), (1, 0)])
    outcome = simulate(SinglePath(), [hole], 5_000_000, give_up_after=10)
    assert (outcome.seconds, outcome.received) == (None, 1_000_000)


def test_the_length_may_be_unknown() -> None:
    outcome = simulate(
        Deadline(4), [WIFI, SimulatedPath("lte", 1e6)], 5_000_000, length_known=False
    )
    assert outcome.commands == ((2.0, Open(LTE)),)


@dataclass(frozen=True)
class Pauses(Strategy):
    """Pauses the first subflow after 2 s, while another works or while none does."""

    alone: bool

    def run(self, transfer: Transfer) -> Steps:
        if not self.alone:
            yield Open(LTE)
        yield Until(elapsed=2)
        yield SetBackup(transfer.subflows[0], True)


@pytest.mark.parametrize(("alone", "wifi"), [(False, 2_000_000), (True, 5_000_000)])
def test_a_backup_carries_only_while_no_regular_subflow_does(alone: bool, wifi: int) -> None:
    other = SimulatedPath("lte", 1e5, handshake=0.5)
    outcome = simulate(Pauses(alone), [WIFI, other], 5_000_000)
    assert outcome.carried["wifi"] == wifi


def test_the_last_subflow_stays() -> None:
    @dataclass(frozen=True)
    class ClosesAll(Strategy):
        def run(self, transfer: Transfer) -> Steps:
            yield Close(transfer.current)

    outcome = simulate(ClosesAll(), [WIFI], 1_000_000)
    assert outcome.seconds == pytest.approx(1.0)
    assert "last subflow" in str(outcome.crash)


def test_nothing_opens_on_what_is_dead() -> None:
    told = []

    @dataclass(frozen=True)
    class Tries(Strategy):
        def run(self, transfer: Transfer) -> Steps:
            for path in transfer.unused_paths:
                try:
                    yield Open(path)
                except OpenFailed:
                    told.append(transfer.elapsed)

    dead = [SimulatedPath("lte", 0.0), SimulatedPath("eth", 1e6, cut_at=3.0, handshake=1.0)]
    simulate(Tries(), [WIFI, *dead], 8_000_000)
    assert told == [5.0, 5.0]  # nobody answers for 5 s; what is gone says so at once


def test_a_strategy_that_never_waits_is_ended_and_the_body_comes() -> None:
    @dataclass(frozen=True)
    class Restless(Strategy):
        def run(self, transfer: Transfer) -> Steps:
            while True:
                yield SetBackup(transfer.current, False)

    outcome = simulate(Restless(), [WIFI], 1_000_000)
    assert outcome.seconds == pytest.approx(1.0)
    assert "without waiting" in str(outcome.crash)


@given(
    rates=st.lists(st.floats(1e3, 1e7), min_size=1, max_size=4),
    length=st.integers(1, 10_000_000),
    threshold=st.integers(10_000, 1_000_000),
)
def test_every_byte_comes_over_some_path_and_none_twice(
    rates: list[float], length: int, threshold: int
) -> None:
    paths = [SimulatedPath(f"eth{n}", rate) for n, rate in enumerate(rates)]
    outcome = simulate(
        FullMesh() & Refresh(threshold, rotate=True), paths, length, give_up_after=1e6
    )
    assert outcome.received == length
    assert sum(outcome.carried.values()) == pytest.approx(length, abs=10 + len(paths))
    assert outcome.crash is None


def test_slow_start_and_the_first_round_trip_cost_their_time() -> None:
    """A round trip without data, then windows of 10, 20 and 40 segments, then the rate."""
    path = SimulatedPath("wifi", 1e6, 0.1, slow_start=True)
    windows = 1428 * (10 + 20 + 40)
    seconds = simulate(SinglePath(), [path], 5_000_000).seconds
    assert seconds == pytest.approx(0.1 + 0.3 + (5_000_000 - windows) / 1e6, rel=1e-3)


def test_a_paused_subflow_brings_what_is_on_its_way() -> None:
    other = SimulatedPath("lte", 1e5, handshake=0.5)
    wifi = SimulatedPath("wifi", 1e6, 0.04, lag=0.25)
    assert simulate(Pauses(False), [wifi, other], 5_000_000).carried["wifi"] == 2_250_000


def test_the_peer_turns_to_a_backup_when_all_else_has_been_silent_for_three_seconds() -> None:
    @dataclass(frozen=True)
    class StandsBy(Strategy):
        def run(self, transfer: Transfer) -> Steps:
            yield Open(LTE, backup=True)

    wifi = SimulatedPath("wifi", [(0, 1e6), (2, 0)])
    outcome = simulate(StandsBy(), [wifi, SimulatedPath("lte", 1e6)], 5_000_000)
    assert outcome.seconds == pytest.approx(2 + 3 + 3)


@given(begin=st.floats(0, 1000), look=st.floats(0.01, 3))
def test_a_strategy_that_waits_resumes_whenever_the_transfer_begins(
    begin: float, look: float
) -> None:
    """Times that can't be written exactly in binary must not be missed for ever."""

    @dataclass(frozen=True)
    class Looks(Strategy):
        def run(self, transfer: Transfer) -> Steps:
            for n in range(1, 4):
                yield Until(elapsed=n * look)
            yield SetBackup(transfer.current, False)

    outcome = simulate(Looks(), [WIFI], 10_000_000, begin=begin)
    assert [time for time, _ in outcome.commands] == [pytest.approx(3 * look)]


def test_what_is_queued_comes_over_its_path_whoever_is_idle() -> None:
    """LTE is there after 0.5 s: by then all but 0.5 MB of 2 MB is in Wi-Fi's queue, or came."""
    wifi = SimulatedPath("wifi", 1e6, queue=1e6)
    outcome = simulate(FullMesh(), [wifi, SimulatedPath("lte", 1e6, handshake=0.5)], 2_000_000)
    assert outcome.carried == {"wifi": pytest.approx(1.75e6), "lte": pytest.approx(0.25e6)}
    assert outcome.seconds == pytest.approx(1.75)


def test_a_paused_subflow_brings_what_is_queued_for_it() -> None:
    wifi = SimulatedPath("wifi", 1e6, 0.04, queue=3e5)
    other = SimulatedPath("lte", 1e5, handshake=0.5)
    outcome = simulate(Pauses(False), [wifi, other], 5_000_000)
    assert outcome.carried["wifi"] == pytest.approx(2_300_000, rel=0.02)


def test_what_is_queued_for_a_path_that_falls_silent_comes_again_over_another() -> None:
    wifi = SimulatedPath("wifi", [(0, 1e6), (2, 0)], queue=5e5)
    outcome = simulate(FullMesh(), [wifi, SimulatedPath("lte", 1e6)], 9_000_000)
    assert outcome.carried["wifi"] == pytest.approx(2e6)
    assert outcome.seconds == pytest.approx(7.0, abs=0.2)


@pytest.mark.parametrize("strategy", [FullMesh() & Refresh(300_000, rotate=True), Deadline(4)])
def test_no_byte_is_lost_in_a_queue(strategy: Strategy) -> None:
    paths = [SimulatedPath(name, rate, queue=4e5) for name, rate in (("wifi", 6e5), ("lte", 8e5))]
    outcome = simulate(strategy, paths, 3_000_000)
    assert outcome.received == sum(outcome.carried.values()) == 3_000_000
    assert outcome.crash is None
