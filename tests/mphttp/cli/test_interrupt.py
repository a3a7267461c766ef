"""Time limits: one within another, begun anew, and told again."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from mphttp.cli.interrupt import TimeIsOver, time_limit

SOON = 0.05
LATER = 30.0
"""Seconds; the tests' own time-out is twice as long."""


def wait() -> None:
    time.sleep(LATER)
    raise AssertionError("nothing ended the wait")


def wait_within(seconds: float) -> None:
    """Wait, drop what that limit says, and wait on."""
    with suppress(TimeIsOver), time_limit(seconds):
        wait()
    wait()


def wait_twice() -> None:
    with suppress(TimeIsOver):
        wait()
    wait()


def test_a_limit_ends_a_wait_and_leaves_no_timer() -> None:
    before = signal.getsignal(signal.SIGALRM), bool(signal.getitimer(signal.ITIMER_REAL)[0])
    with pytest.raises(TimeIsOver), time_limit(SOON):
        wait()
    after = signal.getsignal(signal.SIGALRM), bool(signal.getitimer(signal.ITIMER_REAL)[0])
    assert after == before


def test_a_limit_holds_within_a_longer_one() -> None:
    with pytest.raises(TimeIsOver), time_limit(SOON), time_limit(LATER):
        wait()


def test_a_limit_holds_after_a_shorter_one() -> None:
    with pytest.raises(TimeIsOver), time_limit(2 * SOON):
        wait_within(SOON)


def test_a_limit_that_begins_anew_grants_more() -> None:
    with time_limit(LATER) as limit:
        limit.anew(LATER)
        left, _ = signal.getitimer(signal.ITIMER_REAL)
        assert left > LATER


@pytest.mark.slow
def test_a_limit_that_hit_where_exceptions_are_dropped_is_told_again() -> None:
    with pytest.raises(TimeIsOver), time_limit(SOON):
        wait_twice()


class EndsWith:
    """Its destructor is where a signal comes, or something fails."""

    def __init__(self, ending: Callable[[], object]) -> None:
        self.ending = ending

    def __del__(self) -> None:
        self.ending()


def fail() -> None:
    raise RuntimeError


def test_of_what_python_drops_meanwhile_the_limit_alone_goes_unsaid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[object] = []
    monkeypatch.setattr("sys.unraisablehook", lambda dropped: said.append(dropped.exc_type))
    with time_limit(LATER):
        EndsWith(lambda: signal.raise_signal(signal.SIGALRM))
        EndsWith(fail)
    EndsWith(fail)
    assert said == [RuntimeError, RuntimeError]
