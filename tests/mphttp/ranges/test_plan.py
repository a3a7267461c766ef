"""The plan under sources of any rate and latency, that pause, stall, close and come back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mphttp.ranges.plan import LEAST_BLOCK, Fetch, Plan, Source

from .simulation import Line, Simulation

MB = 1_000_000
RATES = st.floats(50e3, 6e6)
LATENCIES = st.floats(0.001, 0.3)


@dataclass(frozen=True)
class Trouble:
    """What befalls a line: `what` is "pause", "stall" or "close"."""

    at: float
    line: int
    what: str
    seconds: float

    def befall(self, simulation: Simulation, survivor: int) -> None:
        number = self.line % len(simulation.lines)
        line = simulation.lines[number]
        if self.what == "pause":
            simulation.at(self.at, partial(simulation.pause, line, True))
            simulation.at(self.at + self.seconds, partial(simulation.pause, line, False))
        elif number != survivor:
            act: Callable[[], None] = partial(simulation.stall, line, self.seconds)
            if self.what == "close":
                act = partial(simulation.close, line)
            simulation.at(self.at, act)


TROUBLES = st.builds(
    Trouble,
    at=st.floats(0, 4),
    line=st.integers(0, 3),
    what=st.sampled_from(["pause", "stall", "close"]),
    seconds=st.floats(0, 5) | st.just(1e6),
)
OTHERS = st.builds(Line, rate=RATES, latency=LATENCIES, opens_at=st.floats(0, 2))


@given(
    length=st.integers(1, 4 * MB),
    first=st.builds(Line, rate=RATES, latency=LATENCIES),
    others=st.lists(OTHERS, min_size=1, max_size=3),
    troubles=st.lists(TROUBLES, max_size=8),
    survivor=st.integers(0, 3),
)
def test_as_long_as_one_works_the_body_comes_whole(
    length: int, first: Line, others: list[Line], troubles: list[Trouble], survivor: int
) -> None:
    """Whatever befalls the others: each byte is given once, and the end comes."""
    simulation = Simulation(length, first, *others)
    one = survivor % len(simulation.lines)
    for trouble in troubles:
        trouble.befall(simulation, one)
    alone = length / simulation.lines[one].rate
    # It begins late, and may wait for those that fell silent, again and again. Paused for good it
    # still takes up what nobody else works on.
    simulation.run(within=3 * alone + 60)


@pytest.mark.slow
@settings(max_examples=30)
@given(
    length=st.integers(2 * MB, 30 * MB),
    rate=st.floats(0.5e6, 5e6),
    times=st.floats(0.25, 6),
    latency=st.floats(0.005, 0.05),
    later=st.floats(0.02, 0.2),
)
def test_two_steady_paths_end_together(
    length: int, rate: float, times: float, latency: float, later: float
) -> None:
    """Until a far faster path is known for that, some round trips pass: 3 mostly, 8 at worst."""
    first = Line(rate, latency)
    other = Line(rate * times, later, opens_at=latency + later)
    simulation = Simulation(length, first, other)
    seconds = simulation.run()
    unused = first.rate * latency + other.rate * (latency + 2 * later)
    best = (length + unused) / (first.rate + other.rate)
    assert seconds <= 1.02 * best + 10 * later
    assert simulation.brought <= 1.05 * length + LEAST_BLOCK


@pytest.mark.parametrize("slow", [0.1e6, 1e6])
def test_three_paths_end_together(slow: float) -> None:
    """In 10 s no path of three has nothing to do for longer than a round trip or two."""
    lines = [Line(1e6, 0.02), Line(2e6, 0.05, 0.07), Line(slow, 0.1, 0.12)]
    simulation = Simulation(30 * MB, *lines)
    assert simulation.run() <= 1.03 * 30 * MB / sum(line.rate for line in lines) + 0.2
    assert simulation.brought <= 1.02 * 30 * MB


def test_a_paused_source_asks_for_nothing_more() -> None:
    """It ends what it has begun, which takes a block's time, and somebody else does the rest."""
    other = Line(1e6, 0.05, 0.1)
    simulation = Simulation(8 * MB, Line(1e6, 0.02), other)
    simulation.at(2.0, lambda: simulation.pause(other, True))
    simulation.run()
    assert max(at for at, line, _ in simulation.asked if line is other) < 2.0
    assert other.brought == sum(fetch.stop - fetch.start for _, _, fetch in simulation.asked)
    assert other.brought < 2.4e6


def test_a_source_that_is_resumed_goes_on() -> None:
    other = Line(1e6, 0.05, 0.1)
    simulation = Simulation(8 * MB, Line(1e6, 0.02), other)
    simulation.at(1.0, lambda: simulation.pause(other, True))
    simulation.at(3.0, lambda: simulation.pause(other, False))
    assert simulation.run() < 5.2
    assert not [at for at, _, _ in simulation.asked if 1.0 <= at < 3.0]


def test_a_path_that_dies_gives_its_part_back() -> None:
    """What it had begun is brought by the first response, which comes that way anyhow."""
    other = Line(1e6, 0.05, 0.1)
    simulation = Simulation(4 * MB, Line(1e6, 0.02), other)
    simulation.at(1.0, lambda: simulation.close(other))
    assert simulation.run() < 3.4
    assert simulation.brought <= 4 * MB + 0.3e6  # of its last block what it had brought


