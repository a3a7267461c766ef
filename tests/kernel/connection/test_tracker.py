"""What events and looks add up to, without a kernel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.kernel import ConnectionInfo, FourTuple, SocketAddress, SubflowInfo, TCPState
from mphttp.kernel import events as kernel
from mphttp.kernel.connection.tracker import ConnectionTracker
from mphttp.kernel.connection_events import (
    AddressAnnounced,
    AddressRemoved,
    ConnectionClosed,
    ConnectionEstablished,
    ConnectionEvent,
    EventsLost,
    RetransmissionTimeout,
    SubflowClosed,
    SubflowOpened,
)

TOKEN = 7


def pair(number: int) -> FourTuple:
    return FourTuple(SocketAddress("10.0.0.1", 1000 + number), SocketAddress("10.0.0.2", 80))


def subflow(number: int, state: TCPState = TCPState.ESTABLISHED) -> SubflowInfo:
    return SubflowInfo(number, pair(number), state, 0.01, 0, 0, 0, 0.0, timeouts=0)


def look(*subflows: SubflowInfo | int, established: bool = True) -> ConnectionInfo:
    there = tuple(subflow(s) if isinstance(s, int) else s for s in subflows)
    return ConnectionInfo(TOKEN, 0, established, there)


def opened(number: int, token: int = TOKEN) -> kernel.SubflowEstablished:
    return kernel.SubflowEstablished(token, pair(number), 1, 1, False, 2)


def closed(number: int, error: int = 0, reset: int | None = None) -> kernel.SubflowClosed:
    return kernel.SubflowClosed(TOKEN, pair(number), 1, 1, error, reset)


def tracker(*subflows: int, events_tell: bool = True) -> ConnectionTracker:
    return ConnectionTracker(look(*subflows), events_tell=events_tell)


def test_what_is_there_at_the_beginning_is_not_told() -> None:
    assert tracker(1, 2).step([], look(1, 2)) == []


def test_events_tell_and_looks_name() -> None:
    """The look gives the ids; what it shows and no event told waits for its event."""
    one = tracker(1)
    assert one.step([], look(1, 2)) == []
    assert one.step([opened(2)], look(1, 2)) == [SubflowOpened(2, pair(2))]
    assert one.step([closed(1, error=104)], look(2)) == [SubflowClosed(1, pair(1), 104)]


def test_a_short_life_between_looks_has_no_id_unless_we_began_it() -> None:
    one = tracker(1)
    short = [opened(2), closed(2)]
    assert one.step(short, look(1)) == [SubflowOpened(None, pair(2)), SubflowClosed(None, pair(2))]
    one.on_syn(subflow(3, TCPState.SYN_SENT))
    assert one.step([closed(3, error=111)], look(1)) == [SubflowClosed(3, pair(3), 111)]


def test_other_connections_are_passed_over() -> None:
    assert tracker(1).step([opened(2, token=8)], look(1)) == []


def test_a_subflow_that_was_seen_in_its_handshake_keeps_its_id() -> None:
    one = tracker(1)
    one.step([], look(1, subflow(2, TCPState.SYN_SENT)))
    assert one.step([closed(2, error=111)], look(1)) == [SubflowClosed(2, pair(2), 111)]


def test_after_a_loss_the_difference_is_told_and_late_events_are_not() -> None:
    one = tracker(1, 2)
    told = one.step([kernel.Overflow()], look(1, 3))
    assert told == [
        EventsLost(),
        SubflowClosed(2, pair(2), inferred=True),
        SubflowOpened(3, pair(3), inferred=True),
    ]
    assert one.step([closed(2), opened(3)], look(1, 3)) == []
    assert one.step([], look(1, 3)) == []
    assert one.step([], look(1)) == []  # all is sure again: the event is still to come
    assert one.step([closed(3)], look(1)) == [SubflowClosed(3, pair(3))]


def test_events_older_than_the_loss_are_put_right() -> None:
    """What waited when events were lost is read after the loss is known, and can be outdated."""
    one = tracker(1)
    told = one.step([kernel.Overflow(), opened(2)], look(1))
    assert told[1:] == [SubflowOpened(None, pair(2)), SubflowClosed(None, pair(2), inferred=True)]
    told = one.step([opened(3)], look(1))
    assert told == [SubflowOpened(None, pair(3)), SubflowClosed(None, pair(3), inferred=True)]


def test_what_two_idle_looks_show_is_told() -> None:
    """Somebody else may have read the event; one look alone may only be ahead of it."""
    one = tracker(1, 2)
    assert one.step([], look(1, 3), idle=True) == []
    assert one.step([closed(2)], look(1, 3)) == [SubflowClosed(2, pair(2))]
    assert one.step([], look(1, 3), idle=True) == [SubflowOpened(3, pair(3), inferred=True)]
    assert one.step([opened(3)], look(1, 3)) == []
    assert one.step([], look(1), idle=True) == []
    assert one.step([], look(1), idle=True) == [SubflowClosed(3, pair(3), inferred=True)]
    assert one.step([closed(3)], look(1)) == []
    assert one.step([], look(1), idle=True) == []


def test_an_addresses_life() -> None:
    one = tracker(1)
    address = SocketAddress("10.0.0.9", 80)
    announced = kernel.AddressAnnounced(TOKEN, 4, address)
    assert one.step([announced], look(1)) == [AddressAnnounced(4, address)]
    assert one.step([announced], look(1)) == []
    removed = [kernel.AddressRemoved(TOKEN, 4), kernel.AddressRemoved(TOKEN, 5)]
    assert one.step(removed, look(1)) == [AddressRemoved(4, address), AddressRemoved(5, None)]


def test_established_is_told_when_subflows_can_be_opened() -> None:
    """The kernel's event comes to a client in the handshake, when an open is still refused."""
    one = ConnectionTracker(look(1, established=False), events_tell=True)
    early = kernel.ConnectionEstablished(TOKEN, pair(1), False, False)
    assert one.step([early], look(1, established=False)) == []
    assert one.step([], look(1)) == [ConnectionEstablished()]
    assert one.step([], look(1)) == []


