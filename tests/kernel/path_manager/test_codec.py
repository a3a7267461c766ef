"""The path manager's codec: every command, every reply, every event."""

from __future__ import annotations

import ipaddress
import socket
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.kernel.errors import ProtocolError
from mphttp.kernel.events import (
    AddressAnnounced,
    AddressRemoved,
    ConnectionClosed,
    ConnectionCreated,
    ConnectionEstablished,
    Event,
    ListenerClosed,
    ListenerCreated,
    SubflowClosed,
    SubflowEstablished,
    SubflowPriority,
)
from mphttp.kernel.netlink.codec import pack_integer
from mphttp.kernel.netlink.genetlink import pack_generic
from mphttp.kernel.path_manager import commands
from mphttp.kernel.path_manager.commands import Address, PathManagerMessage, decode, encode
from mphttp.kernel.path_manager.events import decode_event
from mphttp.kernel.path_manager.tables import (
    AddressFlag,
    Command,
    EventAttribute,
    EventFlag,
    EventType,
)
from mphttp.kernel.values import FourTuple, SocketAddress

u8, u16, u32 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32))
ipv4 = st.ip_addresses(v=4).map(str)
ipv6 = st.ip_addresses(v=6).map(lambda a: socket.inet_ntop(socket.AF_INET6, a.packed))
hosts = ipv4 | ipv6
addresses = st.builds(
    Address,
    host=st.none() | hosts,
    port=st.none() | u16,
    id=st.none() | u8,
    flags=st.none() | st.integers(0, 63).map(AddressFlag),
    interface_index=st.none() | st.integers(-(2**31), 2**31 - 1),
)
path_manager_messages = st.builds(
    PathManagerMessage,
    command=st.sampled_from(Command),
    token=st.none() | u32,
    address=st.none() | addresses,
    remote=st.none() | addresses,
    local_id=st.none() | u8,
    rcv_add_addrs=st.none() | u32,
    subflows=st.none() | u32,
)
socket_addresses = st.builds(SocketAddress, hosts, u16)
tuples = st.one_of(
    st.builds(FourTuple, *[st.builds(SocketAddress, family, u16)] * 2) for family in (ipv4, ipv6)
)
events = st.one_of(
    st.builds(ConnectionCreated, u32, tuples, st.booleans(), st.booleans()),
    st.builds(ConnectionEstablished, u32, tuples, st.booleans(), st.booleans()),
    st.builds(ConnectionClosed, u32),
    st.builds(AddressAnnounced, u32, u8, socket_addresses),
    st.builds(AddressRemoved, u32, u8),
    st.builds(SubflowEstablished, u32, tuples, u8, u8, st.booleans(), st.integers(0, 2**31 - 1)),
    st.builds(SubflowClosed, u32, tuples, u8, u8, u8, st.none() | u32),
    st.builds(SubflowPriority, u32, tuples, st.booleans()),
    st.builds(ListenerCreated, socket_addresses),
    st.builds(ListenerClosed, socket_addresses),
)
NUMBERS = {
    ConnectionCreated: EventType.CREATED,
    ConnectionEstablished: EventType.ESTABLISHED,
    ConnectionClosed: EventType.CLOSED,
    AddressAnnounced: EventType.ANNOUNCED,
    AddressRemoved: EventType.REMOVED,
    SubflowEstablished: EventType.SUB_ESTABLISHED,
    SubflowClosed: EventType.SUB_CLOSED,
    SubflowPriority: EventType.SUB_PRIORITY,
    ListenerCreated: EventType.LISTENER_CREATED,
    ListenerClosed: EventType.LISTENER_CLOSED,
}
A = EventAttribute


def side(address: SocketAddress, kinds: tuple[A, A, A], *, family: bool) -> dict[int, bytes]:
    """One side of an event, as the kernel writes it: ports in network byte order."""
    host = ipaddress.ip_address(address.host)
    number = socket.AF_INET if host.version == 4 else socket.AF_INET6
    written: dict[int, bytes] = {
        kinds[0 if host.version == 4 else 1]: host.packed,
        kinds[2]: address.port.to_bytes(2, "big"),
    }
    return {**written, A.FAMILY: pack_integer(number, 2)} if family else written


