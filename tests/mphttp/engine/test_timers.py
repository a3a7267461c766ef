"""Who is to be woken when."""

from __future__ import annotations

from mphttp.engine.timers import Timers


class Owner:
    """Who sets a timer."""


def test_nobody_is_woken_for_an_owner_that_has_gone() -> None:
    timers: Timers[Owner] = Timers()
    gone, there = Owner(), Owner()
    timers.set(gone, 1.0)
    timers.set(there, 2.0)
    del gone
    assert timers.next == 2.0
