"""The questions to the routing tables that paths need: which route, and whose address.

Pure, but for the socket that is handed in. Nothing here needs a privilege
(include/uapi/linux/rtnetlink.h, if_addr.h). Changing links and routes is not done here.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from ..addresses import family
from ..errors import ProtocolError
from ..netlink.codec import (
    integer,
    optional_integer,
    pack_attributes,
    pack_integer,
    unpack_attributes,
)
from ..netlink.sockets import RequestError, RequestSocket


class RouteMessage(IntEnum):
    """RTM_*: message types."""

    GETLINK = 18
    NEWADDR = 20
    GETADDR = 22
    NEWROUTE = 24
    GETROUTE = 26
    GETRULE = 34


class RouteAttribute(IntEnum):
    """RTA_*: what a route carries."""

    DST = 1
    SRC = 2
    OIF = 4
    GATEWAY = 5
    PREFSRC = 7
    TABLE = 15
    IP_PROTO = 27
    DPORT = 29


class AddressAttribute(IntEnum):
    """IFA_*: what an interface's address carries; LOCAL is ours where ADDRESS is the peer's."""

    ADDRESS = 1
    LOCAL = 2
    FLAGS = 8


class AddressFlag(IntFlag):
    """IFA_F_*: the state of an address."""

    DADFAILED = 0x08
    DEPRECATED = 0x20
    TENTATIVE = 0x40


_ROUTE = struct.Struct("=8BI")
_ADDRESS = struct.Struct("=4BI")
_LINK = struct.Struct("=BxHiII")  # struct ifinfomsg
_ALT_IFNAME = 53  # IFLA_ALT_IFNAME
_FIB_MATCH = 0x2000  # answer with the entry of the table that matched, or with an error
_LOOKUP_TABLE = 0x1000  # and tell which table that is, which IPv4 else calls the main one
_LOCAL = 2  # RTN_LOCAL
_NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL, errno.ENODEV)


@dataclass(frozen=True, slots=True)
class Question:
    """A packet whose way is asked for.

    Args:
        host: IP address of the destination.
        port: TCP port there, which a rule may look at (`ip rule ... dport`); 0 for any.
        index: only through this interface; 0 for any.
        source: local address that it leaves from, which a rule may look at (`ip rule from`); "" for
            the one that the route prefers.
        in_table: answer with the entry of a table. Without it, an interface that has none is said
            to have the destination on its link (IPv4; net/ipv4/route.c,
            ip_route_output_key_hash_rcu).
    """

    host: str
    port: int = 0
    index: int = 0
    source: str = ""
    in_table: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """How packets to a destination leave.

    Args:
        index: the interface's index.
        local: whether the destination is this machine itself.
        source: the local address that the kernel would choose, or None.
        table: the table that has it, 0 if that isn't told.
        length: bits of the destination that the entry fixes, if an entry was asked for.
        gateway: the next host on the way, None if the destination is on the link, or isn't told.
    """

    index: int
    local: bool
    source: str | None
    table: int = 0
    length: int = 0
    gateway: str | None = None


@dataclass(frozen=True, slots=True)
class InterfaceAddress:
    """An address of this machine.

    Args:
        host: IP address.
        index: of its interface.
        scope: where it is valid, RT_SCOPE_*.
        flags: its state.
    """

    host: str
    index: int
    scope: int
    flags: AddressFlag

    @property
    def usable(self) -> bool:
        """Whether packets may leave from it: it isn't being looked for elsewhere on the link."""
        return not self.flags & (AddressFlag.TENTATIVE | AddressFlag.DADFAILED)


def route_to(requests: RequestSocket, question: Question) -> Route | None:
    """Ask for the route to a destination.

    Args:
        requests: a socket of NETLINK_ROUTE.
        question: where to, and from where.

    Returns:
        The route, without a source if an entry was asked for; or None if there is none.

    Raises:
        ProtocolError: the answer can't be read.
    """
    try:
        answers = requests.request(RouteMessage.GETROUTE, _pack_question(question))
    except RequestError as error:
        if error.errno in _NO_ROUTE:
            return None
        raise
    return _unpack_route(answers[0].payload if answers else b"")


