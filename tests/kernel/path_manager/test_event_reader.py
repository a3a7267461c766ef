"""Messages of connections that nobody has claimed wait unread, and nothing of them is lost."""

from __future__ import annotations

import pytest

from mphttp.kernel import FourTuple, OpenRefused, SocketAddress
from mphttp.kernel.events import (
    AddressAnnounced,
    AddressRemoved,
    ConnectionClosed,
    ConnectionCreated,
    ConnectionEstablished,
    Event,
    ListenerCreated,
    Overflow,
    SubflowEstablished,
)
from mphttp.kernel.netlink.genetlink import pack_generic
from mphttp.kernel.path_manager.event_reader import _MAX_KEPT, _MAX_WAITING, EventReader
from mphttp.kernel.path_manager.events import token_of
from mphttp.kernel.path_manager.mechanism import NetlinkMechanism
from mphttp.kernel.path_manager.tables import EventType

from ..namespaces import Net
from .test_codec import event_payload

PAIR = FourTuple(SocketAddress("10.0.0.1", 5000), SocketAddress("10.0.0.2", 80))
THIRD, FOURTH = SocketAddress("10.0.0.3", 80), SocketAddress("10.0.0.4", 80)
JOINED = SubflowEstablished(7, PAIR, 1, 1, False, 2)


def created(token: int, *, deny: bool = False) -> Event:
    return ConnectionCreated(token, PAIR, server_side=False, deny_join_id0=deny)


def read(reader: EventReader, *events: Event) -> list[Event]:
    return reader.read(map(event_payload, events))


def test_the_token_stands_where_it_is_looked_for() -> None:
    assert token_of(event_payload(JOINED)) == 7
    assert token_of(event_payload(ListenerCreated(THIRD))) is None
    assert token_of(b"") is None


def test_only_claimed_connections_are_told() -> None:
    reader = EventReader(every=False)
    assert read(reader, created(7), JOINED) == []
    reader.claim(7)
    assert read(reader, JOINED) == [JOINED]
    assert read(reader, ConnectionClosed(7), JOINED) == [ConnectionClosed(7)]


def test_what_is_about_no_connection_is_told() -> None:
    reader = EventReader(every=False)
    assert read(reader, ListenerCreated(THIRD)) == [ListenerCreated(THIRD)]


def test_what_the_peer_told_before_the_claim_is_known_after_it() -> None:
    reader = EventReader(every=False)
    announced = [AddressAnnounced(7, 1, THIRD), AddressAnnounced(7, 2, FOURTH)]
    established = ConnectionEstablished(7, PAIR, server_side=False, deny_join_id0=True)
    read(reader, created(7, deny=True), *announced, established, AddressRemoved(7, 1))
    assert reader.announced(7) == {}
    reader.claim(7)
    assert reader.announced(7) == {2: FOURTH}
    assert reader.denied(7) == PAIR.remote


@pytest.mark.parametrize("every", [True, False])
def test_a_token_that_is_used_again_has_no_past(every: bool) -> None:
    reader = EventReader(every=every)
    read(reader, created(7, deny=True), AddressAnnounced(7, 1, THIRD), ConnectionClosed(7))
    reader.claim(7)
    assert (reader.announced(7), reader.denied(7)) == ({}, None)
    read(reader, AddressAnnounced(7, 1, THIRD), created(7))
    assert (reader.announced(7), reader.denied(7)) == ({}, None)


def test_what_waits_is_bounded() -> None:
    """On a server with more connections than that, the oldest are forgotten."""
    reader = EventReader(every=False)
    for token in range(1, _MAX_WAITING + 2):
        read(reader, AddressAnnounced(token, 1, THIRD))
    for token in (1, 2, _MAX_WAITING + 1):
        reader.claim(token)
    assert [bool(reader.announced(t)) for t in (1, 2, _MAX_WAITING + 1)] == [False, True, True]


def test_what_waits_of_one_connection_is_bounded() -> None:
    """A peer that announces and withdraws for ever fills no memory."""
    reader = EventReader(every=False)
    for _ in range(1000):
        read(reader, AddressAnnounced(7, 1, THIRD), AddressRemoved(7, 1))
    assert len(reader._waiting[7]) <= _MAX_KEPT


def test_a_message_that_can_not_be_read_is_a_loss() -> None:
    reader = EventReader(every=True)
    assert reader.read([pack_generic(EventType.CLOSED, 1, {})]) == [Overflow()]


def test_a_denied_address_is_known_late(net: Net) -> None:
    """The flag of a connection that nobody had claimed yet is obeyed once somebody does."""
    mechanism = NetlinkMechanism(every_connection=False)
    with net.server():
        net.sysctl("net.mptcp.allow_join_initial_addr_port", 0)
    client, _ = net.connection()
    assert mechanism.events() == []
    control = mechanism.control(client)
    with pytest.raises(OpenRefused, match="asked for no further subflows"):
        control.open(net.paths[1], SocketAddress("10.0.1.2", 0))
