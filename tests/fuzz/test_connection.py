"""What is read of a connection, and what becomes of it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress

from hypothesis import strategies as st

from mphttp.kernel import ConnectionInfo, FourTuple, ProtocolError, SocketAddress, SubflowInfo
from mphttp.kernel import TCPState as State
from mphttp.kernel import events as kernel
from mphttp.kernel.connection_events import SubflowClosed, SubflowOpened
from mphttp.kernel.connection_tracker import ConnectionTracker
from mphttp.kernel.mptcp_info import (
    FULL_HEADER,
    INFO_SIZE,
    SUBFLOW_DATA,
    SUBFLOW_SIZE,
    TCP_SIZE,
    decode_full,
    decode_legacy,
    decode_tcp_infos,
)

from .conftest import Fuzz
from .messages import damaged


def _full(count: int, subflow_size: int, tcp_size: int, rest: bytes) -> bytes:
    at = FULL_HEADER.size + INFO_SIZE
    header = FULL_HEADER.pack(0, tcp_size, 0, subflow_size, count, 8, at, at + 8 * subflow_size)
    return header + rest


def _array(count: int, size: int, rest: bytes) -> bytes:
    return SUBFLOW_DATA.pack(SUBFLOW_DATA.size, count, 0, size) + rest


def _rest(size: int) -> st.SearchStrategy[bytes]:
    family = st.sampled_from([2, 10, 0]).map(lambda n: struct.pack("=H", n))
    return st.lists(family | st.binary(max_size=40) | st.just(bytes(120)), max_size=12).map(
        lambda parts: b"".join(parts)[:size].ljust(size, b"\0")
    )


def _wild(number: int) -> st.SearchStrategy[int]:
    return st.just(number) | st.integers(0, 2**32 - 1)


full = st.builds(
    _full, st.integers(0, 9), _wild(SUBFLOW_SIZE), _wild(TCP_SIZE), _rest(INFO_SIZE + 8 * 500)
)
arrays = st.builds(_array, st.integers(0, 4), _wild(TCP_SIZE), _rest(700))


def test_full_info(fuzz: Fuzz[bytes]) -> None:
    fuzz(damaged(full) | st.binary(max_size=300), _quietly(decode_full))


def test_older_options(fuzz: Fuzz[bytes]) -> None:
    """MPTCP_INFO, MPTCP_SUBFLOW_ADDRS and MPTCP_TCPINFO, which know nothing of each other."""

    def read(data: bytes) -> None:
        info, addresses, tcp = data[:INFO_SIZE], data[INFO_SIZE:400], data[400:]
        _quietly(lambda info: decode_legacy(info, addresses, tcp))(info)
        _quietly(lambda addresses: decode_tcp_infos(addresses, tcp))(addresses)

    whole = st.builds(
        lambda info, one, other: info + one[: 400 - INFO_SIZE] + other,
        _rest(INFO_SIZE),
        arrays,
        arrays,
    )
    fuzz(damaged(whole), read)


def _quietly(decoder: Callable[[bytes], object]) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        with suppress(ProtocolError):
            decoder(data)

    return read


pairs = st.integers(0, 5).map(
    lambda n: FourTuple(SocketAddress("10.0.0.1", n), SocketAddress("10.0.0.2", 80))
)
tokens = st.sampled_from([7, 7, 7, 8])
u8 = st.integers(0, 255)
events: st.SearchStrategy[kernel.Event] = st.one_of(
    st.builds(kernel.SubflowEstablished, tokens, pairs, u8, u8, st.booleans(), u8),
    st.builds(kernel.SubflowClosed, tokens, pairs, u8, u8, u8, st.none() | u8),
    st.builds(kernel.SubflowPriority, tokens, pairs, st.booleans()),
    st.builds(kernel.AddressAnnounced, tokens, u8, st.just(SocketAddress("10.0.0.3", 0))),
    st.builds(kernel.AddressRemoved, tokens, u8),
    st.builds(kernel.Overflow),
)
subflows = st.builds(
    SubflowInfo,
    st.integers(1, 9),
    pairs,
    st.sampled_from(State),
    st.just(0.1),
    u8,
    u8,
    u8,
    st.just(0.0),
    timeouts=st.none() | st.integers(0, 65_535),
    backoff=u8,
)
looks = st.lists(subflows, max_size=4, unique_by=lambda s: (s.tuple,)).map(
    lambda there: ConnectionInfo(7, 0, True, tuple(there))
)
steps = st.lists(st.tuples(st.lists(events, max_size=4), looks), max_size=8)


def test_what_becomes_of_a_connection(
    fuzz: Fuzz[tuple[ConnectionInfo, list[tuple[list[kernel.Event], ConnectionInfo]], bool]],
) -> None:
    """Whatever events and looks say, nothing opens twice, and the end is told once."""

    def follow(
        told: tuple[ConnectionInfo, list[tuple[list[kernel.Event], ConnectionInfo]], bool],
    ) -> None:
        first, rest, events_tell = told
        tracker = ConnectionTracker(first, events_tell=events_tell)
        live = {s.tuple for s in first.subflows if _usable(s)}
        for batch, look in rest:
            for event in tracker.step(batch, look):
                if isinstance(event, SubflowOpened):
                    assert event.tuple not in live
                    live.add(event.tuple)
                elif isinstance(event, SubflowClosed):
                    live.discard(event.tuple)
            if not events_tell or kernel.Overflow() in batch:
                assert live == {s.tuple for s in look.subflows if _usable(s)}
        assert len(tracker.step([], None)) == 1
        assert tracker.step([], None) == []

    fuzz(st.tuples(looks, steps, st.booleans()), follow)


def _usable(subflow: SubflowInfo) -> bool:
    handshake = (State.SYN_SENT, State.SYN_RECV, State.NEW_SYN_RECV)
    return not subflow.closed and subflow.state not in handshake