@pytest.mark.parametrize("events", [[kernel.ConnectionClosed(TOKEN)], []])
def test_nothing_follows_the_end(events: list[kernel.Event]) -> None:
    one = tracker(1)
    assert one.step(events, None) == [ConnectionClosed()]
    assert one.closed


def test_the_next_connection_with_the_token_is_another() -> None:
    one = tracker(1)
    events = [kernel.ConnectionClosed(TOKEN), opened(2)]
    assert one.step(events, None) == [ConnectionClosed()]


@pytest.mark.parametrize(
    ("before", "after", "count"),
    [
        ({"timeouts": 3}, {"timeouts": 5, "backoff": 2}, 2),
        ({"timeouts": 65_535}, {"timeouts": 1, "backoff": 1}, 2),
        ({"timeouts": 3, "backoff": 3}, {"timeouts": 3, "backoff": 0}, 0),
        ({"timeouts": None}, {"timeouts": None, "backoff": 1}, 1),
        ({"timeouts": None, "backoff": 3}, {"timeouts": None, "backoff": 0}, 0),
    ],
)
def test_timeouts_are_counted_between_looks(
    before: dict[str, int], after: dict[str, int], count: int
) -> None:
    """By the counter of 6.7 and later, which wraps; before that, by those in a row."""
    one = ConnectionTracker(look(replace(subflow(1), **before)), events_tell=True)
    told = one.step([], look(replace(subflow(1), **after)))
    timeout = RetransmissionTimeout(1, pair(1), count, after.get("backoff", 0))
    assert told == ([timeout] if count else [])


@pytest.mark.parametrize(
    ("error", "reset", "words"),
    [
        (0, None, ""),
        (104, None, "Connection reset by peer"),
        (0, 2, "lack of resources"),
        (104, 6, "Connection reset by peer, middlebox interference"),
        (0, 0, ""),
        (0, 99, ""),
    ],
)
def test_reasons_have_words(error: int, reset: int | None, words: str) -> None:
    """Numbers of RFC 8684, 3.6; those that nobody has given a meaning yet have none."""
    assert SubflowClosed(1, pair(1), error, reset).reason == words


def believed(told: Iterable[ConnectionEvent], before: set[FourTuple]) -> set[FourTuple]:
    pairs = set(before)
    for event in told:
        match event:
            case SubflowOpened():
                assert event.tuple not in pairs
                pairs.add(event.tuple)
            case SubflowClosed():
                pairs.discard(event.tuple)
            case _:
                pass
    return pairs


@given(st.lists(st.lists(st.tuples(st.integers(2, 9), st.booleans()), max_size=6), max_size=20))
def test_whatever_is_lost_the_events_add_up(rounds: list[list[tuple[int, bool]]]) -> None:
    """Subflows open and close; any of the events are lost; in the end all is known."""
    one = tracker(1)
    there: set[int] = {1}
    known = {pair(1)}
    for changes in rounds:
        events: list[kernel.Event] = []
        for number, arrives in changes:
            event = closed(number) if number in there else opened(number)
            there ^= {number}
            events += [event] if arrives else []
        if not all(arrives for _, arrives in changes):
            events.insert(0, kernel.Overflow())
        known = believed(one.step(events, look(*there)), known)
        assert known == {pair(number) for number in there}
