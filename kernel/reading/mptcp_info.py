"""The structures that getsockopt(SOL_MPTCP) fills, read into values (include/uapi/linux/mptcp.h).

Pure. User space and kernel agree on sizes in a header: we say how much of each structure we want,
the kernel answers how much it gave. Only the beginning of each structure is asked for, up to the
last field that is read, so a connection with few subflows costs little to capture.
"""

from __future__ import annotations

import socket
import struct
import zlib

from ..errors import ProtocolError
from ..values import ConnectionInfo, FourTuple, SocketAddress, SubflowInfo, TCPState

# struct mptcp_full_info: six sizes and two pointers, then a struct mptcp_info.
FULL_HEADER = struct.Struct("=6I2Q")
# struct mptcp_subflow_data, the header of the two older options.
SUBFLOW_DATA = struct.Struct("=4I")

# struct mptcp_info up to mptcpi_bytes_acked; the last two fields came with 6.5.
INFO_SIZE = 80
_INFO_BYTES = 64  # where mptcpi_bytes_received stands
ADDITIONAL_SUBFLOWS = 0  # where mptcpi_subflows stands, a u8
ALL_SUBFLOWS = 80  # where mptcpi_subflows_total stands, a u8 that came later
# struct mptcp_subflow_addrs up to the end of the remote sockaddr_in6 (each union takes 128 bytes).
ADDRESSES_SIZE = 128 + 28
# struct mptcp_subflow_info: an id, padded to 8 bytes, then the addresses.
SUBFLOW_SIZE = 8 + ADDRESSES_SIZE
# struct tcp_info up to tcpi_total_rto, which came with 6.7.
TCP_SIZE = 242
_TIMEOUTS = 240

_FLAGS_AND_TOKEN = struct.Struct("=II")
_BYTES = struct.Struct("=QQ")
_LAST = struct.Struct("=II")
_FAMILY = struct.Struct("=H")
_PORT = struct.Struct("!H")
_REMOTE_KEY_RECEIVED = 1 << 1
# tcpi_bytes_acked of a client counts its SYN.
_SYN = 1


def decode_full(memory: bytes) -> ConnectionInfo:
    """Read the memory that MPTCP_FULL_INFO filled: header, mptcp_info, subflows, tcp_infos.

    Args:
        memory: the whole piece; the header's two pointers lead into it, the first to its byte
            `FULL_HEADER.size + INFO_SIZE`.

    Raises:
        ProtocolError: sizes or addresses make no sense.
    """
    try:
        _, tcp_size, _, subflow_size, count, room, subflows_at, tcp_at = FULL_HEADER.unpack_from(
            memory
        )
        info = memory[FULL_HEADER.size : FULL_HEADER.size + INFO_SIZE]
        first = FULL_HEADER.size + INFO_SIZE
        second = first + tcp_at - subflows_at
        subflows = tuple(
            _full_subflow(
                memory[first + n * subflow_size : first + (n + 1) * subflow_size],
                memory[second + n * tcp_size : second + (n + 1) * tcp_size],
            )
            for n in range(min(count, room))
        )
        return _connection(info, subflows)
    except struct.error as error:
        raise ProtocolError(f"MPTCP_FULL_INFO: {error}") from None


def decode_received(memory: bytes, offset: int = 0) -> int:
    """Read mptcpi_bytes_received alone, of a struct mptcp_info of 6.5 or later.

    Args:
        memory: holds the structure.
        offset: where it begins.
    """
    received: int = _BYTES.unpack_from(memory, offset + _INFO_BYTES)[0]
    return received


def decode_acked(memory: bytes, offset: int = 0) -> int:
    """Read mptcpi_bytes_acked alone, as `decode_received` does its neighbour."""
    acked: int = _BYTES.unpack_from(memory, offset + _INFO_BYTES)[1]
    return acked


def decode_token(info: bytes) -> int:
    """Read mptcpi_token alone, of a struct mptcp_info."""
    token: int = _FLAGS_AND_TOKEN.unpack_from(info, 8)[1]
    return token


def decode_legacy(info: bytes, addresses: bytes, tcp: bytes) -> ConnectionInfo:
    """Read MPTCP_INFO, MPTCP_SUBFLOW_ADDRS and MPTCP_TCPINFO (5.16 to 6.4).

    Raises:
        ProtocolError: sizes or addresses make no sense.
    """
    try:
        infos = decode_tcp_infos(addresses, tcp)
        return _connection(info, tuple(_legacy_subflow(*subflow) for subflow in infos))
    except struct.error as error:
        raise ProtocolError(f"MPTCP_INFO: {error}") from None