def test_another_path_takes_over_what_a_path_that_died_had_begun() -> None:
    lines = [Line(0.1e6, 0.02), Line(1e6, 0.05, 0.1), Line(1e6, 0.05, 0.1)]
    simulation = Simulation(4 * MB, *lines)
    simulation.at(1.0, lambda: simulation.close(lines[1]))
    assert simulation.run() < 3.6
    assert simulation.brought <= 1.03 * 4 * MB


def test_a_stalled_block_is_taken_by_another() -> None:
    """Its beginner waits for ever; nobody else does, and the first response needn't come to it."""
    lines = [Line(0.1e6, 0.02), Line(1e6, 0.05, 0.1), Line(1e6, 0.05, 0.1)]
    simulation = Simulation(4 * MB, *lines)
    simulation.at(1.0, lambda: simulation.stall(lines[1], 1e6))
    assert simulation.run() < 4.5


def test_a_stalled_first_response_is_taken_over_at_its_front() -> None:
    """After a second the reader gets on, long before the rest is here."""
    first, other = Line(1e6, 0.02), Line(1e6, 0.05, 0.1)
    simulation = Simulation(8 * MB, first, other)
    simulation.at(1.0, lambda: simulation.stall(first, 1e6))
    at_three = []
    simulation.at(3.0, lambda: at_three.append(simulation.plan.have.missing(0, 8 * MB)[0][0]))
    assert simulation.run() < 8.5
    assert at_three[0] > 1.5 * MB


def test_a_paused_first_response_goes_on_where_all_others_stall() -> None:
    """As a backup does; the body would never end."""
    first, other = Line(1e6, 0.02), Line(1e6, 0.05, 0.1)
    simulation = Simulation(4 * MB, first, other)
    simulation.at(0.5, lambda: simulation.pause(first, True))
    simulation.at(1.0, lambda: simulation.stall(other, 1e6))
    assert simulation.run() < 6.0


def test_without_its_first_response_a_body_comes_in_order() -> None:
    """The reader waits for the lowest byte, so that comes first."""
    first, other = Line(1e6, 0.02), Line(1e6, 0.05, 0.1)
    simulation = Simulation(8 * MB, first, other)
    simulation.at(1.0, lambda: simulation.close(first))
    simulation.run()
    later = [fetch.start for at, _, fetch in simulation.asked if at > 1.5]
    assert len(later) > 5
    assert later == sorted(later)


def test_nobody_idles_while_something_is_free() -> None:
    """At each moment of two steady paths the second has been asked for something."""
    other = Line(2e6, 0.1, 0.12)
    simulation = Simulation(20 * MB, Line(1e6, 0.02), other)
    idle = []
    for n in range(2, 60):
        simulation.at(n / 10, lambda: idle.append(not other.source.fetches))
    assert simulation.run() > 6.0
    assert not any(idle)


def test_a_source_that_is_gone_is_given_nothing() -> None:
    """What still comes of it would be taken for the beginning of that (a byte in a wrong place)."""
    plan, source = Plan(MB), Source(1)
    plan.join(source)
    assert plan.next(source, 0.0)
    plan.leave(source)
    assert plan.next(source, 0.0) is None
    assert not source.fetches


def test_a_first_block_is_small() -> None:
    """Nothing is known of a new path: it may be the slowest of all."""
    plan, first, other = Plan(100 * MB), Source(0, streams=True), Source(1)
    plan.stream(first, 0.0)
    plan.join(other)
    fetch = plan.next(other, 0.0)
    assert fetch
    assert (fetch.start, fetch.stop) == (100 * MB - LEAST_BLOCK, 100 * MB)


def test_silence_counts_only_while_somebody_waits() -> None:
    """A reader who rests doesn't make a source slow, nor does he wake one that has stalled."""
    source = Source(0, streams=True)
    plan = Plan(MB)
    plan.stream(source, 0.0)
    source.wait(1.0)
    source.rest(1.5)
    assert source.silence(9.0) == 1.5
    source.wait(9.0)
    assert source.silence(9.25) == 1.75


def next_of_a_last_bit(rate: float) -> Fetch | None:
    """Return what another source is asked for when the first one, at this rate, lacks 1 kB."""
    plan, first, other = Plan(MB), Source(0, streams=True), Source(1, latency=0.05)
    plan.stream(first, 0.0)
    plan.join(other)
    plan.came(first, MB // 2, 1.0)
    plan.have.add(MB // 2 + 1000, MB)
    first.rate, other.rate = rate, 1e6
    return plan.next(other, 1.0)


def test_a_last_bit_that_is_slow_to_come_is_taken_over() -> None:
    """However little it is: the first response brings five bytes a second."""
    fetch = next_of_a_last_bit(5.0)
    assert fetch is not None
    assert (fetch.start, fetch.stop) == (MB // 2, MB // 2 + 1000)


def test_a_last_bit_that_comes_at_once_is_left() -> None:
    assert next_of_a_last_bit(1e6) is None
