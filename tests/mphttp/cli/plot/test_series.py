"""Samples become rates, subflows get rows, and axes get round numbers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.cli.plot.facts import Span
from mphttp.cli.plot.lanes import lanes
from mphttp.cli.plot.series import rates, stacked, ticks

SECONDS = st.floats(0.001, 1000)


@st.composite
def cumulative(draw: st.DrawFn) -> list[tuple[float, int]]:
    """Samples of a transfer: times and totals that never fall."""
    times = sorted(draw(st.lists(SECONDS, min_size=1, max_size=30, unique=True)))
    steps = draw(st.lists(st.integers(0, 10**7), min_size=len(times), max_size=len(times)))
    return [(at, sum(steps[: n + 1])) for n, at in enumerate(times)]


@given(cumulative())
def test_no_byte_is_lost_between_samples_and_rates(samples: list[tuple[float, int]]) -> None:
    end, total = samples[-1]
    told = rates(samples, end)
    assert sum(told.values) * told.step / 8 == pytest.approx(total, abs=1)
    assert min(told.values) >= -1e-6
    assert 1 <= len(told.values) <= 60


def test_a_steady_rate_is_flat() -> None:
    told = rates([(0.1 * n, 100_000 * n) for n in range(1, 101)], 10)
    assert told.values == pytest.approx([8e6] * 50)


def test_what_stopped_stays_where_it_was() -> None:
    told = rates([(1.0, 1_000_000)], 2.0)
    assert told.values == pytest.approx([8e6] * 5 + [0.0] * 5)


def test_one_path_is_put_upon_the_other() -> None:
    one, other = rates([(1.0, 1000)], 1.0), rates([(1.0, 3000)], 1.0)
    (low, middle), (also_middle, high) = stacked([one, other])
    assert low == [0.0] * 5
    assert middle == also_middle == pytest.approx([8000] * 5)
    assert high == pytest.approx([32000] * 5)


@given(st.floats(1e-6, 1e9), st.integers(4, 10))
def test_ticks_are_even_and_few_and_reach_far(end: float, most: int) -> None:
    marks = ticks(end, most)
    assert marks[0] == 0
    assert 2 <= len(marks) <= most + 1
    steps = [later - earlier for earlier, later in pairwise(marks)]
    assert steps == pytest.approx([steps[0]] * len(steps))
    assert marks[-1] <= end * (1 + 1e-6)
    assert marks[-1] + steps[0] > end * (1 - 1e-6)


@given(st.lists(st.tuples(st.sampled_from("abc"), SECONDS, SECONDS), min_size=1, max_size=20))
def test_no_two_subflows_of_a_row_overlap(lives: list[tuple[str, float, float]]) -> None:
    """And each path's rows are its own."""
    spans = [Span(n, path, begin, begin + long) for n, (path, begin, long) in enumerate(lives)]
    told = lanes(spans, tuple(dict.fromkeys(path for path, *_ in lives)))
    rows: dict[int, list[Span]] = {}
    for span, row in zip(spans, told.rows, strict=True):
        rows.setdefault(row, []).append(span)
    for inside in rows.values():
        assert len({span.path for span in inside}) == 1
        ordered = sorted(inside, key=lambda span: span.begin)
        assert all(one.end <= other.begin for one, other in pairwise(ordered))
    assert set(rows) == set(range(told.count))
    assert [told.first_row(path) for path, _ in told.paths] == [
        min(row for row, inside in rows.items() if inside[0].path == path) for path, _ in told.paths
    ]


def test_subflows_one_after_the_other_share_a_row() -> None:
    spans = [Span(n, "wifi", n, n + 1) for n in range(5)]
    assert lanes(spans, ["wifi"]).count == 1
