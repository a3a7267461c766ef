"""The structures of getsockopt, read from bytes made here."""

from __future__ import annotations

import dataclasses
import socket
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.kernel.errors import ProtocolError
from mphttp.kernel.reading.mptcp_info import decode_full, decode_legacy, decode_tcp
from mphttp.kernel.values import ConnectionInfo, FourTuple, SocketAddress, SubflowInfo, TCPState

u16, u32, u64 = (st.integers(0, 2**bits - 1) for bits in (16, 32, 64))
hosts = st.ip_addresses().map(
    lambda a: socket.inet_ntop(socket.AF_INET if a.version == 4 else socket.AF_INET6, a.packed)
)
socket_addresses = st.builds(SocketAddress, hosts, u16)
subflows = st.builds(
    SubflowInfo,
    id=u32,
    tuple=st.builds(FourTuple, socket_addresses, socket_addresses),
    state=st.sampled_from(TCPState),
    rtt=u32.map(lambda n: n / 1e6),
    bytes_received=u64,
    bytes_acked=u64,
    retransmits=u32,
    last_data_received=u32.map(lambda n: n / 1e3),
    last_ack_received=u32.map(lambda n: n / 1e3),
    queued=u32,
    segments_received=u32,
)


def sockaddr(address: SocketAddress) -> bytes:
    """A struct sockaddr_storage."""
    if ":" in address.host:
        packed = bytes(4) + socket.inet_pton(socket.AF_INET6, address.host)
        family = socket.AF_INET6
    else:
        packed, family = socket.inet_aton(address.host), socket.AF_INET
    return (struct.pack("=H", family) + struct.pack("!H", address.port) + packed).ljust(128, b"\0")


def addresses(subflow: SubflowInfo) -> bytes:
    return sockaddr(subflow.tuple.local) + sockaddr(subflow.tuple.remote)


def tcp(subflow: SubflowInfo, size: int) -> bytes:
    """A struct tcp_info of a kernel whose structure has this size."""
    memory = bytearray(280)
    memory[0] = subflow.state
    struct.pack_into("=I", memory, 16, 1)  # bytes of a segment
    struct.pack_into("=I", memory, 24, subflow.queued)  # segments under way
    struct.pack_into("=I", memory, 52, round(subflow.last_data_received * 1e3))
    struct.pack_into("=I", memory, 56, round(subflow.last_ack_received * 1e3))
    struct.pack_into("=I", memory, 68, round(subflow.rtt * 1e6))
    struct.pack_into("=I", memory, 100, subflow.retransmits)
    struct.pack_into("=QQ", memory, 120, subflow.bytes_acked, subflow.bytes_received)
    struct.pack_into("=I", memory, 140, subflow.segments_received)
    return bytes(memory[:size])


def info(flags: int, token: int, received: int) -> bytes:
    memory = bytearray(80)
    struct.pack_into("=II", memory, 8, flags, token)
    struct.pack_into("=Q", memory, 64, received)
    return bytes(memory)


def full(token: int, received: int, listed: list[SubflowInfo], tcp_size: int, room: int) -> bytes:
    """What MPTCP_FULL_INFO leaves; the arrays have room for `room` subflows."""
    subflow_info = [(struct.pack("=I4x", s.id) + addresses(s))[:164] for s in listed]
    tcp_info = [tcp(s, tcp_size) for s in listed]
    at = 0x7000
    header = struct.pack("=6I2Q", 280, tcp_size, 264, 164, len(listed), room, at, at + room * 164)
    return (
        header
        + info(2, token, received)
        + b"".join(subflow_info[:room]).ljust(room * 164, b"\xee")
        + b"".join(tcp_info[:room]).ljust(room * 144, b"\xee")
    )


@given(u32, u64, st.lists(subflows, max_size=4), st.sampled_from([144, 136, 128, 104]))
def test_full_info_is_read(
    token: int, received: int, listed: list[SubflowInfo], tcp_size: int
) -> None:
    """A kernel whose tcp_info is shorter leaves the fields that it lacks at 0."""
    told = decode_full(full(token, received, listed, tcp_size, room=4))
    ends = {"segments_received": 144, "bytes_received": 136, "bytes_acked": 128}
    lacking = {name: 0 for name, end in ends.items() if tcp_size < end}
    expected = tuple(dataclasses.replace(s, **lacking) for s in listed)
    assert (told.token, told.bytes_received, told.subflows) == (token, received, expected)