LOCAL, REMOTE = (A.SADDR4, A.SADDR6, A.SPORT), (A.DADDR4, A.DADDR6, A.DPORT)


def event_attributes(event: Event) -> dict[int, bytes]:
    """What the kernel sends for an event (net/mptcp/pm_netlink.c)."""
    written: dict[int, bytes] = {}
    if hasattr(event, "token"):
        written[A.TOKEN] = pack_integer(event.token, 4)
    if hasattr(event, "tuple"):
        written |= side(event.tuple.local, LOCAL, family=True)
        written |= side(event.tuple.remote, REMOTE, family=True)
    if hasattr(event, "local"):
        written |= side(event.local, LOCAL, family=True)
    if hasattr(event, "remote"):
        written |= side(event.remote, REMOTE, family=False)
    for name, kind, size in (
        ("local_id", A.LOC_ID, 1),
        ("remote_id", A.REM_ID, 1),
        ("backup", A.BACKUP, 1),
        ("error", A.ERROR, 1),
        ("interface_index", A.IF_IDX, 4),
        ("reset_reason", A.RESET_REASON, 4),
        ("server_side", A.SERVER_SIDE, 1),
    ):
        if getattr(event, name, None) is not None:
            written[kind] = pack_integer(getattr(event, name), size)
    if hasattr(event, "deny_join_id0"):
        written[A.FLAGS] = pack_integer(EventFlag.DENY_JOIN_ID0 * event.deny_join_id0, 2)
    return written


def event_payload(event: Event) -> bytes:
    return pack_generic(NUMBERS[type(event)], 1, event_attributes(event))


@given(path_manager_messages)
def test_commands_and_replies_round_trip(message: PathManagerMessage) -> None:
    assert decode(encode(message)) == message


@given(events)
def test_events_are_read(event: Event) -> None:
    assert decode_event(event_payload(event)) == event


def test_subflow_create_is_what_the_kernel_reads() -> None:
    """Byte by byte: native byte order, nests marked, everything padded to four bytes."""
    local = Address("10.0.2.1", id=1, flags=AddressFlag.BACKUP, interface_index=3)
    message = commands.subflow_create(0xDEADBEEF, local, SocketAddress("fd00::2", 443))
    inner_local = (
        struct.pack("=HHHxx", 6, 1, socket.AF_INET)
        + struct.pack("=HH4s", 8, 3, socket.inet_aton("10.0.2.1"))
        + struct.pack("=HHBxxx", 5, 2, 1)
        + struct.pack("=HHI", 8, 6, 4)
        + struct.pack("=HHi", 8, 7, 3)
    )
    inner_remote = (
        struct.pack("=HHHxx", 6, 1, socket.AF_INET6)
        + struct.pack("=HH16s", 20, 4, socket.inet_pton(socket.AF_INET6, "fd00::2"))
        + struct.pack("=HHHxx", 6, 5, 443)
    )
    assert encode(message) == (
        bytes([10, 1, 0, 0])
        + struct.pack("=HH", 4 + len(inner_local), 1 | 0x8000)
        + inner_local
        + struct.pack("=HH", 4 + len(inner_remote), 6 | 0x8000)
        + inner_remote
        + struct.pack("=HHI", 8, 4, 0xDEADBEEF)
    )


PAIR = FourTuple(SocketAddress("10.0.0.1", 5000), SocketAddress("10.0.0.2", 80))


@pytest.mark.parametrize(
    ("message", "command"),
    [
        (commands.subflow_create(1, Address("::1"), SocketAddress("::2", 1)), 10),
        (commands.subflow_destroy(1, PAIR), 11),
        (commands.set_backup(1, PAIR, True), 7),
        (commands.announce(1, Address("10.0.0.1", id=2, flags=AddressFlag.SIGNAL)), 8),
        (commands.remove(1, 2), 9),
        (commands.get_addresses(1), 3),
    ],
)
def test_each_command_has_its_number(message: PathManagerMessage, command: int) -> None:
    assert encode(message)[0] == command


