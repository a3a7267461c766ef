"""When the kernel's events are read: at once while somebody waits, else many together."""

from __future__ import annotations

import math

from mphttp.engine.leisure import Leisure
from mphttp.engine.timers import Timers

EVENTS = 5


class Owner:
    """Who sets a timer."""


def test_a_descriptor_rests_after_it_was_read() -> None:
    leisure = Leisure()
    assert leisure.begin(EVENTS, 1.0)
    assert 1.0 < leisure.until < 1.1
    assert leisure.over(1.0) == []
    assert leisure.over(leisure.until) == [EVENTS]
    assert (leisure.until, leisure.over(9.0)) == (math.inf, [])


def test_nothing_rests_while_somebody_waits_for_events() -> None:
    leisure = Leisure()
    leisure.end(1.0)
    assert not leisure.begin(EVENTS, 1.9)
    assert leisure.begin(EVENTS, 2.1)


def test_what_rests_is_looked_at_as_soon_as_somebody_waits() -> None:
    leisure = Leisure()
    leisure.begin(EVENTS, 1.0)
    leisure.end(1.001)
    assert leisure.over(1.001) == [EVENTS]


def test_nobody_is_woken_for_an_owner_that_has_gone() -> None:
    timers: Timers[Owner] = Timers()
    gone, there = Owner(), Owner()
    timers.set(gone, 1.0)
    timers.set(there, 2.0)
    del gone
    assert timers.next == 2.0