@given(st.lists(subflows, min_size=3, max_size=4))
def test_more_subflows_than_room(listed: list[SubflowInfo]) -> None:
    """Those that there was no room for are left out; what lies behind is not read."""
    assert decode_full(full(1, 0, listed, 144, room=2)).subflows == tuple(listed[:2])


def legacy(listed: list[SubflowInfo], info_size: int) -> tuple[bytes, bytes, bytes]:
    pairs = b"".join(addresses(s)[:156] for s in listed)
    tcp_infos = b"".join(tcp(s, 144) for s in listed)
    return (
        info(2, 77, 1234)[:info_size],
        struct.pack("=4I", 16, len(listed), 256, 156) + pairs,
        struct.pack("=4I", 16, len(listed), 232, 144) + tcp_infos,
    )


@given(st.lists(subflows, max_size=4, unique_by=lambda s: s.tuple))
def test_legacy_info_is_read(listed: list[SubflowInfo]) -> None:
    """Without ids the four-tuple stands for a subflow: the same tuple has the same id."""
    told = decode_legacy(*legacy(listed, info_size=48))
    ids = [s.id for s in told.subflows]
    expected = tuple(dataclasses.replace(s, id=i) for s, i in zip(listed, ids, strict=True))
    assert (told.token, told.bytes_received, told.subflows) == (77, None, expected)
    again = decode_legacy(*legacy(listed[::-1], info_size=48))
    assert [s.id for s in again.subflows] == ids[::-1]


def quiet(**told: int) -> ConnectionInfo:
    pair = FourTuple(SocketAddress("10.0.0.1", 1), SocketAddress("10.0.0.2", 2))
    subflow = SubflowInfo(1, pair, TCPState.ESTABLISHED, 0.0, 0, 0, 0, 0.0, last_ack_received=0.0)
    return decode_full(full(1, 0, [dataclasses.replace(subflow, **told)], 144, room=1))


def test_fully_established_means_that_data_was_exchanged() -> None:
    """A client's SYN counts as an acknowledged byte, and doesn't count as data."""
    assert not quiet(bytes_acked=1).fully_established
    assert quiet(bytes_acked=2).fully_established
    assert quiet(bytes_received=1).fully_established


def test_an_unknown_state_is_an_error() -> None:
    pair = FourTuple(SocketAddress("10.0.0.1", 1), SocketAddress("10.0.0.2", 2))
    for state in (0, 13, 255):
        with pytest.raises(ProtocolError):
            decode_tcp(1, pair, bytes([state]) + bytes(143))


@given(st.binary(max_size=700))
def test_any_bytes_end_in_values_or_a_protocol_error(data: bytes) -> None:
    with suppress(ProtocolError):
        decode_full(data)
    with suppress(ProtocolError):
        decode_legacy(data[:80], data[80:], data[80:])


@given(st.lists(subflows, min_size=1, max_size=3), st.data())
def test_damaged_memory_ends_in_values_or_a_protocol_error(
    listed: list[SubflowInfo], data: st.DataObject
) -> None:
    """Also when the sizes and the pointers of the header are damaged."""
    memory = bytearray(full(1, 2, listed, 144, room=3))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, 44) | st.integers(0, len(memory) - 4))
        memory[at : at + 4] = data.draw(st.binary(min_size=4, max_size=4))
    with suppress(ProtocolError):
        decode_full(bytes(memory))


@pytest.mark.parametrize(("size", "timeouts"), [(242, 300), (248, 300), (241, None), (144, None)])
def test_timeouts_are_read_where_the_kernel_has_them(size: int, timeouts: int | None) -> None:
    """tcpi_total_rto came with 6.7; how many there were in a row has always been told."""
    memory = bytearray(248)
    memory[0], memory[2] = TCPState.ESTABLISHED, 5
    struct.pack_into("=H", memory, 240, 300)
    pair = FourTuple(SocketAddress("10.0.0.1", 1), SocketAddress("10.0.0.2", 2))
    read = decode_tcp(1, pair, bytes(memory[:size]))
    assert (read.timeouts, read.backoff) == (timeouts, 5)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
@pytest.mark.parametrize("size", [4, 7])
def test_an_address_that_was_cut_is_an_error(family: int, size: int) -> None:
    """Found by a fuzzer: the kernel's size of a subflow's addresses is smaller than an address."""
    header = struct.pack("=6I2Q", 280, 144, 264, 8 + size, 1, 1, 0, 8 + size)
    subflow = struct.pack("=I4xH", 1, family).ljust(8 + size, b"\0")
    with pytest.raises(ProtocolError):
        decode_full(header + info(2, 1, 1) + subflow + bytes([1]).ljust(144, b"\0"))
