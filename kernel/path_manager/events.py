"""The codec of the path manager's events: bytes to values. Pure."""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Callable, Mapping

from ..errors import ProtocolError
from ..events import (
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
from ..netlink.codec import integer, optional_integer
from ..netlink.genetlink import unpack_generic
from ..values import FourTuple, SocketAddress
from .commands import read_host, read_signed
from .tables import EventAttribute, EventFlag, EventType

Attributes = Mapping[int, bytes]
_TOKEN_FIRST = struct.pack("=HH", 8, EventAttribute.TOKEN)


def token_of(payload: bytes) -> int | None:
    """Read an event's token without the rest of it; None if it isn't where the kernel puts it."""
    if payload[4:8] != _TOKEN_FIRST or len(payload) < 12:
        return None
    return int.from_bytes(payload[8:12], sys.byteorder)


def decode_event(payload: bytes) -> Event | None:
    """Read an event from the payload of a netlink message.

    Returns:
        The event, or None for one that this version of the family doesn't know.

    Raises:
        ProtocolError: an attribute that it needs is missing or of another size.
    """
    number, attributes = unpack_generic(payload)
    decoder = _DECODERS.get(number)
    return None if decoder is None else decoder(attributes)


def _created(attributes: Attributes) -> ConnectionCreated:
    flags = _event_flags(attributes)
    return ConnectionCreated(
        _token(attributes),
        _tuple(attributes),
        _server_side(attributes, flags),
        bool(flags & EventFlag.DENY_JOIN_ID0),
    )


def _established(attributes: Attributes) -> ConnectionEstablished:
    flags = _event_flags(attributes)
    return ConnectionEstablished(
        _token(attributes),
        _tuple(attributes),
        _server_side(attributes, flags),
        bool(flags & EventFlag.DENY_JOIN_ID0),
    )


def _closed(attributes: Attributes) -> ConnectionClosed:
    return ConnectionClosed(_token(attributes))


def _announced(attributes: Attributes) -> AddressAnnounced:
    host = _host(attributes, EventAttribute.DADDR4, EventAttribute.DADDR6)
    port = _optional_port(attributes, EventAttribute.DPORT) or 0
    remote_id = integer(attributes, EventAttribute.REM_ID, 1)
    return AddressAnnounced(_token(attributes), remote_id, SocketAddress(host, port))


def _removed(attributes: Attributes) -> AddressRemoved:
    return AddressRemoved(_token(attributes), integer(attributes, EventAttribute.REM_ID, 1))


def _sub_established(attributes: Attributes) -> SubflowEstablished:
    return SubflowEstablished(
        _token(attributes),
        _tuple(attributes),
        integer(attributes, EventAttribute.LOC_ID, 1),
        integer(attributes, EventAttribute.REM_ID, 1),
        bool(optional_integer(attributes, EventAttribute.BACKUP, 1)),
        read_signed(attributes, EventAttribute.IF_IDX) or 0,
    )


def _sub_closed(attributes: Attributes) -> SubflowClosed:
    return SubflowClosed(
        _token(attributes),
        _tuple(attributes),
        integer(attributes, EventAttribute.LOC_ID, 1),
        integer(attributes, EventAttribute.REM_ID, 1),
        optional_integer(attributes, EventAttribute.ERROR, 1) or 0,
        optional_integer(attributes, EventAttribute.RESET_REASON, 4),
    )


def _sub_priority(attributes: Attributes) -> SubflowPriority:
    backup = bool(optional_integer(attributes, EventAttribute.BACKUP, 1))
    return SubflowPriority(_token(attributes), _tuple(attributes), backup)


def _listener_created(attributes: Attributes) -> ListenerCreated:
    return ListenerCreated(_local(attributes))


def _listener_closed(attributes: Attributes) -> ListenerClosed:
    return ListenerClosed(_local(attributes))


_DECODERS: Mapping[int, Callable[[Attributes], Event]] = {
    EventType.CREATED: _created,
    EventType.ESTABLISHED: _established,
    EventType.CLOSED: _closed,
    EventType.ANNOUNCED: _announced,
    EventType.REMOVED: _removed,
    EventType.SUB_ESTABLISHED: _sub_established,
    EventType.SUB_CLOSED: _sub_closed,
    EventType.SUB_PRIORITY: _sub_priority,
    EventType.LISTENER_CREATED: _listener_created,
    EventType.LISTENER_CLOSED: _listener_closed,
}


def _token(attributes: Attributes) -> int:
    return integer(attributes, EventAttribute.TOKEN, 4)


def _event_flags(attributes: Attributes) -> int:
    return optional_integer(attributes, EventAttribute.FLAGS, 2) or 0


def _server_side(attributes: Attributes, flags: int) -> bool:
    # An attribute of its own up to 6.17; from 6.18 a flag too, which is to replace it.
    attribute = optional_integer(attributes, EventAttribute.SERVER_SIDE, 1)
    return bool(attribute) or bool(flags & EventFlag.SERVER_SIDE)


def _tuple(attributes: Attributes) -> FourTuple:
    host = _host(attributes, EventAttribute.DADDR4, EventAttribute.DADDR6)
    return FourTuple(
        _local(attributes), SocketAddress(host, _port(attributes, EventAttribute.DPORT))
    )


def _local(attributes: Attributes) -> SocketAddress:
    host = _host(attributes, EventAttribute.SADDR4, EventAttribute.SADDR6)
    return SocketAddress(host, _port(attributes, EventAttribute.SPORT))


def _host(attributes: Attributes, ipv4: EventAttribute, ipv6: EventAttribute) -> str:
    # The kernel sends no family with an announced address, though its specification says so.
    family = optional_integer(attributes, EventAttribute.FAMILY, 2)
    if family is None:
        family = socket.AF_INET if ipv4 in attributes else socket.AF_INET6
    host = read_host(attributes, family, ipv4, ipv6)
    if host is None:
        raise ProtocolError(f"an event has neither attribute {ipv4.name} nor {ipv6.name}")
    return host


def _port(attributes: Attributes, kind: EventAttribute) -> int:
    port = _optional_port(attributes, kind)
    if port is None:
        raise ProtocolError(f"an event has no attribute {kind.name}")
    return port


def _optional_port(attributes: Attributes, kind: EventAttribute) -> int | None:
    value = attributes.get(kind)
    if value is not None and len(value) != 2:
        raise ProtocolError(f"attribute {kind.name} has {len(value)} bytes, not 2")
    return None if value is None else int.from_bytes(value, "big")
