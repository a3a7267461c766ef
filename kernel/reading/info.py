"""Reading a connection: a cheap capture now, its meaning when somebody asks.

A capture is one system call (`MPTCP_FULL_INFO`, 6.5 and later) or a few (before). It is taken at
the start and at the end of each response, so it must cost microseconds; `decode` costs more and is
for whoever reads the report. No privilege is needed.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import socket
import sys
import threading
from contextlib import closing
from dataclasses import replace
from typing import NamedTuple

from ..errors import KernelError, NoSuchSubflow, NotMultipath
from ..values import ConnectionInfo, FourTuple, SocketAddress, SubflowInfo
from .mptcp_info import (
    ADDITIONAL_SUBFLOWS,
    ADDRESSES_SIZE,
    ALL_SUBFLOWS,
    FULL_HEADER,
    INFO_SIZE,
    SUBFLOW_DATA,
    SUBFLOW_SIZE,
    TCP_SIZE,
    decode_acked,
    decode_full,
    decode_legacy,
    decode_received,
    decode_tcp,
    decode_tcp_infos,
    decode_token,
)

IPPROTO_MPTCP = 262
SOL_MPTCP = 284
MPTCP_INFO = 1
MPTCP_TCPINFO = 2
MPTCP_SUBFLOW_ADDRS = 3
MPTCP_FULL_INFO = 4

TCP_INFO = 11  # the socket module has the name on some systems only
_SO_PROTOCOL = 38
_ROOM = 8  # subflows that a first call has room for; more cost a second call
_MAX_SUBFLOWS = 257  # the first, and additional ones, which the kernel counts in a u8

_getsockopt = ctypes.CDLL(None, use_errno=True).getsockopt
_getsockopt.argtypes = (
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_void_p,
)


def mptcp_error() -> int:
    """Try to create an MPTCP socket: 0, or EPROTONOSUPPORT, ENOPROTOOPT or EINVAL."""
    try:
        with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)):
            return 0
    except OSError as error:
        return error.errno or errno.EPROTONOSUPPORT


class FullCapture(NamedTuple):
    """What MPTCP_FULL_INFO told, not read yet."""

    memory: bytes

    @property
    def bytes_received(self) -> int:
        """Bytes of the MPTCP stream received in order, duplicates not counted."""
        return decode_received(self.memory, FULL_HEADER.size)

    @property
    def bytes_acked(self) -> int:
        """Bytes of the MPTCP stream that the peer has acknowledged."""
        return decode_acked(self.memory, FULL_HEADER.size)

    @property
    def single(self) -> bool:
        """Whether the connection has no subflow but its first one."""
        return not self.memory[FULL_HEADER.size + ADDITIONAL_SUBFLOWS]

    def decode(self) -> ConnectionInfo:
        """Read it into values."""
        return decode_full(self.memory)


class LegacyCapture(NamedTuple):
    """What the three options of kernels before 6.5 told, not read yet."""

    info: bytes
    addresses: bytes
    tcp: bytes

    @property
    def bytes_received(self) -> int:
        """Bytes received over all subflows; the stream's own counter came with 6.5."""
        return sum(subflow.bytes_received for subflow in self.decode().subflows)

    @property
    def bytes_acked(self) -> int:
        """Bytes acknowledged over all subflows."""
        return sum(subflow.bytes_acked for subflow in self.decode().subflows)

    def decode(self) -> ConnectionInfo:
        """Read it into values; a subflow's id is a checksum of its four-tuple."""
        return decode_legacy(self.info, self.addresses, self.tcp)


class BriefCapture(NamedTuple):
    """What MPTCP_INFO told of a connection that still has one subflow, over which all bytes came.

    Args:
        info: what it told.
        earlier: the last full capture, when there was one subflow as well.
    """

    info: bytes
    earlier: FullCapture

    @property
    def bytes_received(self) -> int:
        """Bytes of the MPTCP stream received in order."""
        return decode_received(self.info)

    @property
    def bytes_acked(self) -> int:
        """Bytes of the MPTCP stream that the peer has acknowledged."""
        return decode_acked(self.info)

    def decode(self) -> ConnectionInfo:
        """Read it into values; of the subflow, all but its bytes is as it was in `earlier`."""
        earlier = self.earlier.decode()
        more = self.bytes_received - self.earlier.bytes_received
        acked = self.bytes_acked - self.earlier.bytes_acked
        subflows = tuple(
            replace(
                subflow,
                bytes_received=subflow.bytes_received + more,
                bytes_acked=subflow.bytes_acked + acked,
            )
            for subflow in earlier.subflows
        )
        return replace(earlier, bytes_received=self.bytes_received, subflows=subflows)


Capture = FullCapture | LegacyCapture | BriefCapture


