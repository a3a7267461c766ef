"""What a link does to packets: order, rate, queue, delay and loss, without a clock."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.lab.shaper import Shaper
from mphttp.lab.spec import MTU, Link

LINK = Link("a", 0.02, rate=8e6, queue=15_000)  # 1500 bytes take 1.5 ms; ten packets wait
TRACE = Link("a", 0.02, trace=(0, 1, 1, 7, 10), queue=15_000)

arrivals = st.lists(
    st.tuples(st.floats(0, 0.05), st.integers(40, MTU)), min_size=1, max_size=80
).map(lambda gaps: list(_times(gaps)))
links = st.sampled_from([LINK, TRACE, replace(LINK, delay=0.0), replace(TRACE, trace=(3,))])


def _times(gaps: list[tuple[float, int]]) -> list[tuple[float, int]]:
    now, made = 0.0, []
    for gap, size in gaps:
        # Most packets come in bursts, as TCP sends them.
        now += gap if gap > 0.04 else 0.0
        made.append((now, size))
    return made


def pass_through(
    link: Link, packets: list[tuple[float, int]], *, seed: int = 1
) -> tuple[list[tuple[float, int]], set[int]]:
    """Send packets along, and return (time, number) of each that comes out, and who was dropped."""
    shaper: Shaper[int] = Shaper(link, seed=seed)
    dropped, out = set(), []
    for number, (now, size) in enumerate(packets):
        out += drain(shaper, now)
        if not shaper.push(now, size, number):
            dropped.add(number)
    return out + drain(shaper, float("inf")), dropped


def drain(shaper: Shaper[int], until: float) -> list[tuple[float, int]]:
    out = []
    while (time := shaper.next_release()) is not None and time <= until:
        out += [(time, number) for number in shaper.pop(time)]
    return out


def test_a_packet_takes_its_transmission_and_the_delay() -> None:
    out, dropped = pass_through(LINK, [(1.0, 1500)])
    assert out == [(pytest.approx(1.0215), 0)]
    assert not dropped


def test_packets_of_a_burst_leave_one_transmission_apart() -> None:
    out, _ = pass_through(LINK, [(0.0, 1500)] * 3)
    assert [time for time, _ in out] == pytest.approx([0.0215, 0.023, 0.0245])


def test_a_full_queue_drops_the_newest() -> None:
    out, dropped = pass_through(LINK, [(0.0, 1500)] * 12)
    assert [number for _, number in out] == list(range(10))
    assert dropped == {10, 11}


def test_the_queue_has_room_again_when_a_packet_is_through() -> None:
    _, dropped = pass_through(LINK, [(0.0, 1500)] * 10 + [(0.00149, 1500), (0.0015, 1500)])
    assert dropped == {10}


def test_a_trace_delivers_at_its_milliseconds_and_starts_again() -> None:
    out, _ = pass_through(TRACE, [(0.0, 1500)] * 7)
    expected = [0.020, 0.021, 0.021, 0.027, 0.030, 0.030, 0.031]
    assert [time for time, _ in out] == pytest.approx(expected)


def test_a_chance_of_a_trace_carries_several_small_packets() -> None:
    out, _ = pass_through(TRACE, [(0.0, 500)] * 4)
    assert [time for time, _ in out] == pytest.approx([0.020, 0.020, 0.020, 0.021])


def test_a_packet_can_take_parts_of_two_chances() -> None:
    out, _ = pass_through(TRACE, [(0.0, 1000), (0.0, 1000), (0.0, 1000), (0.0, 1)])
    assert [time for time, _ in out] == pytest.approx([0.020, 0.021, 0.021, 0.021])


@pytest.mark.parametrize("number", range(1, 200))
def test_a_chance_is_for_who_is_there_in_time_and_for_one(number: int) -> None:
    at = number / 1000
    every_millisecond = Link("a", 0.0, trace=(1,))
    out, _ = pass_through(every_millisecond, [(at, 1500), (math.nextafter(at, 1), 1500)])
    assert [time for time, _ in out] == [at, (number + 1) / 1000]


def test_chances_that_found_nothing_are_gone() -> None:
    out, _ = pass_through(TRACE, [(0.0, 1500), (0.0035, 1500), (0.0101, 1500)])
    assert [time for time, _ in out] == pytest.approx([0.020, 0.027, 0.031])


@given(links, arrivals)
def test_packets_come_out_in_order_or_not_at_all(
    link: Link, packets: list[tuple[float, int]]
) -> None:
    out, dropped = pass_through(link, packets)
    numbers = [number for _, number in out]
    assert numbers == sorted(set(range(len(packets))) - dropped)
    assert [time for time, _ in out] == sorted(time for time, _ in out)


@given(links, arrivals)
def test_nothing_comes_out_before_its_delay(link: Link, packets: list[tuple[float, int]]) -> None:
    for time, number in pass_through(link, packets)[0]:
        assert time >= packets[number][0] + link.delay - 1e-9


@given(arrivals)
def test_no_span_of_time_carries_more_than_the_rate(packets: list[tuple[float, int]]) -> None:
    out, _ = pass_through(LINK, packets)
    for first, (begin, _) in enumerate(out):
        carried = 0
        for time, number in out[first + 1 :]:
            carried += packets[number][1] * 8
            assert carried <= 8e6 * (time - begin) + 1e-3


@given(arrivals)
def test_no_span_of_time_carries_more_than_the_trace(packets: list[tuple[float, int]]) -> None:
    out, _ = pass_through(TRACE, packets)
    for begin, _ in out:
        end = begin + 0.01 - 1e-9  # a sum may round beyond the chance that ends the span
        carried = sum(packets[number][1] for time, number in out if begin <= time < end)
        # Five chances in 10 ms, and what a packet under way already had of the one before.
        assert carried <= 5 * MTU + MTU


@given(links, arrivals)
def test_the_queue_never_holds_more_than_its_size(
    link: Link, packets: list[tuple[float, int]]
) -> None:
    shaper: Shaper[int] = Shaper(link, seed=1)
    for number, (now, size) in enumerate(packets):
        before = shaper.backlog
        taken = shaper.push(now, size, number)
        assert shaper.backlog <= link.queue_bytes
        assert taken or before + size > link.queue_bytes


@given(links, arrivals, st.floats(0, 1))
def test_each_packet_is_delivered_dropped_or_lost(
    link: Link, packets: list[tuple[float, int]], loss: float
) -> None:
    shaper: Shaper[int] = Shaper(replace(link, loss=loss), seed=1)
    taken = sum(shaper.push(now, size, number) for number, (now, size) in enumerate(packets))
    assert len(drain(shaper, float("inf"))) + shaper.lost == taken
    assert shaper.backlog == 0


@given(links, arrivals, links, st.integers(0, 79))
def test_a_change_at_any_time_keeps_order_and_loses_nothing(
    link: Link, packets: list[tuple[float, int]], other: Link, at: int
) -> None:
    shaper: Shaper[int] = Shaper(link, seed=1)
    out, taken = [], []
    for number, (now, size) in enumerate(packets):
        out += drain(shaper, now)
        if number == at:
            shaper.change(now, other)
        if shaper.push(now, size, number):
            taken.append(number)
    out += drain(shaper, float("inf"))
    assert [number for _, number in out] == taken
    assert [time for time, _ in out] == sorted(time for time, _ in out)


def test_a_changed_rate_holds_for_what_is_left_of_the_packet_under_way() -> None:
    shaper: Shaper[int] = Shaper(LINK, seed=1)
    shaper.push(0.0, 1500, 0)
    shaper.change(0.00075, replace(LINK, rate=4e6))
    assert drain(shaper, 1.0) == [(pytest.approx(0.00075 + 0.0015 + 0.02), 0)]


def test_a_shorter_delay_lets_nobody_overtake() -> None:
    shaper: Shaper[int] = Shaper(LINK, seed=1)
    shaper.push(0.0, 1500, 0)
    shaper.change(0.002, replace(LINK, delay=0.0))
    shaper.push(0.002, 1500, 1)
    assert drain(shaper, 1.0) == [(pytest.approx(0.0215), 0), (pytest.approx(0.0215), 1)]


def test_total_loss_takes_what_is_in_flight_too() -> None:
    shaper: Shaper[int] = Shaper(LINK, seed=1)
    shaper.push(0.0, 1500, 0)
    shaper.change(0.01, replace(LINK, loss=1.0))
    assert drain(shaper, 1.0) == []
    assert shaper.lost == 1


def test_loss_is_the_share_it_says_and_the_seed_s() -> None:
    packets = [(number / 100, 1000) for number in range(2000)]
    lossy = replace(LINK, loss=0.1)
    out, _ = pass_through(lossy, packets)
    assert 1700 < len(out) < 1900
    assert out == pass_through(lossy, packets)[0]
    assert out != pass_through(lossy, packets, seed=2)[0]


def test_flush_forgets_everything() -> None:
    shaper: Shaper[int] = Shaper(LINK, seed=1)
    for number in range(3):
        shaper.push(0.0, 1500, number)
    shaper.pop(0.002)
    assert shaper.flush() == 3
    assert shaper.next_release() is None
    assert shaper.backlog == 0
    shaper.push(0.002, 1500, 9)
    assert drain(shaper, 1.0) == [(pytest.approx(0.0235), 9)]
