"""The two questions to the routing tables that paths need: which route, and whose address.

Pure, but for the socket that is handed in. Nothing here needs a privilege
(include/uapi/linux/rtnetlink.h, if_addr.h). Changing links and routes is not done here.
"""

from __future__ import annotations

import errno
import ipaddress
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from ..addresses import family
from ..errors import ProtocolError
from ..netlink.codec import integer, pack_attributes, pack_integer, unpack_attributes
from ..netlink.sockets import RequestError, RequestSocket


class RouteMessage(IntEnum):
    """RTM_*: message types."""

    NEWADDR = 20
    GETADDR = 22
    NEWROUTE = 24
    GETROUTE = 26


class RouteAttribute(IntEnum):
    """RTA_*: what a route carries."""

    DST = 1
    OIF = 4
    PREFSRC = 7


class AddressAttribute(IntEnum):
    """IFA_*: what an interface's address carries; LOCAL is ours where ADDRESS is the peer's."""

    ADDRESS = 1
    LOCAL = 2


_ROUTE = struct.Struct("=8BI")
_ADDRESS = struct.Struct("=4BI")
_FIB_MATCH = 0x2000  # answer with the entry of the table that matched, or with an error
_LOCAL = 2  # RTN_LOCAL
_NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL, errno.ENODEV)


@dataclass(frozen=True, slots=True)
class Route:
    """How packets to a destination leave.

    Args:
        index: the interface's index.
        local: whether the destination is this machine itself.
        source: the local address that the kernel would choose, or None.
    """

    index: int
    local: bool
    source: str | None


def route_to(
    requests: RequestSocket, host: str, *, index: int = 0, in_table: bool = False
) -> Route | None:
    """Ask for the route to a destination.

    Args:
        requests: a socket of NETLINK_ROUTE.
        host: IP address of the destination.
        index: only through this interface; 0 for any.
        in_table: only if a table has such a route. Without it, an interface without one is said to
            have the destination on its link (IPv4; net/ipv4/route.c, ip_route_output_key_hash_rcu).

    Returns:
        The route, without a source if `in_table`; or None if there is none.

    Raises:
        ProtocolError: the answer can't be read.
    """
    try:
        answers = requests.request(RouteMessage.GETROUTE, _pack_question(host, index, in_table))
    except RequestError as error:
        if error.errno in _NO_ROUTE:
            return None
        raise
    return _unpack_route(answers[0].payload if answers else b"")


def addresses(requests: RequestSocket) -> dict[str, int]:
    """List the machine's own addresses, each with the index of its interface.

    Raises:
        ProtocolError: the answer can't be read.
    """
    answers = requests.request(RouteMessage.GETADDR, bytes(_ADDRESS.size), dump=True)
    return dict(unpack_address(answer.payload) for answer in answers)


def _pack_question(host: str, index: int, in_table: bool) -> bytes:
    destination = ipaddress.ip_address(host)
    attributes: dict[int, bytes] = {RouteAttribute.DST: destination.packed}
    if index:
        attributes[RouteAttribute.OIF] = pack_integer(index, 4)
    flags = _FIB_MATCH if in_table else 0
    header = _ROUTE.pack(family(host), destination.max_prefixlen, 0, 0, 0, 0, 0, 0, flags)
    return header + pack_attributes(attributes)


def _unpack_route(payload: bytes) -> Route:
    if len(payload) < _ROUTE.size:
        raise ProtocolError("a route is shorter than its header")
    attributes = unpack_attributes(payload[_ROUTE.size :])
    source = attributes.get(RouteAttribute.PREFSRC)
    return Route(
        integer(attributes, RouteAttribute.OIF, 4) if RouteAttribute.OIF in attributes else 0,
        payload[7] == _LOCAL,
        None if source is None else _host(source),
    )


def unpack_address(payload: bytes) -> tuple[str, int]:
    """Read an interface's address, and the interface's index.

    Raises:
        ProtocolError: it is too short, or no IP address.
    """
    if len(payload) < _ADDRESS.size:
        raise ProtocolError("an interface's address is shorter than its header")
    attributes: Mapping[int, bytes] = unpack_attributes(payload[_ADDRESS.size :])
    local = attributes.get(AddressAttribute.LOCAL, attributes.get(AddressAttribute.ADDRESS, b""))
    return _host(local), _ADDRESS.unpack_from(payload)[4]


def _host(packed: bytes) -> str:
    try:
        return str(ipaddress.ip_address(packed))
    except ValueError:
        raise ProtocolError(f"an IP address of {len(packed)} bytes") from None