def capture(fd: int) -> Capture:
    """Take down the state of an MPTCP connection.

    Args:
        fd: descriptor of the connection's socket.

    Raises:
        NotMultipath: the connection fell back to TCP, or was never MPTCP.
        NoSuchSubflow: the descriptor is closed.

    Source: net/mptcp/sockopt.c, mptcp_getsockopt_full_info.
    """
    try:
        return FullCapture(_per_thread.buffer.read(fd))
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.ENOPROTOOPT):
            return capture_legacy(fd)
        raise _read_error(fd, error) from None


def token_of(sock: socket.socket) -> int:
    """Read the token of an MPTCP connection, by which the path manager and its events name it.

    Args:
        sock: the connection's socket, or the SSLSocket around it.

    Raises:
        NotMultipath: the connection fell back to TCP, or was never MPTCP.
        NoSuchSubflow: the socket is closed.
    """
    try:
        return decode_token(sock.getsockopt(SOL_MPTCP, MPTCP_INFO, INFO_SIZE))
    except OSError as error:
        raise _read_error(sock.fileno(), error) from None


def capture_after(sock: socket.socket, earlier: FullCapture) -> FullCapture | BriefCapture:
    """Take down the state of a connection again, for much less if it still has one subflow.

    MPTCP_FULL_INFO locks every subflow; the counters of MPTCP_INFO are read without.

    Args:
        sock: the connection's socket, or the SSLSocket around it.
        earlier: the last full capture, which must be `single`; subflows that came and went since
            then are missed.

    Raises:
        NotMultipath: the connection fell back to TCP.
        NoSuchSubflow: the socket is closed.
    """
    try:
        info = sock.getsockopt(SOL_MPTCP, MPTCP_INFO, INFO_SIZE)
        if info[ADDITIONAL_SUBFLOWS]:
            return FullCapture(_per_thread.buffer.read(sock.fileno()))
    except OSError as error:
        raise _read_error(sock.fileno(), error) from None
    return BriefCapture(info, earlier)


def is_stranded(sock: socket.socket) -> bool:
    """Tell whether nothing can come over an MPTCP connection, since it has lost all its subflows.

    Nothing else shows it: the socket isn't readable, and takes what is written, until
    net.mptcp.close_timeout has passed. Older kernels don't tell.

    Args:
        sock: a connected socket; one that is plain TCP is never stranded.

    Source: net/mptcp/sockopt.c, mptcp_diag_fill_info.
    """
    try:
        info = sock.getsockopt(SOL_MPTCP, MPTCP_INFO, ALL_SUBFLOWS + 1)
    except OSError:
        return False
    if len(info) <= ALL_SUBFLOWS or info[ALL_SUBFLOWS]:
        return False
    waiting = select.poll()  # the peer may have ended it in good order, after its last byte
    waiting.register(sock.fileno(), select.POLLIN)
    return not waiting.poll(0)


def capture_legacy(fd: int) -> LegacyCapture:
    """Take down the state of an MPTCP connection as kernels before 6.5 tell it.

    Args:
        fd: descriptor of the connection's socket.

    Raises:
        NotMultipath: the connection fell back to TCP, or was never MPTCP.
        NoSuchSubflow: the descriptor is closed.
    """
    try:
        info = _option(fd, SOL_MPTCP, MPTCP_INFO, bytes(INFO_SIZE))
        return LegacyCapture(info, *_addresses_and_tcp(fd, TCP_SIZE))
    except OSError as error:
        raise _read_error(fd, error) from None


def subflow_tcp_info(fd: int, pair: FourTuple, size: int) -> bytes:
    """Read the whole struct tcp_info of one subflow (include/uapi/linux/tcp.h).

    Args:
        fd: descriptor of the connection's socket.
        pair: the subflow's addresses.
        size: bytes to read at most.

    Returns:
        As many as this kernel has, up to `size`.

    Raises:
        NotMultipath: the connection fell back to TCP, or was never MPTCP.
        NoSuchSubflow: the subflow is gone, or the descriptor is closed.
    """
    try:
        found = dict(decode_tcp_infos(*_addresses_and_tcp(fd, size)))
    except OSError as error:
        raise _read_error(fd, error) from None
    if pair not in found:
        raise NoSuchSubflow(f"no subflow leads from {pair.local} to {pair.remote}")
    return found[pair]


class PlainCapture(NamedTuple):
    """What TCP_INFO told of a connection without MPTCP, as if it were a single subflow.

    Args:
        tuple: its addresses.
        tcp: what it told.
    """

    tuple: FourTuple
    tcp: bytes

    @property
    def subflow(self) -> SubflowInfo:
        """All of it, with the id 0."""
        return decode_tcp(0, self.tuple, self.tcp)

    @property
    def bytes_received(self) -> int:
        """Payload received, in bytes."""
        return self.subflow.bytes_received

    @property
    def bytes_acked(self) -> int:
        """Payload that the peer has acknowledged, in bytes."""
        return self.subflow.bytes_acked

    def decode(self) -> ConnectionInfo:
        """Read it into values."""
        subflow = self.subflow
        return ConnectionInfo(
            token=0,
            bytes_received=subflow.bytes_received,
            fully_established=True,
            subflows=(subflow,),
        )


