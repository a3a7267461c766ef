"""Rates that vary: what they are by construction, and that nothing is lost on the way to a file."""

from __future__ import annotations

import statistics
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.lab.spec import parse_link, parse_trace
from mphttp.testing.supply import Supply
from mphttp.testing.traces import (
    fading,
    gauss_markov,
    in_bytes,
    opportunities,
    rates,
    walking_out,
    with_outages,
    write_trace,
)


@pytest.mark.parametrize("make", [gauss_markov, fading])
@pytest.mark.parametrize("noise", [0.1, 0.3])
def test_rates_have_their_mean_and_their_noise(make, noise: float) -> None:
    values = [rate for _, rate in make(1e6, noise, seconds=2000, seed=1)]
    assert statistics.mean(values) == pytest.approx(1e6, rel=0.1 * (1 + noise))
    assert statistics.stdev(values) == pytest.approx(noise * 1e6, rel=0.25)


@pytest.mark.parametrize("make", [gauss_markov, fading])
def test_the_seed_alone_decides(make) -> None:
    assert make(1e6, 0.3, seconds=10, seed=7) == make(1e6, 0.3, seconds=10, seed=7)
    assert make(1e6, 0.3, seconds=10, seed=7) != make(1e6, 0.3, seconds=10, seed=8)


def test_neighbouring_rates_are_alike_and_distant_ones_are_not() -> None:
    values = [rate for _, rate in gauss_markov(1e6, 0.2, seconds=2000, seed=3, memory=1.0)]
    assert statistics.correlation(values[:-1], values[1:]) == pytest.approx(0.905, abs=0.03)
    assert abs(statistics.correlation(values[:-100], values[100:])) < 0.2


@given(seed=st.integers(0, 1000), up=st.floats(1, 20), down=st.floats(0.1, 3))
def test_outages_take_away_what_they_last_and_nothing_else(
    seed: int, up: float, down: float
) -> None:
    steady = [(n / 10, 1e6) for n in range(300)]
    cut = with_outages(steady, up=up, down=down, seed=seed)
    assert [time for time, _ in cut] == sorted(time for time, _ in cut)
    assert {rate for _, rate in cut} <= {0.0, 1e6}
    gone = sum(b - a for (a, rate), (b, _) in pairwise(cut) if not rate)
    assert Supply(cut).by(cut[-1][0]) == pytest.approx(1e6 * (cut[-1][0] - gone))


def test_who_walks_out_has_nothing_left() -> None:
    trace = walking_out([(n / 10, 1e6) for n in range(100)], begin=2.0, end=6.0)
    by_time = dict(trace)
    assert (by_time[2.0], by_time[6.0], by_time[9.9]) == (1e6, 0.0, 0.0)
    assert by_time[4.0] == pytest.approx(5e5)


@given(
    values=st.lists(st.floats(0, 2e7), min_size=1, max_size=30),
)
def test_opportunities_carry_what_the_rates_promise(values: list[float]) -> None:
    trace = [(n / 10, rate) for n, rate in enumerate(values)]
    seconds = len(values) / 10
    chances = opportunities(trace, seconds=seconds)
    promised = Supply([*trace, (seconds, 0.0)]).by(seconds)
    assert chances == sorted(chances)
    assert chances[-1] == round(seconds * 1000)
    assert len(chances) * 12_000 == pytest.approx(promised, abs=12_001)
    assert sum(rate for _, rate in rates(chances)) / 10 == pytest.approx(len(chances) * 12_000)


def test_the_lab_reads_what_is_written_and_the_file_tells_its_seed(tmp_path: Path) -> None:
    file = tmp_path / "wifi.trace"
    trace = gauss_markov(3e6, 0.3, seconds=5, seed=42)
    write_trace(file, trace, about="gauss_markov(3e6, 0.3, seconds=5, seed=42)")
    assert file.read_text().splitlines()[0] == "# gauss_markov(3e6, 0.3, seconds=5, seed=42)"
    assert list(parse_trace(file)) == opportunities(trace, seconds=5)
    link = parse_link(f"wifi=20ms,trace={file}")
    mean = sum(rate for _, rate in trace) / len(trace)
    assert link.mean_rate == pytest.approx(mean, rel=0.01)


def test_bytes_leave_the_headers_out() -> None:
    assert in_bytes([(0.0, 8e6)], payload=0.9) == [(0.0, 9e5)]


@given(
    values=st.lists(st.just(0.0) | st.floats(1e-3, 1e6), min_size=1, max_size=20),
    amount=st.floats(0, 1e6),
    now=st.floats(0, 30),
)
def test_a_supply_and_its_inverse_agree(values: list[float], amount: float, now: float) -> None:
    supply = Supply([(float(n), rate) for n, rate in enumerate(values)])
    when = supply.when(amount)
    if when < 1e6:
        assert supply.by(when) == pytest.approx(amount, rel=1e-6, abs=1e-3)
    assert supply.when(supply.by(now)) <= now + 1e-6
    assert supply.last_before(now) <= now
