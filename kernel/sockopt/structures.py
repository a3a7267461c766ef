"""The structures of the paper's socket options (kernel/linux, mptcp_sub.h). Pure.

All are native: in the byte order, and with the padding, of this machine.
"""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

from ..addresses import packed
from ..errors import ProtocolError
from ..values import FourTuple, SocketAddress

MPTCP_GET_SUB_IDS = 66
MPTCP_CLOSE_SUB_ID = 67
MPTCP_GET_SUB_TUPLE = 68
MPTCP_OPEN_SUB_TUPLE = 69
MPTCP_SUB_GETSOCKOPT = 71
MPTCP_SUB_SETSOCKOPT = 72
MPTCP_SUB_PRIO = 74

MAX_SUBFLOWS = 32
IDS_ROOM = 2 + 2 * MAX_SUBFLOWS
TUPLE_ROOM = 1 + 2 * 28

_LOW_PRIO = 1 << 3
_SUB_SETSOCKOPT = struct.Struct("@B2iPI0P")
_SUB_GETSOCKOPT = struct.Struct("@B2iPP")
_SOCKADDR_IN = struct.Struct("=H2s4s8x")
_SOCKADDR_IN6 = struct.Struct("=H2s4x16s4x")


class Status(NamedTuple):
    """One of the subflows that the kernel lists (struct mptcp_sub_status).

    Args:
        id: 0 to 31, recycled.
        backup: whether one of the peers wants it used only when no regular one works.
    """

    id: int
    backup: bool


def decode_ids(data: bytes) -> list[Status]:
    """Read a struct mptcp_sub_ids.

    Raises:
        ProtocolError: it is shorter than it says.
    """
    if len(data) < 2 or len(data) < 2 + 2 * data[0]:
        raise ProtocolError(f"MPTCP_GET_SUB_IDS gave {len(data)} bytes")
    # Compilers put the bits into the byte after the id, where a u16 has room for them.
    return [Status(data[at], bool(data[at + 1] & _LOW_PRIO)) for at in range(2, 2 + 2 * data[0], 2)]


def encode_tuple(pair: FourTuple) -> bytes:
    """Write a struct mptcp_sub_tuple whose id is the kernel's to fill in.

    Raises:
        ValueError: these are no two addresses of one family.
    """
    local, remote = (_encode_address(address) for address in pair)
    if len(local) != len(remote):
        raise ValueError(f"{pair.local.host} and {pair.remote.host} are of two families")
    return b"\0" + local + remote


def decode_tuple(data: bytes) -> FourTuple:
    """Read a struct mptcp_sub_tuple.

    Raises:
        ProtocolError: it holds no two addresses.
    """
    size, odd = divmod(len(data) - 1, 2)
    if odd:
        raise ProtocolError(f"MPTCP_GET_SUB_TUPLE gave {len(data)} bytes")
    return FourTuple(_decode_address(data[1 : 1 + size]), _decode_address(data[1 + size :]))


def encode_setsockopt(subflow: int, level: int, name: int, value: int, size: int) -> bytes:
    """Write a struct mptcp_sub_setsockopt.

    Args:
        subflow: its id.
        level: of the option.
        name: of the option.
        value: where in memory the value is.
        size: of the value, in bytes.
    """
    return _SUB_SETSOCKOPT.pack(subflow, level, name, value, size)


def encode_getsockopt(subflow: int, level: int, name: int, value: int, size: int) -> bytes:
    """Write a struct mptcp_sub_getsockopt.

    Args:
        subflow: its id.
        level: of the option.
        name: of the option.
        value: where in memory there is room for the value.
        size: where in memory it says how much, as an unsigned int.
    """
    return _SUB_GETSOCKOPT.pack(subflow, level, name, value, size)


def _encode_address(address: SocketAddress) -> bytes:
    family, octets = packed(address.host)
    port = address.port.to_bytes(2, "big")
    kind = _SOCKADDR_IN if family == socket.AF_INET else _SOCKADDR_IN6
    return kind.pack(family, port, octets)


def _decode_address(data: bytes) -> SocketAddress:
    for family, kind in ((socket.AF_INET, _SOCKADDR_IN), (socket.AF_INET6, _SOCKADDR_IN6)):
        if len(data) == kind.size:
            told, port, octets = kind.unpack(data)
            if told == family:
                return SocketAddress(socket.inet_ntop(family, octets), int.from_bytes(port, "big"))
    raise ProtocolError(f"MPTCP_GET_SUB_TUPLE gave an address of {len(data)} bytes")