def addresses(requests: RequestSocket) -> list[InterfaceAddress]:
    """List the machine's own addresses, in the order in which the kernel has them.

    Raises:
        ProtocolError: the answer can't be read.
    """
    answers = requests.request(RouteMessage.GETADDR, bytes(_ADDRESS.size), dump=True)
    return [unpack_address(answer.payload) for answer in answers]


def far_hosts(requests: RequestSocket) -> set[int]:
    """List the interfaces through whose gateways a route to a single host leads, of both families.

    Raises:
        ProtocolError: the answer can't be read.
    """
    answers = requests.request(RouteMessage.GETROUTE, bytes(_ROUTE.size), dump=True)
    return {index for answer in answers if (index := _far_host(answer.payload))}


def _far_host(payload: bytes) -> int:
    attributes = unpack_attributes(payload[_ROUTE.size :])
    whole = len(attributes.get(RouteAttribute.DST, b"")) * 8
    if not whole or payload[1] != whole or RouteAttribute.GATEWAY not in attributes:
        return 0
    return optional_integer(attributes, RouteAttribute.OIF, 4) or 0


def index_by_other_name(requests: RequestSocket, name: bytes) -> int | None:
    """Return the index of the interface that has an alternative name, or None if none has.

    Args:
        requests: a socket of NETLINK_ROUTE.
        name: up to 127 bytes.

    Raises:
        KernelError: the kernel doesn't tell; ENODEV where there is none.
    """
    if b"\0" in name:
        return None
    question = bytes(_LINK.size) + pack_attributes({_ALT_IFNAME: name + b"\0"})
    answers = requests.request(RouteMessage.GETLINK, question)
    return int(_LINK.unpack_from(answers[0].payload)[2]) if answers else None


def _pack_question(question: Question) -> bytes:
    destination = ipaddress.ip_address(question.host)
    attributes: dict[int, bytes] = {
        RouteAttribute.DST: destination.packed,
        RouteAttribute.IP_PROTO: pack_integer(socket.IPPROTO_TCP, 1),
    }
    from_length = 0
    if question.port:
        attributes[RouteAttribute.DPORT] = struct.pack("!H", question.port)
    if question.index:
        attributes[RouteAttribute.OIF] = pack_integer(question.index, 4)
    if question.source:
        attributes[RouteAttribute.SRC] = ipaddress.ip_address(question.source).packed
        from_length = destination.max_prefixlen
    flags = _FIB_MATCH | _LOOKUP_TABLE if question.in_table else 0
    lengths = destination.max_prefixlen, from_length
    header = _ROUTE.pack(family(question.host), *lengths, 0, 0, 0, 0, 0, flags)
    return header + pack_attributes(attributes)


def _unpack_route(payload: bytes) -> Route:
    if len(payload) < _ROUTE.size:
        raise ProtocolError("a route is shorter than its header")
    attributes = unpack_attributes(payload[_ROUTE.size :])
    source = attributes.get(RouteAttribute.PREFSRC)
    gateway = attributes.get(RouteAttribute.GATEWAY)
    return Route(
        integer(attributes, RouteAttribute.OIF, 4) if RouteAttribute.OIF in attributes else 0,
        payload[7] == _LOCAL,
        None if source is None else _host(source),
        optional_integer(attributes, RouteAttribute.TABLE, 4) or payload[4],
        payload[1],
        None if gateway is None else _host(gateway),
    )


def unpack_address(payload: bytes) -> InterfaceAddress:
    """Read an address of an interface.

    Raises:
        ProtocolError: it is too short, or no IP address.
    """
    if len(payload) < _ADDRESS.size:
        raise ProtocolError("an interface's address is shorter than its header")
    attributes: Mapping[int, bytes] = unpack_attributes(payload[_ADDRESS.size :])
    local = attributes.get(AddressAttribute.LOCAL, attributes.get(AddressAttribute.ADDRESS, b""))
    _, _, low_flags, scope, index = _ADDRESS.unpack_from(payload)
    flags = optional_integer(attributes, AddressAttribute.FLAGS, 4) or low_flags
    return InterfaceAddress(_host(local), index, scope, AddressFlag(flags))


def _host(packed: bytes) -> str:
    try:
        return str(ipaddress.ip_address(packed))
    except ValueError:
        raise ProtocolError(f"an IP address of {len(packed)} bytes") from None
