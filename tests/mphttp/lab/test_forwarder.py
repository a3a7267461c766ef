"""What the forwarder tells from a packet's bytes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.lab.forwarder import is_syn

SYN, ACK = 0x02, 0x10


def tcp(flags: int) -> bytes:
    return struct.pack("!HHIIBBHHH", 1, 2, 3, 4, 5 << 4, flags, 0, 0, 0)


def ipv4(payload: bytes, protocol: int = 6, words: int = 5) -> bytes:
    header = struct.pack("!BBHHHBBH4s4s", 4 << 4 | words, 0, 0, 0, 0, 64, protocol, 0, b"a", b"b")
    return bytes(12) + b"\x08\x00" + header + bytes(4 * (words - 5)) + payload


def ipv6(payload: bytes, protocol: int = 6) -> bytes:
    header = struct.pack("!IHBB16s16s", 6 << 28, len(payload), protocol, 64, b"a", b"b")
    return bytes(12) + b"\x86\xdd" + header + payload


@pytest.mark.parametrize("frame", [ipv4(tcp(SYN)), ipv4(tcp(SYN), words=8), ipv6(tcp(SYN))])
def test_a_request_for_a_connection_counts(frame: bytes) -> None:
    assert is_syn(frame)


@pytest.mark.parametrize("wrap", [ipv4, ipv6])
def test_the_answer_and_other_segments_don_t(wrap: type[bytes]) -> None:
    assert not is_syn(wrap(tcp(SYN | ACK)))
    assert not is_syn(wrap(tcp(ACK)))


@pytest.mark.parametrize("wrap", [ipv4, ipv6])
def test_other_protocols_don_t(wrap: type[bytes]) -> None:
    assert not is_syn(wrap(tcp(SYN), 17))  # type: ignore[call-arg]


@given(st.binary(min_size=14))
def test_no_frame_is_an_error(frame: bytes) -> None:
    is_syn(frame)
    is_syn(frame[:12] + b"\x08\x00" + frame[14:])
    is_syn(frame[:12] + b"\x86\xdd" + frame[14:])
