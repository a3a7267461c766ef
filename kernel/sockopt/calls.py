"""The paper's socket options on a socket: one function for each (paper, table 1).

Every one raises the OSError that the kernel gives.
"""

from __future__ import annotations

import ctypes
import os
import socket

from ..values import FourTuple
from .structures import (
    IDS_ROOM,
    MPTCP_CLOSE_SUB_ID,
    MPTCP_GET_SUB_IDS,
    MPTCP_GET_SUB_TUPLE,
    MPTCP_OPEN_SUB_TUPLE,
    MPTCP_SUB_GETSOCKOPT,
    MPTCP_SUB_PRIO,
    MPTCP_SUB_SETSOCKOPT,
    TUPLE_ROOM,
    Status,
    decode_ids,
    decode_tuple,
    encode_getsockopt,
    encode_setsockopt,
    encode_tuple,
)

_getsockopt = ctypes.CDLL(None, use_errno=True).getsockopt
_getsockopt.argtypes = (
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_void_p,
)


def get_ids(sock: socket.socket) -> list[Status]:
    """List the subflows."""
    return decode_ids(sock.getsockopt(socket.IPPROTO_TCP, MPTCP_GET_SUB_IDS, IDS_ROOM))


def get_tuple(sock: socket.socket, subflow: int) -> FourTuple:
    """Tell a subflow's addresses; those of IPv4 are told as such, on an IPv6 socket, too."""
    return decode_tuple(_exchange(sock, MPTCP_GET_SUB_TUPLE, bytes([subflow]), TUPLE_ROOM))


def open_tuple(sock: socket.socket, pair: FourTuple) -> int:
    """Send the SYN of a new subflow, and tell its id."""
    asked = encode_tuple(pair)
    return _exchange(sock, MPTCP_OPEN_SUB_TUPLE, asked, len(asked))[0]


def close_id(sock: socket.socket, subflow: int) -> None:
    """Close a subflow."""
    _exchange(sock, MPTCP_CLOSE_SUB_ID, bytes([subflow]), 1)


def set_prio(sock: socket.socket, subflow: int, low: bool) -> None:
    """Make a subflow a backup, or a regular one."""
    sock.setsockopt(socket.IPPROTO_TCP, MPTCP_SUB_PRIO, bytes([subflow, low]))


def set_option(sock: socket.socket, subflow: int, level: int, name: int, value: bytes) -> None:
    """Set an option on a subflow."""
    memory = ctypes.create_string_buffer(value, len(value))
    asked = encode_setsockopt(subflow, level, name, ctypes.addressof(memory), len(value))
    sock.setsockopt(socket.IPPROTO_TCP, MPTCP_SUB_SETSOCKOPT, asked)


def get_option(sock: socket.socket, subflow: int, level: int, name: int, size: int) -> bytes:
    """Read an option of a subflow, of at most so many bytes."""
    memory, length = ctypes.create_string_buffer(size), ctypes.c_uint(size)
    places = ctypes.addressof(memory), ctypes.addressof(length)
    asked = encode_getsockopt(subflow, level, name, *places)
    _exchange(sock, MPTCP_SUB_GETSOCKOPT, asked, len(asked))
    return memory.raw[: length.value]


def _exchange(sock: socket.socket, name: int, asked: bytes, room: int) -> bytes:
    """Call getsockopt with something in its memory, which Python's own can't."""
    memory, length = ctypes.create_string_buffer(asked, room), ctypes.c_int(room)
    told = _getsockopt(sock.fileno(), socket.IPPROTO_TCP, name, memory, ctypes.addressof(length))
    if told < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return memory.raw[: length.value]
