"""When a player asks for its chunks, and when they are due: by a clock that is made up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.stream import Playback


def test_chunks_are_asked_for_one_period_before_they_are_due() -> None:
    playback = Playback.starting(100.0, 2.0)
    assert playback.wait(100.0) == 0
    assert playback.deadline(100.0) == 2.0
    assert playback.arrived(100.5)
    assert playback.wait(100.5) == pytest.approx(1.5)
    assert playback.deadline(102.0) == pytest.approx(2.0)


def test_playback_waits_for_a_late_chunk() -> None:
    playback = Playback.starting(0.0, 2.0)
    assert not playback.arrived(3.0)
    assert (playback.late, playback.due) == (1, 5.0)


def test_a_buffer_of_several_chunks_is_filled_at_once() -> None:
    playback = Playback.starting(0.0, 2.0, ahead=6.0)
    assert playback.deadline(0.0) == 6.0
    playback.arrived(0.5)
    assert playback.wait(2.0) == 0
    assert playback.deadline(2.0) == 6.0


@given(
    took=st.lists(st.floats(0, 10), max_size=50),
    period=st.floats(0.1, 10),
    ahead=st.none() | st.floats(0.1, 30),
)
def test_no_chunk_is_due_before_the_one_before_was_played(
    took: list[float], period: float, ahead: float | None
) -> None:
    now, playback = 0.0, Playback.starting(0.0, period, ahead)
    for seconds in took:
        now += playback.wait(now)
        before = playback.due
        assert playback.deadline(now) > 0
        now += seconds
        assert playback.arrived(now) == (now <= before)
        assert playback.due >= max(before, now) + period
