"""Messages about interfaces, without a kernel."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from mphttp.kernel import ProtocolError
from mphttp.kernel.connection_events import (
    InterfaceDown,
    InterfaceUp,
    LocalAddressAdded,
    LocalAddressRemoved,
)
from mphttp.kernel.interfaces.changes import (
    Interfaces,
    Link,
    LinkMessage,
    LocalAddress,
    decode_interface,
)
from mphttp.kernel.netlink.codec import Message, pack_attributes, pack_integer

UP, RUNNING, BRIDGE, TENTATIVE = 0x1, 0x40, 7, 0x40


def link(kind: int, flags: int, *, family: int = 0) -> Message:
    header = struct.pack("=BxHiII", family, 1, 3, flags, 0)
    return Message(kind, 0, 0, header + pack_attributes({3: b"eth0\0"}))


def address(kind: int, flags: int = 0) -> Message:
    header = struct.pack("=4BI", socket.AF_INET, 24, 0, 0, 3)
    host = {1: socket.inet_aton("10.0.0.1"), 8: pack_integer(flags, 4)}
    return Message(kind, 0, 0, header + pack_attributes(host))


def test_links_are_read() -> None:
    """Up is up with a carrier; what is gone is down; a bridge's port is not an interface."""
    assert decode_interface(link(LinkMessage.NEWLINK, UP | RUNNING)) == Link(3, "eth0", True)
    assert decode_interface(link(LinkMessage.NEWLINK, UP)) == Link(3, "eth0", False)
    assert decode_interface(link(LinkMessage.DELLINK, UP | RUNNING)) == Link(3, "eth0", False)
    assert decode_interface(link(LinkMessage.DELLINK, UP | RUNNING, family=BRIDGE)) is None
    assert decode_interface(Message(24, 0, 0, b"")) is None


def test_addresses_are_read() -> None:
    """An IPv6 address that is still being checked for duplicates can't be used."""
    there = LocalAddress(3, "10.0.0.1", True)
    assert decode_interface(address(LinkMessage.NEWADDR)) == there
    assert decode_interface(address(LinkMessage.NEWADDR, TENTATIVE)) == LocalAddress(
        3, "10.0.0.1", False
    )
    assert decode_interface(address(LinkMessage.DELADDR)) == LocalAddress(3, "10.0.0.1", False)


def test_only_changes_are_told() -> None:
    interfaces = Interfaces()
    up, down = Link(3, "eth0", True), Link(3, "eth0", False)
    there, gone = LocalAddress(3, "10.0.0.1", True), LocalAddress(3, "10.0.0.1", False)
    told = [list(interfaces.step(news)) for news in (down, up, up, down, down)]
    assert told == [[], [InterfaceUp("eth0", 3)], [], [InterfaceDown("eth0", 3)], []]
    told = [list(interfaces.step(news)) for news in (gone, there, there, gone)]
    added, removed = LocalAddressAdded(3, "10.0.0.1"), LocalAddressRemoved(3, "10.0.0.1")
    assert told == [[], [added], [], [removed]]


def test_a_list_of_all_tells_the_difference() -> None:
    interfaces = Interfaces()
    list(interfaces.all([Link(3, "eth0", True), LocalAddress(3, "10.0.0.1", True)]))
    assert list(interfaces.all([Link(4, "eth1", True), LocalAddress(4, "10.0.0.2", True)])) == [
        InterfaceDown("eth0", 3),
        LocalAddressRemoved(3, "10.0.0.1"),
        InterfaceUp("eth1", 4),
        LocalAddressAdded(4, "10.0.0.2"),
    ]


@given(st.sampled_from([16, 17, 20, 21]), st.binary(max_size=64))
def test_any_bytes_end_in_a_value_or_a_protocol_error(kind: int, payload: bytes) -> None:
    with suppress(ProtocolError):
        decode_interface(Message(kind, 0, 0, payload))
