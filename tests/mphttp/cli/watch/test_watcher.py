"""What `mphttp watch` shows, from made-up looks."""

from __future__ import annotations

import json

import pytest

from mphttp.cli.watch.table import rendered
from mphttp.cli.watch.watcher import Moment, Told, Watcher
from mphttp.cli.watch.words import lines, sentence, to_dict
from mphttp.kernel import FourTuple, SocketAddress, SubflowInfo, TCPState, events
from mphttp.kernel.connection_events import (
    AddressAnnounced,
    AddressRemoved,
    ConnectionClosed,
    ConnectionEstablished,
    ConnectionEvent,
    EventsLost,
    InterfaceDown,
    InterfaceUp,
    LocalAddressAdded,
    LocalAddressRemoved,
    RetransmissionTimeout,
    SubflowClosed,
    SubflowOpened,
    SubflowPriority,
)
from mphttp.kernel.reading.listing import Listing
from mphttp.kernel.reading.sock_diag import ListedConnection, ListedSubflow

PATHS = {"10.0.0.1": "wlan0", "fd00::1": "wwan0"}


def pair(port: int, local: str = "10.0.0.1", remote: str = "10.0.0.2") -> FourTuple:
    return FourTuple(SocketAddress(local, port), SocketAddress(remote, 80))


def subflow(number: int, received: int = 0, *, backup: bool = False) -> ListedSubflow:
    info = SubflowInfo(number, pair(number), TCPState.ESTABLISHED, 0.02, received, 10, 0, 0.0)
    return ListedSubflow(7, info, backup, 0, 0)


def name(subflow: ListedSubflow) -> str:
    return PATHS.get(subflow.info.tuple.local.host, "?")


def listing(*subflows: ListedSubflow, token: int = 7) -> Listing:
    found = ListedConnection(1, token, pair(1), TCPState.ESTABLISHED, False, 99, 0, 1_000_000, None)
    return Listing(found, subflows)


def step(watcher: Watcher, now: float, *listings: Listing, told: tuple = ()) -> Moment:
    return watcher.step(listings, told, paths=name, owners={99: "curl[5]"}, now=now)


def test_rates_are_of_the_time_between_looks() -> None:
    watcher = Watcher(events_tell=False)
    first = step(watcher, 10.0, listing(subflow(1, 1000)))
    assert [row.rate_in for row in first.connections[0].rows] == [None]
    second = step(watcher, 12.0, listing(subflow(1, 5000)))
    assert [row.rate_in for row in second.connections[0].rows] == [2000.0]
    third = step(watcher, 12.0, listing(subflow(1, 5000)))
    assert [row.rate_in for row in third.connections[0].rows] == [2000.0]
    slower = step(watcher, 13.0, listing(subflow(1, 5000))).connections[0].rows[0].rate_in
    assert slower is not None
    assert 0 < slower < 1000


def test_what_costs_money_is_marked() -> None:
    for costly in (True, False):
        watcher = Watcher(events_tell=False, metered=lambda path, it=costly: it and path == "wlan0")
        moment = step(watcher, 0, listing(subflow(1)))
        assert any("metered" in line for line in lines(moment)) == costly


def test_changes_are_events_and_the_beginning_is_none() -> None:
    watcher = Watcher(events_tell=False)
    assert step(watcher, 0, listing(subflow(1))).events == ()
    opened = step(watcher, 1, listing(subflow(1), subflow(2))).events
    assert opened == (Told(7, SubflowOpened(2, pair(2), inferred=True)),)
    assert step(watcher, 2).events == (Told(7, ConnectionClosed()),)
    assert step(watcher, 3, listing(subflow(1))).events == (Told(7, ConnectionEstablished()),)


def test_a_loss_is_told_once_for_all() -> None:
    watcher = Watcher(events_tell=True)
    both = [listing(subflow(1)), listing(subflow(2), token=8)]
    step(watcher, 0, *both)
    told = step(watcher, 1, *both, told=(events.Overflow(),)).events
    assert told == (Told(None, EventsLost()),)


def test_a_closed_connection_that_lingers_is_not_a_new_one() -> None:
    """The kernel lists it for up to a minute, with its token."""
    watcher = Watcher(events_tell=True)
    step(watcher, 0, listing(subflow(1)))
    closed = step(watcher, 1, listing(), told=(events.ConnectionClosed(7),)).events
    assert closed == (Told(7, ConnectionClosed()),)
    assert step(watcher, 2, listing()).events == ()


def test_lines_are_aligned_and_say_whose_it_is() -> None:
    moment = step(Watcher(events_tell=False), 0, listing(subflow(1), subflow(22, backup=True)))
    header, title, first, second = lines(moment)
    assert title == "curl[5] 10.0.0.1:1 → 10.0.0.2:80, token 00000007, 1.0 MB in"
    assert header.index("remote") == first.index("10.0.0.2:80") == second.index("10.0.0.2:80")
    assert first.split()[0] == "wlan0"
    assert second.endswith("backup")


def test_what_does_not_fit_the_screen_is_counted() -> None:
    moment = step(Watcher(events_tell=False), 0, listing(*map(subflow, range(1, 31))))
    shown = rendered(moment, ["an event"], 12).plain.splitlines()
    assert len(shown) <= 12
    assert "… 24 more lines" in shown
    assert shown[-1] == "an event"


EVENTS: list[tuple[ConnectionEvent, str]] = [
    (ConnectionEstablished(), "connection established"),
    (ConnectionClosed(), "connection closed"),
    (EventsLost(), "events lost"),
    (AddressAnnounced(1, SocketAddress("fd00::2", 80)), "the peer announced [fd00::2]:80"),
    (AddressRemoved(1, SocketAddress("10.0.0.9", 80)), "the peer withdrew 10.0.0.9:80"),
    (AddressRemoved(1, None), "the peer withdrew address 1"),
    (SubflowOpened(2, pair(5), backup=True), "subflow opened: wlan0 {} (backup)"),
    (SubflowClosed(2, pair(5)), "subflow closed: wlan0 {}"),
    (SubflowClosed(2, pair(5), 111), "subflow closed: wlan0 {} (Connection refused)"),
    (SubflowPriority(2, pair(5), True), "subflow is a backup now: wlan0 {}"),
    (SubflowPriority(2, pair(5), False), "subflow is regular now: wlan0 {}"),
    (RetransmissionTimeout(2, pair(5), 1, 3), "retransmission time-out (3 in a row): wlan0 {}"),
    (InterfaceUp("wlan0", 2), "wlan0 is up"),
    (InterfaceDown("wlan0", 2), "wlan0 is down"),
    (LocalAddressAdded(2, "10.0.0.1"), "this machine has the address 10.0.0.1 now"),
    (LocalAddressRemoved(2, "10.0.0.1"), "this machine lost the address 10.0.0.1"),
]


@pytest.mark.parametrize(("event", "words"), EVENTS)
def test_every_event_has_words_and_json(event: ConnectionEvent, words: str) -> None:
    assert sentence(event, PATHS) == words.format("10.0.0.1:5 → 10.0.0.2:80")
    told = json.loads(json.dumps(to_dict(Moment((), (Told(7, event),)), 1.5)))
    assert told["at"] == 1.5
    assert told["events"][0]["token"] == 7
    assert told["events"][0]["kind"].replace("_", "") == type(event).__name__.lower()
