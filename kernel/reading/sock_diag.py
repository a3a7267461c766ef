"""The codec of sock_diag: how the kernel lists the sockets of a network namespace. Pure.

What `ss -M` and `ss -ti` ask for (include/uapi/linux/inet_diag.h, mptcp.h; net/ipv4/inet_diag.c,
net/mptcp/mptcp_diag.c and diag.c).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from ..addresses import packed
from ..errors import ProtocolError
from ..netlink.codec import (
    integer,
    optional_integer,
    pack_attributes,
    pack_integer,
    unpack_attributes,
)
from ..values import FourTuple, SocketAddress, SubflowInfo, TCPState
from .info import IPPROTO_MPTCP
from .mptcp_info import INFO_SIZE, decode_tcp

SOCK_DIAG_BY_FAMILY = 20
"""The message type of questions and answers."""


class DiagAttribute(IntEnum):
    """INET_DIAG_*: what an answer carries."""

    INFO = 2
    ULP_INFO = 19


class UpperLayerAttribute(IntEnum):
    """INET_ULP_INFO_*: what is told of the protocol above TCP."""

    NAME = 1
    MPTCP = 3


class SubflowAttribute(IntEnum):
    """MPTCP_SUBFLOW_ATTR_*: what is told of a TCP socket that is a subflow."""

    TOKEN_LOC = 2
    FLAGS = 8
    ID_REM = 9
    ID_LOC = 10


class SubflowFlag(IntFlag):
    """MPTCP_SUBFLOW_FLAG_*, those that are read here."""

    MCAP_REM = 1 << 0
    BKUP_REM = 1 << 4
    BKUP_LOC = 1 << 5
    FULLY_ESTABLISHED = 1 << 6


_REQUEST = struct.Struct("=BBBxI48x")  # struct inet_diag_req_v2, for any addresses
_ONE = struct.Struct("=BBBxI2s2s16s16sIII")  # the same, for one socket
_MESSAGE = struct.Struct("=BBBBHH16s16sI2I5I")  # struct inet_diag_msg; the ports are big-endian
_ANY_COOKIE = 0xFFFFFFFF
_PROTOCOL = 3  # INET_DIAG_REQ_PROTOCOL: a number that doesn't fit the header's byte
_INFO_BIT = 1 << (DiagAttribute.INFO - 1)
_STATES = sum(1 << state for state in TCPState if state not in (TCPState.LISTEN, TCPState.CLOSE))
_FLAGS_AT, _TOKEN_AT, _WRITTEN_AT, _RECEIVED_AT, _ACKED_AT = 8, 12, 16, 64, 72
"""Where fields stand in struct mptcp_info; after what was written follows what isn't acknowledged.
"""
_FALLBACK = 1 << 0  # MPTCP_INFO_FLAG_FALLBACK


@dataclass(frozen=True, slots=True)
class ListedConnection:
    """An MPTCP socket of any process.

    Args:
        cookie: the socket's number, never recycled; the kernel counts them up as it is asked.
        token: names the connection; 0 if it isn't told.
        tuple: both addresses of the first subflow.
        state: of the connection.
        fell_back: whether it goes on as plain TCP: the peer, or a middlebox, has no MPTCP.
        inode: tells to which process it belongs (/proc/PID/fd); 0 if to none.
        user: the user's number.
        bytes_received: bytes of the stream received in order, or None before 6.5.
        bytes_acked: bytes of the stream sent and acknowledged, or None before 6.5.
        queued: bytes of the stream that were written, and aren't acknowledged.
    """

    cookie: int
    token: int
    tuple: FourTuple
    state: TCPState
    fell_back: bool
    inode: int
    user: int
    bytes_received: int | None
    bytes_acked: int | None
    queued: int = 0


@dataclass(frozen=True, slots=True)
class ListedSubflow:
    """A TCP socket that is a subflow of an MPTCP socket.

    Args:
        token: of its connection.
        info: as for a connection of this process; its id is the socket's cookie.
        backup: whether either side said that it is for when no regular subflow works.
        local_id: this side's number for its address.
        remote_id: the peer's number for its address.
        device: index of the interface that it is bound to, 0 for none.
        began: whether this side began the connection with it.
        fully_established: whether the peer is known to speak MPTCP, so that others may join.
    """

    token: int
    info: SubflowInfo
    backup: bool
    local_id: int
    remote_id: int
    device: int = 0
    began: bool = False
    fully_established: bool = False


def pack_question(family: int, protocol: int) -> bytes:
    """Ask for all connected sockets.

    Args:
        family: AF_INET or AF_INET6.
        protocol: IPPROTO_MPTCP or IPPROTO_TCP.
    """
    header = _REQUEST.pack(family, protocol & 0xFF, _INFO_BIT, _STATES)
    return header + pack_attributes({_PROTOCOL: pack_integer(protocol, 4)})


def pack_question_of(pair: FourTuple, device: int) -> bytes:
    """Ask for one TCP socket; no other has to be looked at.

    Args:
        pair: its addresses and ports.
        device: index of the interface that it may be bound to; one that is bound to none is found,
            too.
    """
    (kind, local), (_, remote) = (packed(address.host) for address in pair)
    ports = (address.port.to_bytes(2, "big") for address in pair)
    cookie = _ANY_COOKIE, _ANY_COOKIE
    return _ONE.pack(
        kind, socket.IPPROTO_TCP, _INFO_BIT, _STATES, *ports, local, remote, device, *cookie
    )


def pack_question_about(token: int) -> bytes:
    """Ask for the MPTCP socket that a token names (net/mptcp/mptcp_diag.c, mptcp_diag_dump_one)."""
    header = _ONE.pack(
        socket.AF_INET, 0, _INFO_BIT, _STATES, b"", b"", b"", b"", 0, token, _ANY_COOKIE
    )
    return header + pack_attributes({_PROTOCOL: pack_integer(IPPROTO_MPTCP, 4)})


def decode_connection(payload: bytes) -> ListedConnection:
    """Read an answer about an MPTCP socket.

    Raises:
        ProtocolError: something doesn't fit.
    """
    message = _unpack(payload)
    info = message.attributes.get(DiagAttribute.INFO, b"")
    whole = len(info) >= INFO_SIZE
    return ListedConnection(
        cookie=message.cookie,
        token=_number(info, _TOKEN_AT, "=I"),
        tuple=message.tuple,
        state=message.state,
        fell_back=bool(_number(info, _FLAGS_AT, "=I") & _FALLBACK),
        inode=message.inode,
        user=message.user,
        bytes_received=_number(info, _RECEIVED_AT, "=Q") if whole else None,
        bytes_acked=_number(info, _ACKED_AT, "=Q") if whole else None,
        queued=_number(info, _WRITTEN_AT, "=Q") - _number(info, _WRITTEN_AT + 8, "=Q"),
    )


def decode_subflow(payload: bytes) -> ListedSubflow | None:
    """Read an answer about a TCP socket.

    Returns:
        What it tells; None of a socket that is no subflow, or isn't known to be one: before 6.15
        that needs CAP_NET_ADMIN.

    Raises:
        ProtocolError: something doesn't fit.
    """
    message = _unpack(payload)
    upper = unpack_attributes(message.attributes.get(DiagAttribute.ULP_INFO, b""))
    if UpperLayerAttribute.MPTCP not in upper:
        return None
    mptcp = unpack_attributes(upper[UpperLayerAttribute.MPTCP])
    tcp = message.attributes.get(DiagAttribute.INFO, b"")
    if not tcp:
        return None
    flags = optional_integer(mptcp, SubflowAttribute.FLAGS, 4) or 0
    return ListedSubflow(
        token=integer(mptcp, SubflowAttribute.TOKEN_LOC, 4),
        info=decode_tcp(message.cookie, message.tuple, tcp),
        backup=bool(flags & (SubflowFlag.BKUP_REM | SubflowFlag.BKUP_LOC)),
        local_id=optional_integer(mptcp, SubflowAttribute.ID_LOC, 1) or 0,
        remote_id=optional_integer(mptcp, SubflowAttribute.ID_REM, 1) or 0,
        device=message.device,
        began=bool(flags & SubflowFlag.MCAP_REM),
        fully_established=bool(flags & SubflowFlag.FULLY_ESTABLISHED),
    )


def decode_device(payload: bytes) -> int:
    """Read an answer about any socket: the index of the interface that it is bound to, or 0.

    Raises:
        ProtocolError: something doesn't fit.
    """
    return _unpack(payload).device


def decode_asks_backup(payload: bytes) -> bool | None:
    """Read an answer about a subflow: whether this side asked to have it for a backup.

    Returns:
        None where that isn't told, as to others than root before Linux 6.15.

    Raises:
        ProtocolError: something doesn't fit.
    """
    upper = unpack_attributes(_unpack(payload).attributes.get(DiagAttribute.ULP_INFO, b""))
    if UpperLayerAttribute.MPTCP not in upper:
        return None
    mptcp = unpack_attributes(upper[UpperLayerAttribute.MPTCP])
    return bool((optional_integer(mptcp, SubflowAttribute.FLAGS, 4) or 0) & SubflowFlag.BKUP_LOC)


@dataclass(frozen=True, slots=True)
class _DiagMessage:
    state: TCPState
    tuple: FourTuple
    device: int
    cookie: int
    user: int
    inode: int
    attributes: Mapping[int, bytes]


def _unpack(payload: bytes) -> _DiagMessage:
    if len(payload) < _MESSAGE.size:
        raise ProtocolError("a listed socket is shorter than its header")
    fields = _MESSAGE.unpack_from(payload)
    family, state, _, _, source_port, destination_port, source, destination = fields[:8]
    device, low, high = fields[8:11]
    user, inode = fields[14:]
    return _DiagMessage(
        _state(state),
        FourTuple(
            _address(family, source, source_port), _address(family, destination, destination_port)
        ),
        device,
        high << 32 | low,
        user,
        inode,
        unpack_attributes(payload[_MESSAGE.size :]),
    )


def _address(family: int, host: bytes, port: int) -> SocketAddress:
    sizes = {socket.AF_INET: 4, socket.AF_INET6: 16}
    if family not in sizes:
        raise ProtocolError(f"a listed socket has an address of family {family}")
    return SocketAddress(
        socket.inet_ntop(family, host[: sizes[socket.AddressFamily(family)]]), socket.ntohs(port)
    )


def _state(number: int) -> TCPState:
    try:
        return TCPState(number)
    except ValueError:
        raise ProtocolError(f"a listed socket has the state {number}") from None


def _number(info: bytes, offset: int, form: str) -> int:
    if len(info) < offset + struct.calcsize(form):
        return 0
    number: int = struct.unpack_from(form, info, offset)[0]
    return number
