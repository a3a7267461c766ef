"""The structures of the paper's socket options: the layout that a C compiler gives them."""

from __future__ import annotations

import ctypes
import socket
import struct
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.kernel import FourTuple, NotSupported, ProtocolError, SocketAddress
from mphttp.kernel.probe import best_mechanism
from mphttp.kernel.sockopt.mechanism import SockoptMechanism
from mphttp.kernel.sockopt.structures import (
    Status,
    decode_ids,
    decode_tuple,
    encode_getsockopt,
    encode_setsockopt,
    encode_tuple,
)

PORTS = st.integers(0, 65535)
V4 = st.ip_addresses(v=4).map(str)
V6 = st.ip_addresses(v=6).map(str)


FIGURE_3 = """
struct mptcp_sub_status {
    unsigned char id;
    unsigned short slave_sk : 1, fully_established : 1, attached : 1, low_prio : 1,
        pre_established : 1;
};
struct mptcp_sub_ids {
    unsigned char sub_count;
    struct mptcp_sub_status sub_status[];
};
_Static_assert(sizeof(struct mptcp_sub_status) == 2, "a status");
_Static_assert(sizeof(struct mptcp_sub_ids) == 2, "a list without a status");
"""
LOW_PRIO = 1 << 3


class SubSetsockopt(ctypes.Structure):
    """As figure 4 of the paper declares it."""

    _fields_ = (
        ("id", ctypes.c_uint8),
        ("level", ctypes.c_int),
        ("optname", ctypes.c_int),
        ("optval", ctypes.c_void_p),
        ("optlen", ctypes.c_uint),
    )


class SubGetsockopt(ctypes.Structure):
    """The same, with a place for the length."""

    _fields_ = (*SubSetsockopt._fields_[:-1], ("optlen", ctypes.c_void_p))


def pairs(hosts: st.SearchStrategy[str]) -> st.SearchStrategy[FourTuple]:
    addresses = st.builds(SocketAddress, hosts, PORTS)
    return st.builds(FourTuple, addresses, addresses)


@given(st.lists(st.tuples(st.integers(0, 31), st.booleans()), max_size=32))
def test_a_list_is_read(wanted: list[tuple[int, bool]]) -> None:
    statuses = (bytes([number, 0b10111 | LOW_PRIO * low]) for number, low in wanted)
    data = bytes([len(wanted), 0]) + b"".join(statuses)
    assert decode_ids(data) == [Status(*each) for each in wanted]
    for size in range(len(data)):
        with pytest.raises(ProtocolError):
            decode_ids(data[:size])


def test_a_list_has_the_layout_that_compilers_give_it() -> None:
    """They put the bits beside the id, into the same two bytes; ctypes (3.11) would not."""
    command = ["clang", "-fsyntax-only", "-x", "c", "-"]
    subprocess.run(command, input=FIGURE_3, text=True, check=True)


@given(pairs(V4) | pairs(V6))
def test_a_tuple_survives(pair: FourTuple) -> None:
    data = encode_tuple(pair)
    assert len(data) == (33 if "." in pair.local.host and ":" not in pair.local.host else 57)
    told = decode_tuple(data)
    for wanted, got in zip(pair, told, strict=True):
        family = socket.AF_INET6 if ":" in wanted.host else socket.AF_INET
        assert socket.inet_pton(family, got.host) == socket.inet_pton(family, wanted.host)
        assert got.port == wanted.port


def test_a_tuple_is_what_the_paper_s_kernel_reads() -> None:
    """The id is followed at once by both addresses."""
    data = encode_tuple(FourTuple(SocketAddress("192.0.2.1", 0), SocketAddress("192.0.2.2", 80)))
    assert data[:5] == b"\0" + struct.pack("=H", socket.AF_INET) + b"\0\0"
    assert data[17:] == struct.pack("=H", socket.AF_INET) + b"\0\x50\xc0\0\x02\x02" + bytes(8)


@given(st.binary(max_size=80))
def test_what_is_no_tuple_is_an_error_of_the_protocol(data: bytes) -> None:
    try:
        decode_tuple(data)
    except ProtocolError:
        return
    assert len(data) in (33, 57)


def test_a_tuple_has_one_family() -> None:
    with pytest.raises(ValueError, match="two families"):
        encode_tuple(FourTuple(SocketAddress("192.0.2.1", 0), SocketAddress("::1", 80)))


NUMBERS = st.integers(-(1 << 31), (1 << 31) - 1)
PLACES = st.integers(0, (1 << 48) - 1)


@given(st.integers(0, 255), NUMBERS, NUMBERS, PLACES, st.integers(0, (1 << 32) - 1))
def test_an_option_is_written_as_c_does(
    subflow: int, level: int, name: int, place: int, size: int
) -> None:
    told = SubSetsockopt.from_buffer_copy(encode_setsockopt(subflow, level, name, place, size))
    assert (told.id, told.level, told.optname) == (subflow, level, name)
    assert (told.optval or 0, told.optlen) == (place, size)
    asked = SubGetsockopt.from_buffer_copy(encode_getsockopt(subflow, level, name, place, place))
    assert (asked.id, asked.level, asked.optname) == (subflow, level, name)
    assert (asked.optval or 0, asked.optlen or 0) == (place, place)


def test_other_kernels_are_told_by_a_harmless_question() -> None:
    """On stock Linux the options mean nothing: it isn't chosen, and the error says why."""
    try:
        SockoptMechanism().close()
        expected = True
    except NotSupported:
        expected = False
    assert (best_mechanism().name == "sockopt") is expected