def decode_tcp_infos(addresses: bytes, tcp: bytes) -> list[tuple[FourTuple, bytes]]:
    """Read MPTCP_SUBFLOW_ADDRS and MPTCP_TCPINFO: one struct tcp_info a subflow, in their order.

    Raises:
        ProtocolError: sizes or addresses make no sense.
    """
    try:
        pairs = zip(_elements(addresses), _elements(tcp), strict=True)
        return [(_addresses(pair), tcp_info) for pair, tcp_info in pairs]
    except (struct.error, ValueError) as error:
        raise ProtocolError(f"MPTCP_SUBFLOW_ADDRS or MPTCP_TCPINFO: {error}") from None


def decode_tcp(subflow_id: int, pair: FourTuple, tcp: bytes) -> SubflowInfo:
    """Read one struct tcp_info (include/uapi/linux/tcp.h); fields it is too short for are 0.

    Raises:
        ProtocolError: its state is none of TCP's.
    """
    timeouts = struct.unpack_from("=H", tcp, _TIMEOUTS)[0] if len(tcp) >= TCP_SIZE else None
    tcp = tcp.ljust(TCP_SIZE, b"\0")
    last_data_received, last_ack_received = _LAST.unpack_from(tcp, 52)
    (rtt,) = struct.unpack_from("=I", tcp, 68)
    (retransmits,) = struct.unpack_from("=I", tcp, 100)
    bytes_acked, bytes_received = _BYTES.unpack_from(tcp, 120)
    segments_received, not_sent = struct.unpack_from("=II", tcp, 140)
    (segment_size,) = struct.unpack_from("=I", tcp, 16)
    (under_way,) = struct.unpack_from("=I", tcp, 24)
    return SubflowInfo(
        id=subflow_id,
        tuple=pair,
        state=_state(tcp[0]),
        rtt=rtt / 1e6,
        bytes_received=bytes_received,
        bytes_acked=bytes_acked,
        retransmits=retransmits,
        last_data_received=last_data_received / 1e3,
        last_ack_received=last_ack_received / 1e3,
        queued=not_sent + under_way * segment_size,
        segments_received=segments_received,
        timeouts=timeouts,
        backoff=tcp[2],
    )


def _full_subflow(subflow: bytes, tcp: bytes) -> SubflowInfo:
    (subflow_id,) = struct.unpack_from("=I", subflow)
    return decode_tcp(subflow_id, _addresses(subflow[8:]), tcp)


def _legacy_subflow(pair: FourTuple, tcp: bytes) -> SubflowInfo:
    # A checksum of the four-tuple is the same in every thread and needs no table to be kept.
    return decode_tcp(zlib.crc32(repr(pair).encode()), pair, tcp)


def _elements(data: bytes) -> list[bytes]:
    """Cut the array after a struct mptcp_subflow_data into its elements."""
    header, count, _, size = SUBFLOW_DATA.unpack_from(data)
    room = (len(data) - header) // size if size else 0
    return [data[header + n * size : header + (n + 1) * size] for n in range(min(count, room))]


def _connection(info: bytes, subflows: tuple[SubflowInfo, ...]) -> ConnectionInfo:
    flags, token = _FLAGS_AND_TOKEN.unpack_from(info, 8)
    received = _BYTES.unpack_from(info, _INFO_BYTES)[0] if len(info) >= INFO_SIZE else None
    return ConnectionInfo(
        token=token,
        bytes_received=received,
        fully_established=bool(flags & _REMOTE_KEY_RECEIVED) and any(map(_exchanged, subflows)),
        subflows=subflows,
    )


def _exchanged(subflow: SubflowInfo) -> bool:
    return subflow.bytes_received > 0 or subflow.bytes_acked > _SYN


def _addresses(data: bytes) -> FourTuple:
    return FourTuple(_address(data[:128]), _address(data[128:]))


def _address(sockaddr: bytes) -> SocketAddress:
    (family,) = _FAMILY.unpack_from(sockaddr)
    (port,) = _PORT.unpack_from(sockaddr, 2)
    if family == socket.AF_INET and len(sockaddr) >= 8:
        return SocketAddress(socket.inet_ntop(family, sockaddr[4:8]), port)
    if family == socket.AF_INET6 and len(sockaddr) >= 24:
        return SocketAddress(socket.inet_ntop(family, sockaddr[8:24]), port)
    raise ProtocolError(f"a subflow has an address of family {family} and {len(sockaddr)} bytes")


def _state(number: int) -> TCPState:
    try:
        return TCPState(number)
    except ValueError:
        raise ProtocolError(f"a subflow has the TCP state {number}") from None
