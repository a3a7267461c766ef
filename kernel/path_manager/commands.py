"""The codec of the path manager's commands and replies: values to bytes, and back.

Pure. A command and a reply have the same form, so one value, `PathManagerMessage`, stands for both;
the functions below make each command with what it needs and nothing else.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass

from ..addresses import packed
from ..errors import ProtocolError
from ..netlink.codec import (
    integer,
    nest,
    optional_integer,
    pack_attributes,
    pack_integer,
    unpack_attributes,
)
from ..netlink.genetlink import pack_generic, unpack_generic
from ..values import FourTuple, SocketAddress
from .tables import MPTCP_PM_VER, AddressAttribute, AddressFlag, Attribute, Command

_IPV4_LENGTH, _IPV6_LENGTH = 4, 16
_SIGN = 1 << 31


@dataclass(frozen=True, slots=True)
class Address:
    """An address as a command carries it; what is None is not sent.

    Args:
        host: IPv4 or IPv6 address, or None (a lookup by id).
        port: TCP port.
        id: address identifier, 0 to 255 (RFC 8684, 3.2).
        flags: what it is for.
        interface_index: the interface that its subflows leave through.
    """

    host: str | None = None
    port: int | None = None
    id: int | None = None
    flags: AddressFlag | None = None
    interface_index: int | None = None


@dataclass(frozen=True, slots=True)
class PathManagerMessage:
    """One command to the path manager, or its reply; what is None is not sent.

    Args:
        command: what is asked or answered.
        token: the connection.
        address: the endpoint, or the local side of a subflow.
        remote: the remote side of a subflow.
        local_id: the local address to withdraw.
        rcv_add_addrs: limit of announced addresses that are accepted.
        subflows: limit of additional subflows.
    """

    command: Command
    token: int | None = None
    address: Address | None = None
    remote: Address | None = None
    local_id: int | None = None
    rcv_add_addrs: int | None = None
    subflows: int | None = None


def subflow_create(token: int, local: Address, remote: SocketAddress) -> PathManagerMessage:
    """Open a subflow (SUBFLOW_CREATE)."""
    return PathManagerMessage(Command.SUBFLOW_CREATE, token, local, Address(*remote))


def subflow_destroy(token: int, pair: FourTuple) -> PathManagerMessage:
    """Close a subflow (SUBFLOW_DESTROY)."""
    local, remote = Address(*pair.local), Address(*pair.remote)
    return PathManagerMessage(Command.SUBFLOW_DESTROY, token, local, remote)


def set_backup(token: int, pair: FourTuple, backup: bool) -> PathManagerMessage:
    """Send MP_PRIO on a subflow (SET_FLAGS)."""
    flags = AddressFlag.BACKUP if backup else AddressFlag(0)
    local, remote = Address(*pair.local, flags=flags), Address(*pair.remote)
    return PathManagerMessage(Command.SET_FLAGS, token, local, remote)


def announce(token: int, address: Address) -> PathManagerMessage:
    """Send ADD_ADDR for an address whose flags must hold SIGNAL (ANNOUNCE)."""
    return PathManagerMessage(Command.ANNOUNCE, token, address)


def remove(token: int, local_id: int) -> PathManagerMessage:
    """Send RM_ADDR and close what uses the address (REMOVE)."""
    return PathManagerMessage(Command.REMOVE, token, local_id=local_id)


def get_addresses(token: int) -> PathManagerMessage:
    """Ask which local addresses a connection has registered (GET_ADDR, a dump; 6.10 and later)."""
    return PathManagerMessage(Command.GET_ADDR, token)


def encode(message: PathManagerMessage) -> bytes:
    """Write a message as the payload of a netlink message.

    Raises:
        ValueError: a host is no IP address.
        OverflowError: a number doesn't fit.
    """
    attributes: dict[int, bytes] = {}
    for kind, address in _addresses(message):
        attributes[nest(kind)] = pack_attributes(_address_attributes(address))
    for kind, value, size in _numbers(message):
        if value is not None:
            attributes[kind] = pack_integer(value, size)
    return pack_generic(message.command, MPTCP_PM_VER, attributes)


def decode(payload: bytes) -> PathManagerMessage:
    """Read a message from the payload of a netlink message; unknown attributes are skipped.

    Raises:
        ProtocolError: the command is unknown, or something doesn't fit.
    """
    number, attributes = unpack_generic(payload)
    try:
        command = Command(number)
    except ValueError:
        raise ProtocolError(f"the path manager answered with its command {number}") from None
    return PathManagerMessage(
        command,
        optional_integer(attributes, Attribute.TOKEN, 4),
        _nested_address(attributes, Attribute.ADDR),
        _nested_address(attributes, Attribute.ADDR_REMOTE),
        optional_integer(attributes, Attribute.LOC_ID, 1),
        optional_integer(attributes, Attribute.RCV_ADD_ADDRS, 4),
        optional_integer(attributes, Attribute.SUBFLOWS, 4),
    )


def read_host(attributes: Mapping[int, bytes], family: int, ipv4: int, ipv6: int) -> str | None:
    """Read the address of a family, if it is there.

    Args:
        attributes: what holds it.
        family: AF_INET or AF_INET6.
        ipv4: the attribute type of an IPv4 address.
        ipv6: the attribute type of an IPv6 address.

    Raises:
        ProtocolError: the family is another, or the address of another size.
    """
    sizes = {socket.AF_INET: (ipv4, _IPV4_LENGTH), socket.AF_INET6: (ipv6, _IPV6_LENGTH)}
    if family not in sizes:
        raise ProtocolError(f"an address of family {family}")
    kind, size = sizes[socket.AddressFamily(family)]
    value = attributes.get(kind)
    if value is None:
        return None
    if len(value) != size:
        raise ProtocolError(f"attribute {kind} has {len(value)} bytes, not {size}")
    return socket.inet_ntop(family, value)


def read_signed(attributes: Mapping[int, bytes], kind: int) -> int | None:
    """Read a signed 32-bit integer, if it is there.

    Raises:
        ProtocolError: it is of another size.
    """
    value = optional_integer(attributes, kind, 4)
    return None if value is None else (value ^ _SIGN) - _SIGN


def _addresses(message: PathManagerMessage) -> list[tuple[Attribute, Address]]:
    pairs = [(Attribute.ADDR, message.address), (Attribute.ADDR_REMOTE, message.remote)]
    return [(kind, address) for kind, address in pairs if address is not None]


def _numbers(message: PathManagerMessage) -> list[tuple[Attribute, int | None, int]]:
    """What a message carries besides addresses: type, value, size."""
    return [
        (Attribute.TOKEN, message.token, 4),
        (Attribute.LOC_ID, message.local_id, 1),
        (Attribute.RCV_ADD_ADDRS, message.rcv_add_addrs, 4),
        (Attribute.SUBFLOWS, message.subflows, 4),
    ]


def _address_attributes(address: Address) -> dict[int, bytes]:
    attributes = {} if address.host is None else _host_attributes(address.host)
    for kind, value, size in (
        # In the machine's byte order, though events have it in the network's.
        (AddressAttribute.PORT, address.port, 2),
        (AddressAttribute.ID, address.id, 1),
        (AddressAttribute.FLAGS, address.flags, 4),
        (AddressAttribute.IF_IDX, address.interface_index, 4),
    ):
        if value is not None:
            attributes[kind] = pack_integer(value, size)
    return attributes


def _host_attributes(host: str) -> dict[int, bytes]:
    family, octets = packed(host)
    kind = AddressAttribute.ADDR4 if family == socket.AF_INET else AddressAttribute.ADDR6
    return {AddressAttribute.FAMILY: pack_integer(family, 2), kind: octets}


def _nested_address(attributes: Mapping[int, bytes], kind: Attribute) -> Address | None:
    if kind not in attributes:
        return None
    inner = unpack_attributes(attributes[kind])
    flags = optional_integer(inner, AddressAttribute.FLAGS, 4)
    return Address(
        _nested_host(inner),
        optional_integer(inner, AddressAttribute.PORT, 2),
        optional_integer(inner, AddressAttribute.ID, 1),
        None if flags is None else AddressFlag(flags),
        read_signed(inner, AddressAttribute.IF_IDX),
    )


def _nested_host(inner: Mapping[int, bytes]) -> str | None:
    if AddressAttribute.FAMILY not in inner:
        return None
    family = integer(inner, AddressAttribute.FAMILY, 2)
    return read_host(inner, family, AddressAttribute.ADDR4, AddressAttribute.ADDR6)
