"""Intervals say of any bytes what a plain set of offsets says."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mphttp.ranges.intervals import Intervals

interval = st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda pair: tuple(sorted(pair)))


@given(st.lists(interval, max_size=20), interval)
def test_like_a_set(added: list[tuple[int, int]], asked: tuple[int, int]) -> None:
    intervals, offsets = Intervals(), set[int]()
    for start, stop in added:
        intervals.add(start, stop)
        offsets |= set(range(start, stop))
    missing = intervals.missing(*asked)
    assert intervals.size == len(offsets)
    assert {o for gap in missing for o in range(*gap)} == set(range(*asked)) - offsets
    assert missing == sorted(missing)
    assert all(start < stop for start, stop in missing)
    assert intervals.covers(*asked) == (not missing)
    assert all(b[0] > a[1] for a, b in pairwise(missing))
