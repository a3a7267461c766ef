"""What strategies decide while a request leaves, and before its response's head is there."""

from __future__ import annotations

import pytest

from mphttp.strategies import (
    Deadline,
    DelayedByContentLength,
    Event,
    FullMesh,
    Handover,
    Mark,
    Open,
    Refresh,
    Strategy,
)
from mphttp.testing import LTE, Replay

HEAD = (Event(0.0, "response"),)


def request(strategy: Strategy, length: int | None = None, waiting: int = 100) -> Replay:
    """Let a request leave whose response's head isn't there."""
    return Replay(strategy, length, answered=False, waiting=waiting)


def test_a_request_that_nobody_acknowledges_is_handed_over() -> None:
    replay = request(Handover())
    replay.change(0, idle=60.0)  # the connection was idle: that is no silence
    assert replay.at(0.1, 0) == []
    assert replay.at(0.5, 0) == [Open(LTE)]


def test_a_peer_that_thinks_has_more_time_than_one_that_acknowledges_nothing() -> None:
    replay = request(Handover(), waiting=0)
    for at in (0.5, 1.0, 1.9):
        replay.change(0, idle=at)
        assert replay.at(at, 0) == []
    replay.change(0, idle=2.5)
    assert replay.at(2.5, 0) == [Open(LTE)]


def test_a_deadline_helps_a_request_that_nobody_acknowledges() -> None:
    replay = request(Deadline(10))
    replay.change(0, idle=0.3)
    assert replay.at(0.3, 0) == []
    replay.change(0, idle=0.8)
    assert replay.at(0.8, 0) == [Open(LTE)]


def test_a_deadline_keeps_a_path_in_reserve_after_half_the_time() -> None:
    replay = request(Deadline(10), waiting=0)
    assert replay.at(4.9, 0) == []
    assert replay.at(5.2, 0) == [Open(LTE, backup=True)]


@pytest.mark.parametrize(("length", "opens"), [(2_000_000, True), (500_000, False)])
def test_the_requests_length_counts(length: int, opens: bool) -> None:
    replay = request(DelayedByContentLength(1_000_000), length)
    assert (replay.commands == [Open(LTE)]) is opens


def test_a_large_answer_to_a_small_upload_counts_as_itself() -> None:
    replay = request(DelayedByContentLength(1_000_000), 900_000)
    replay.length, replay.answered = 900_000 + 500_000, True
    assert replay.at(1.0, 900_000, events=HEAD) == []
    replay = request(DelayedByContentLength(1_000_000), 900_000)
    replay.length, replay.answered = 900_000 + 5_000_000, True
    assert replay.at(1.0, 900_000, events=HEAD) == [Open(LTE)]


def test_strategies_that_want_nothing_before_the_head_say_so() -> None:
    """So that a short request costs nothing more."""
    assert not any(s.early for s in (DelayedByContentLength(1), Refresh(1), Mark("ef")))
    early = (Handover(), Deadline(1), FullMesh(), Refresh(every=1), Mark("ef") & Handover())
    assert all(s.early for s in early)
    assert not Deadline(1, rule="half").early
