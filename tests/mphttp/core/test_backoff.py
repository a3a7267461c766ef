"""A path that refuses or kills subflows rests, and one that works never does."""

from __future__ import annotations

from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.core.backoff import Backoff, Joins
from mphttp.kernel.errors import OpenRefused
from mphttp.kernel.values import SocketAddress

REMOTE = SocketAddress("192.0.2.80", 443)
WIFI, LTE = ("10.0.1.1", REMOTE), ("10.0.2.1", REMOTE)


def opens_until(end: float, every: float, *, proven: bool, lived: float = 0.0) -> list[float]:
    """Ask for a subflow all the time, each of which is killed; return when one was asked for."""
    backoff, opened = Backoff(), list[float]()
    for step in range(round(end / every)):
        now = step * every
        if backoff.refusal(LTE, now, alone=False) is None:
            opened.append(now)
            backoff.failed(LTE, "killed", "", now + lived, proven=proven, lived=lived)
    return opened


def test_what_is_refused_each_time_is_asked_for_less_and_less() -> None:
    assert opens_until(130, 0.5, proven=False) == [0, 2, 6, 14, 30, 62, 122]


def test_what_works_until_it_is_killed_costs_nothing_the_first_time() -> None:
    assert opens_until(20, 0.5, proven=True) == [0, 0.5, 1.5, 3.5, 7.5, 15.5]


def test_what_lives_long_starts_anew() -> None:
    assert opens_until(100, 1, proven=True, lived=31) == [0, 31, 62, 93]


def test_a_failure_is_told_again_while_its_path_rests() -> None:
    backoff = Backoff()
    backoff.failed(LTE, "the peer refused it", "look at the server", 1.0)
    refusal = backoff.refusal(LTE, 2.0, alone=False)
    assert isinstance(refusal, OpenRefused)
    assert (str(refusal), refusal.hint) == ("the peer refused it", "look at the server")
    backoff.explain(LTE, "it was reset", "")
    assert str(backoff.refusal(LTE, 2.0, alone=False)) == "it was reset"


def test_other_addresses_do_not_rest() -> None:
    """Such as the one that DHCP gives the same interface next."""
    backoff = Backoff()
    backoff.failed(LTE, "killed", "", 1.0)
    assert backoff.refusal(WIFI, 1.0, alone=False) is None
    assert backoff.refusal(("10.0.2.9", REMOTE), 1.0, alone=False) is None


def test_where_nothing_is_left_the_rest_is_short() -> None:
    backoff = Backoff()
    for now in (0.0, 10.0, 20.0):
        backoff.failed(LTE, "killed", "", now)
    assert backoff.refusal(LTE, 20.4, alone=True) is not None
    assert backoff.refusal(LTE, 20.5, alone=True) is None
    assert backoff.refusal(LTE, 20.5, alone=False) is not None


@given(st.lists(st.booleans(), min_size=1, max_size=6))
def test_what_is_killed_now_before_and_now_after_it_is_there(turns: list[bool]) -> None:
    """A refusal beside data looks like a limit: that one is opened then excuses no killing."""
    backoff, opened = Backoff(), 0
    backoff.worked(LTE, 0.0)
    for n, refused in zip(range(400), cycle(turns), strict=False):
        now = n * 0.05
        if backoff.refusal(LTE, now, alone=False) is not None:
            continue
        if not refused:
            backoff.opened(LTE)
            opened += 1
        backoff.failed(LTE, "reset", "", now, proven=True, refused=refused)
    assert opened <= 6  # at 0, 0, 1, 3, 7 and 15 of 20 seconds, or later


@given(st.lists(st.sampled_from(["closed", "limit"]), max_size=200))
def test_a_limit_now_and_then_hardly_slows_down_what_works(course: list[str]) -> None:
    """`Refresh` opens and closes for ever; a server at its limit says no in between."""
    backoff, now = Backoff(), 0.0
    backoff.worked(LTE, now)
    for what in course:
        now += 0.1
        if what == "closed":
            backoff.worked(LTE, now)
            assert backoff.refusal(LTE, now, alone=False) is None
        elif backoff.refusal(LTE, now, alone=False) is None:
            backoff.failed(LTE, "limit", "", now, refused=True)


def test_a_limit_is_over_when_a_subflow_opens() -> None:
    backoff = Backoff()
    for now in (0.0, 0.1, 0.3, 0.6):
        backoff.failed(LTE, "limit", "", now, proven=True, refused=True)
    assert backoff.refusal(LTE, 0.9, alone=False) is not None
    backoff.opened(LTE)
    assert backoff.refusal(LTE, 0.9, alone=False) is None
    backoff.failed(LTE, "killed", "", 1.0)
    backoff.opened(LTE)
    assert backoff.refusal(LTE, 1.1, alone=False) is not None


def test_joins_that_are_refused_are_known_for_a_while() -> None:
    joins = Joins()
    assert not joins.any_to(REMOTE)
    joins.refused(LTE, 0.0)
    assert joins.any_to(REMOTE)
    assert joins.all_refused([LTE[0]], REMOTE, 299.0)
    assert not joins.all_refused([LTE[0]], REMOTE, 300.0)
    assert not joins.all_refused([LTE[0], WIFI[0]], REMOTE, 1.0)
    assert not joins.all_refused([], REMOTE, 1.0)
    joins.worked(LTE, 1.0)
    assert not joins.all_refused([LTE[0]], REMOTE, 1.0)


def test_a_limit_says_nothing_of_a_path_that_could_join() -> None:
    """Unlike something on the way that lets the handshake pass, and ends what comes after it."""
    joins = Joins()
    joins.worked(LTE, 0.0)
    joins.refused(LTE, 1.0)
    assert not joins.all_refused([LTE[0]], REMOTE, 1.0)
    joins.killed(LTE, 1.0, brought=0, lived=0.1)
    assert joins.all_refused([LTE[0]], REMOTE, 1.0)


def test_joins_that_are_killed_each_time_are_refused() -> None:
    joins = Joins()
    for now, lasts in ((0.0, False), (400.0, True), (410.0, False)):
        joins.worked(LTE, now)
        joins.killed(LTE, now + 1, brought=100_000, lived=1.0)
        assert not joins.all_refused([LTE[0]], REMOTE, now + 1)
        if lasts:
            joins.lasted(LTE)
    joins.killed(LTE, 412.0, brought=100_000, lived=40.0)
    assert not joins.all_refused([LTE[0]], REMOTE, 412.0)
    joins.worked(LTE, 420.0)
    joins.killed(LTE, 421.0, brought=100_000, lived=1.0)
    assert joins.all_refused([LTE[0]], REMOTE, 421.0)


@pytest.mark.parametrize("peers", [300, 3000])
def test_the_memory_of_joins_is_bounded(peers: int) -> None:
    joins = Joins()
    for port in range(peers):
        joins.refused((LTE[0], SocketAddress("192.0.2.80", port)), 0.0)
    joins.refused(LTE, 400.0)
    assert joins.all_refused([LTE[0]], REMOTE, 401.0)
    assert not joins.any_to(SocketAddress("192.0.2.80", peers - 1))


def test_what_held_up_others_rests_though_it_brought_data() -> None:
    backoff = Backoff()
    backoff.worked(LTE, 0.0)
    for now, rest in ((1.0, 5), (10.0, 10), (30.0, 20), (60.0, 40), (120.0, 60), (200.0, 60)):
        backoff.failed(LTE, "held up", "", now, harmful=True)
        assert backoff.refusal(LTE, now + rest - 0.1, alone=False) is not None
        assert backoff.refusal(LTE, now + rest, alone=False) is None
