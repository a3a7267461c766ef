"""What a path is going to bring: the forecast alone, of rates that are known."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.strategies.forecast import Forecast

LOOKS = st.lists(
    st.tuples(st.floats(0, 10), st.integers(0, 10**8), st.floats(0, 100) | st.just(math.inf)),
    min_size=1,
    max_size=40,
)


def observed(rates: list[float], *, every: float = 0.1) -> Forecast:
    """Return a forecast that has seen these rates, each for a while."""
    forecast, now, count = Forecast(), 0.0, 0.0
    forecast.observe(now, 0)
    for rate in rates:
        now, count = now + every, count + rate * every
        forecast.observe(now, round(count))
    return forecast


def wandering(noise: float, seed: int) -> list[float]:
    """Make 11 s of a rate that wanders about 1 MB/s (Gauss-Markov, correlated over a second)."""
    chance, value, rates = random.Random(seed), 0.0, []
    for _ in range(110):
        value = 0.9 * value + math.sqrt(1 - 0.81) * chance.gauss(0, 1)
        rates.append(1e6 * max(0.05, 1 + noise * value))
    return rates


@given(rate=st.integers(1000, 10**8), looks=st.integers(6, 50), ahead=st.floats(0.1, 100))
def test_a_steady_rate_is_expected_to_stay(rate: int, looks: int, ahead: float) -> None:
    forecast = observed([rate] * looks)
    assert forecast.known
    assert not forecast.falling
    assert forecast.expected(ahead) == pytest.approx(rate * ahead, rel=0.01)
    assert 0 < forecast.deviation(ahead) <= 0.26 * rate * ahead


@given(rate=st.integers(1000, 10**8), jitter=st.floats(0.1, 0.9))
def test_what_only_the_packets_do_is_no_deviation(rate: int, jitter: float) -> None:
    """Looks that catch too few and too many packets in turn say nothing of the time to come."""
    forecast = observed([rate * (1 + jitter * (-1) ** n) for n in range(60)])
    assert forecast.deviation(5) <= 1.1 * observed([rate] * 60).deviation(5)
    assert not forecast.falling


@pytest.mark.parametrize("noise", [0.1, 0.3])
def test_a_rate_that_wanders_is_expected_within_its_deviation(noise: float) -> None:
    """Of 200 wandering rates, most of what comes is within two deviations of the forecast."""
    within = 0
    for seed in range(200):
        rates = wandering(noise, seed)
        forecast = observed(rates[:60])
        came = sum(rates[60:]) * 0.1
        within += abs(came - forecast.expected(5)) <= 2 * forecast.deviation(5)
    assert within >= 0.8 * 200


def test_a_fall_is_noticed_within_a_second_and_not_more_than_what_is_left_is_expected() -> None:
    forecast = observed([1e6] * 40 + [5e5] * 10)
    assert forecast.falling
    assert 2e5 <= forecast.expected(1) <= 6e5


def test_a_fall_that_goes_on_is_expected_to_go_on() -> None:
    """Half of four seconds of fading is over: 0.5 MB are left, and the mean would bring 10 MB."""
    forecast = observed([1e6] * 40 + [1e6 * (1 - n / 40) for n in range(20)])
    assert forecast.falling
    assert 4e5 <= forecast.expected(10) <= 1e6
    assert forecast.expected(100) == forecast.expected(10)


def test_what_is_low_now_returns_to_the_mean() -> None:
    chance, value, rates = random.Random(1), 0.0, []
    for _ in range(60):
        value = 0.9 * value + math.sqrt(1 - 0.81) * chance.gauss(0, 1)
        rates.append(1e6 * (1 + 0.3 * value))
    mean = sum(rates) / len(rates)
    low, high = (observed([*rates, *[mean + step] * 3]) for step in (-2e5, 2e5))
    assert low.expected(0.3) < 0.93 * high.expected(0.3)
    assert low.expected(20) > 0.93 * high.expected(20)


def test_an_outage_is_left_out_of_the_mean() -> None:
    forecast = Forecast(stall_after=0.2)
    for look in range(21):
        forecast.observe(look / 10, look * 100_000)
    for look in range(1, 11):
        forecast.observe(2 + look / 10, 2_000_000, silent=look / 10)
    assert forecast.stalled
    for look in range(11):
        forecast.observe(3 + look / 10, 2_000_000 + look * 100_000)
    assert not forecast.stalled
    assert forecast.rate == pytest.approx(1e6)
    assert forecast.unsteadiness == 0.05


def test_a_silence_is_expected_to_last_and_a_gap_between_packets_to_be_over() -> None:
    forecast = Forecast(stall_after=0.2)
    for look in range(11):
        forecast.observe(look / 10, look * 100_000)
    forecast.observe(1.03, 1_000_000, silent=0.03)
    assert forecast.expected(1.5) == pytest.approx(1.5e6)
    forecast.observe(1.1, 1_000_000, silent=0.1)
    assert not forecast.stalled
    assert forecast.expected(0.5) == 0
    assert 0 < forecast.expected(1.5) <= 1e6


def test_silences_as_there_were_before_are_no_outage() -> None:
    forecast = Forecast(stall_after=0.2)
    for look in range(11):
        forecast.observe(look / 10, look * 100_000)
    forecast.observe(1.1, 1_000_000, silent=0.1)
    assert forecast.expected(1.5) <= 1e6
    forecast.observe(1.2, 1_200_000)
    forecast.observe(1.3, 1_200_000, silent=0.1)
    assert forecast.expected(1.5) == pytest.approx(1.5e6)
    forecast.observe(1.4, 1_200_000, silent=0.19)
    assert forecast.expected(1.5) <= 1e6


def test_what_comes_in_a_pause_tells_nothing() -> None:
    forecast = observed([1e6] * 20)
    forecast.pause()
    forecast.observe(10.0, 2_000_001)
    forecast.observe(10.1, 2_100_001)
    assert forecast.rate == pytest.approx(1e6)


def test_a_path_is_taken_for_steady_only_as_it_is_seen_to_be() -> None:
    none, young, old = observed([]), observed([1e6] * 2), observed([1e6] * 600)
    assert not none.known
    assert young.known
    assert young.deviation(5) >= 9e5
    assert old.deviation(5) <= young.deviation(5) / 3


def test_what_only_the_packets_do_makes_no_path_unsteady() -> None:
    """But no path is taken for steadier than a twentieth."""
    packets = observed([5e5, 1.5e6] * 40)
    wander = [observed(wandering(0.3, seed)).unsteadiness for seed in range(50)]
    assert packets.unsteadiness == 0.05
    assert 0.15 < statistics.median(wander) < 0.4


@given(looks=LOOKS, ahead=st.floats(-1, 1000))
def test_no_history_gives_a_forecast_that_makes_no_sense(
    looks: list[tuple[float, int, float]], ahead: float
) -> None:
    """Times that stand still, counts that fall back, silences of any length: all are numbers."""
    forecast, now = Forecast(), 0.0
    for wait, count, silent in looks:
        now += wait
        forecast.observe(now, count, silent)
        for value in (forecast.expected(ahead), forecast.deviation(ahead)):
            assert value >= 0
            assert math.isfinite(value)
