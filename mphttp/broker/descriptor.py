"""Descriptors that clients pass: taking them, and what the kernel tells of them."""

from __future__ import annotations

import array
import errno
import os
import socket
import struct
import sys
from dataclasses import dataclass
from fcntl import ioctl

from mphttp.kernel.errors import KernelError
from mphttp.kernel.reading.info import IPPROTO_MPTCP, capture
from mphttp.kernel.values import ConnectionInfo

from .policy import Descriptor

MOST_PASSED = 253
"""Descriptors in one message (SCM_MAX_FD, include/net/scm.h)."""
_SO_NETNS_COOKIE = 71  # include/uapi/asm-generic/socket.h, since 5.14
_SIOCGIFNAME = 0x8910
_SIOCGSKNS = 0x894C
_INTERFACE = struct.Struct("16si20x")  # struct ifreq
_IP = (socket.AF_INET, socket.AF_INET6)


@dataclass(frozen=True, slots=True)
class Received:
    """One message, and what came with it.

    Args:
        message: its bytes, as many as there was room for.
        descriptors: all of them; who gets them closes them.
        whole: whether nothing was cut off.
    """

    message: bytes
    descriptors: list[int]
    whole: bool


def receive(sock: socket.socket, room: int) -> Received:
    """Take one message, without blocking.

    There is room for all descriptors that can come: what the kernel had to drop it would close in
    this thread, and closing a stranger's descriptor can take for ever (see `disposal`).

    Args:
        sock: a connected Unix socket that doesn't block.
        room: bytes that the message may have.

    Raises:
        OSError: nothing waits, or the other side has reset it.
    """
    descriptors = array.array("i")
    message, ancillary, flags, _ = sock.recvmsg(
        room,
        socket.CMSG_SPACE(MOST_PASSED * descriptors.itemsize),
        socket.MSG_CMSG_CLOEXEC,
    )
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
    cut = flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC)
    return Received(message, descriptors.tolist(), not cut)


def as_socket(fd: int) -> socket.socket | None:
    """Make a descriptor an object, if it is an IP socket; who gets it detaches it."""
    try:
        sock = socket.socket(fileno=fd)
    except OSError:
        return None
    if sock.family in _IP:
        return sock
    sock.detach()
    return None


def look(sock: socket.socket) -> Descriptor:
    """Tell what a socket is."""
    if sock.proto != IPPROTO_MPTCP:
        return Descriptor(sock.proto)
    connection = connection_of(sock)
    if connection is None:
        listening = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        return Descriptor(sock.proto, listening=bool(listening))
    return Descriptor(sock.proto, connection=connection)


def connection_of(sock: socket.socket) -> ConnectionInfo | None:
    """Read an MPTCP socket's connection; None if it has none, or it fell back to TCP."""
    try:
        sock.getpeername()
        connection = capture(sock.fileno()).decode()
    except (KernelError, OSError):
        return None
    return connection if connection.token else None


def namespace_cookie(sock: socket.socket) -> int:
    """Tell the number that its network namespace has, never another one's."""
    return int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8), sys.byteorder)


def namespace_of(sock: socket.socket) -> int:
    """Open its network namespace; who gets the descriptor closes it.

    Raises:
        OSError: CAP_NET_ADMIN over that namespace is missing.
    """
    return ioctl(sock.fileno(), _SIOCGSKNS, 0)


def interface_name(sock: socket.socket, index: int) -> str | None:
    """Name an interface of its network namespace."""
    try:
        answer = ioctl(sock.fileno(), _SIOCGIFNAME, _INTERFACE.pack(b"", index))
    except (OSError, struct.error) as error:
        if isinstance(error, OSError) and error.errno != errno.ENODEV:
            raise
        return None
    return os.fsdecode(_INTERFACE.unpack(answer)[0].rstrip(b"\0"))