def tcp_info(sock: socket.socket, known: FourTuple | None = None) -> SubflowInfo:
    """Read a plain TCP connection, or one that fell back to TCP, as `capture_tcp` does."""
    return capture_tcp(sock, known).subflow


def capture_tcp(sock: socket.socket, known: FourTuple | None = None) -> PlainCapture:
    """Take down the state of a plain TCP connection, or of one that fell back to TCP.

    Args:
        sock: a connected TCP or MPTCP socket.
        known: its addresses; they are asked for where they aren't given, which a peer's reset ends.

    Raises:
        NoSuchSubflow: the socket is closed; or it isn't connected, and no addresses are known.
    """
    try:
        tcp = sock.getsockopt(socket.IPPROTO_TCP, TCP_INFO, TCP_SIZE)
        pair = known or FourTuple(
            SocketAddress(*sock.getsockname()[:2]), SocketAddress(*sock.getpeername()[:2])
        )
    except OSError as error:
        raise NoSuchSubflow("the connection is gone", errno=error.errno or 0) from None
    return PlainCapture(pair, tcp)


class _FullInfoBuffer:
    """Memory that MPTCP_FULL_INFO is asked to fill.

    Making it anew for each call would cost more than the call.
    """

    def __init__(self, room: int) -> None:
        arrays = FULL_HEADER.size + INFO_SIZE
        self._memory = bytearray(arrays + room * (SUBFLOW_SIZE + TCP_SIZE))
        self._exported = ctypes.c_char.from_buffer(self._memory)
        self._address = ctypes.addressof(self._exported)
        subflows = self._address + arrays
        self._request = FULL_HEADER.pack(
            0, TCP_SIZE, 0, SUBFLOW_SIZE, 0, room, subflows, subflows + room * SUBFLOW_SIZE
        ) + bytes(INFO_SIZE)
        self._room = room
        self._size = ctypes.c_uint32()
        self._size_address = ctypes.addressof(self._size)

    def read(self, fd: int) -> bytes:
        """Ask the kernel, and again with more room where there are more subflows than room."""
        request, memory, size = self._request, self._memory, self._size
        memory[: len(request)] = request
        size.value = len(request)
        if _getsockopt(fd, SOL_MPTCP, MPTCP_FULL_INFO, self._address, self._size_address):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        if FULL_HEADER.unpack_from(memory)[4] > self._room:
            return _FullInfoBuffer(_MAX_SUBFLOWS).read(fd)
        return bytes(memory)


class _PerThread(threading.local):
    def __init__(self) -> None:
        self.buffer = _FullInfoBuffer(_ROOM)


_per_thread = _PerThread()


def _addresses_and_tcp(fd: int, tcp_size: int) -> tuple[bytes, bytes]:
    """Read both arrays; subflows come and go, so addresses must be the same around TCPINFO."""
    addresses = _subflow_data(fd, MPTCP_SUBFLOW_ADDRS, ADDRESSES_SIZE)
    while True:
        tcp = _subflow_data(fd, MPTCP_TCPINFO, tcp_size)
        before, addresses = addresses, _subflow_data(fd, MPTCP_SUBFLOW_ADDRS, ADDRESSES_SIZE)
        if before == addresses:
            return addresses, tcp


def _subflow_data(fd: int, option: int, element: int) -> bytes:
    """Read one of the two options that are an array with a header of sizes."""
    request = SUBFLOW_DATA.pack(SUBFLOW_DATA.size, 0, 0, element)
    return _option(fd, SOL_MPTCP, option, request + bytes(_MAX_SUBFLOWS * element))


def _option(fd: int, level: int, name: int, request: bytes) -> bytes:
    """Call getsockopt with a buffer that is read by the kernel before it is filled."""
    memory = ctypes.create_string_buffer(request, len(request))
    size = ctypes.c_uint32(len(request))
    if _getsockopt(fd, level, name, ctypes.addressof(memory), ctypes.addressof(size)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return memory.raw[: size.value]


def _read_error(fd: int, error: OSError) -> KernelError:
    """Say why a connection couldn't be read."""
    number = error.errno or 0
    if number in (errno.EBADF, errno.ENOTSOCK):
        return NoSuchSubflow("the socket is closed", errno=number)
    if number in (errno.EOPNOTSUPP, errno.ENOPROTOOPT):
        return _not_multipath(fd)
    return KernelError("the connection could not be read", errno=number)


def _not_multipath(fd: int) -> NotMultipath:
    protocol = int.from_bytes(_option(fd, socket.SOL_SOCKET, _SO_PROTOCOL, bytes(4)), sys.byteorder)
    if protocol == IPPROTO_MPTCP:
        return NotMultipath(
            "the connection fell back to TCP",
            hint="the server, or a middlebox on the way, does not speak Multipath TCP",
        )
    return NotMultipath(
        "the socket is not an MPTCP socket", hint="create it with the protocol IPPROTO_MPTCP (262)"
    )