def test_a_removal_names_the_connection_and_a_local_address() -> None:
    """Command 9, version 1; the token in attribute 4, the identifier, a byte, in attribute 5."""
    written = bytes([9, 1, 0, 0]) + struct.pack("=HHI", 8, 4, 0xDEADBEEF)
    assert encode(commands.remove(0xDEADBEEF, 2)) == written + struct.pack("=HHBxxx", 5, 5, 2)


@pytest.mark.parametrize(("backup", "flags"), [(True, 4), (False, 0)])
def test_backup_is_always_said(backup: bool, flags: int) -> None:
    """Regular is a flag word of zero, not its absence."""
    address = commands.set_backup(1, PAIR, backup).address
    assert address is not None
    assert address.flags == flags


def test_bad_values_are_not_sent() -> None:
    with pytest.raises(OverflowError):
        encode(commands.remove(1, 256))
    with pytest.raises(OverflowError):
        encode(commands.subflow_create(1, Address("::1"), SocketAddress("::1", 65536)))
    with pytest.raises(ValueError, match="example"):
        encode(commands.subflow_create(1, Address("example"), SocketAddress("::1", 1)))


@given(events, st.data())
def test_what_an_event_needs_must_be_there(event: Event, data: st.DataObject) -> None:
    """Without one of its attributes an event is an error, unless that has a default."""
    written = event_attributes(event)
    without = data.draw(st.sampled_from(sorted(written)))
    del written[without]
    optional = {A.FAMILY, A.BACKUP, A.ERROR, A.FLAGS, A.IF_IDX, A.RESET_REASON, A.SERVER_SIDE}
    if isinstance(event, AddressAnnounced):
        optional.add(A.DPORT)
    payload = pack_generic(NUMBERS[type(event)], 1, written)
    if without in optional:
        assert type(decode_event(payload)) is type(event)
        assert without != A.FAMILY or decode_event(payload) == event
    else:
        with pytest.raises(ProtocolError):
            decode_event(payload)


@given(events, st.data())
def test_an_attribute_of_a_wrong_size_is_an_error(event: Event, data: st.DataObject) -> None:
    written = event_attributes(event)
    kind = data.draw(st.sampled_from(sorted(written)))
    written[kind] += b"\0"
    with pytest.raises(ProtocolError):
        decode_event(pack_generic(NUMBERS[type(event)], 1, written))


@given(events, st.integers(19, 2**14 - 1), st.binary(max_size=8))
def test_unknown_attributes_are_skipped(event: Event, kind: int, value: bytes) -> None:
    written = {**event_attributes(event), kind: value}
    assert decode_event(pack_generic(NUMBERS[type(event)], 1, written)) == event


@pytest.mark.parametrize("number", sorted(set(range(256)) - set(EventType)))
def test_unknown_events_are_skipped(number: int) -> None:
    assert decode_event(pack_generic(number, 1, {1: b"whatever"})) is None


def test_an_unknown_command_is_an_error() -> None:
    with pytest.raises(ProtocolError):
        decode(pack_generic(12, 1, {}))


def test_the_servers_side_is_a_flag_or_an_attribute() -> None:
    """Kernels of 6.18 and later tell it by a flag."""
    event = ConnectionCreated(1, PAIR, server_side=True, deny_join_id0=False)
    written = event_attributes(event)
    del written[A.SERVER_SIDE]
    written[A.FLAGS] = pack_integer(EventFlag.SERVER_SIDE, 2)
    assert decode_event(pack_generic(EventType.CREATED, 1, written)) == event


@given(st.binary(max_size=300))
def test_any_bytes_end_in_values_or_a_protocol_error(data: bytes) -> None:
    for read in (decode, decode_event):
        with suppress(ProtocolError):
            read(data)


@given(events.map(event_payload) | path_manager_messages.map(encode), st.data())
def test_damaged_messages_end_in_values_or_a_protocol_error(
    payload: bytes, data: st.DataObject
) -> None:
    """Bytes changed, cut or put in anywhere raise nothing but ProtocolError."""
    damaged = bytearray(payload)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged)))
        until = data.draw(st.integers(at, min(at + 4, len(damaged))))
        damaged[at:until] = data.draw(st.binary(max_size=4))
    for read in (decode, decode_event):
        with suppress(ProtocolError):
            read(bytes(damaged))
