"""What is read of a connection, and what becomes of it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress

from hypothesis import strategies as st

from mphttp.kernel import ConnectionInfo, FourTuple, ProtocolError, SocketAddress, SubflowInfo
from mphttp.kernel import TCPState as State
from mphttp.kernel import events as kernel
from mphttp.kernel.connection.tracker import ConnectionTracker
from mphttp.kernel.connection_events import SubflowClosed, SubflowOpened
from mphttp.kernel.reading.mptcp_info import (
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


def test_what_becomes_of_a_connection(fuzz: Fuzz[bytes]) -> None:
    """Whatever events and looks say, nothing opens twice, and the end is told once."""

    def follow(script: bytes) -> None:
        first, steps = _acted(script[1:])
        events_tell, idle = bool(script[:1] > b"\x7f"), bool(script[:1] > b"\xbf")
        tracker = ConnectionTracker(first, events_tell=events_tell)
        live = _usable(first)
        for events, look in steps:
            for event in tracker.step(events, look, idle=idle):
                if isinstance(event, SubflowOpened):
                    assert event.tuple not in live
                    live.add(event.tuple)
                elif isinstance(event, SubflowClosed):
                    live.discard(event.tuple)
            if not events_tell or kernel.Overflow() in events:
                assert live == _usable(look)
        assert len(tracker.step([], None)) == 1
        assert tracker.step([], None) == []

    fuzz(st.binary(max_size=150), follow)


def _acted(script: bytes) -> tuple[ConnectionInfo, list[tuple[list[kernel.Event], ConnectionInfo]]]:
    """Make events and looks of bytes, three for each: what it is, which subflow, and a detail."""
    events: list[kernel.Event] = []
    steps = []
    there: dict[int, SubflowInfo] = {}
    for what, which, detail in zip(script[::3], script[1::3], script[2::3], strict=False):
        match what % 10:
            case 0 | 1:
                there[which % 6] = _subflow(which % 6, detail)
            case 2:
                there.pop(which % 6, None)
            case 3:
                steps.append((events, _look(there)))
                events = []
            case _:
                events.append(_event(what % 10, which, detail))
    return _look({}), [*steps, (events, _look(there))]


def _look(there: dict[int, SubflowInfo]) -> ConnectionInfo:
    return ConnectionInfo(7, 0, True, tuple(there.values()))


def _pair(which: int) -> FourTuple:
    return FourTuple(SocketAddress("10.0.0.1", which % 6), SocketAddress("10.0.0.2", 80))


def _subflow(which: int, detail: int) -> SubflowInfo:
    state = State(detail % len(State) + 1)
    return SubflowInfo(detail, _pair(which), state, 0.1, 0, 0, 0, 0.0, timeouts=detail * 257)


def _event(kind: int, which: int, detail: int) -> kernel.Event:
    token, pair = 7 if which < 240 else 8, _pair(which)
    match kind:
        case 4 | 5:
            return kernel.SubflowEstablished(token, pair, 1, 1, False, 0)
        case 6 | 7:
            return kernel.SubflowClosed(token, pair, 1, 1, detail, detail)
        case 8:
            if detail < 128:
                return kernel.AddressAnnounced(token, which, SocketAddress("10.0.0.3", detail))
            return kernel.AddressRemoved(token, which)
        case _:
            return kernel.Overflow() if detail < 64 else kernel.SubflowPriority(token, pair, True)


def _usable(look: ConnectionInfo) -> set[FourTuple]:
    handshake = (State.SYN_SENT, State.SYN_RECV, State.NEW_SYN_RECV)
    return {s.tuple for s in look.subflows if not s.closed and s.state not in handshake}
