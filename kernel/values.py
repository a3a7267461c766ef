"""The values that cross this layer: addresses, paths, and what the kernel tells of a connection."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple


class SocketAddress(NamedTuple):
    """An IP address and a port.

    Args:
        host: IPv4 or IPv6 address in its canonical text form, without a scope.
        port: TCP port, 0 to 65535; 0 lets the kernel choose.
    """

    host: str
    port: int


class FourTuple(NamedTuple):
    """What tells one subflow from all others (the paper's `sub_tuple`, section 3.2)."""

    local: SocketAddress
    remote: SocketAddress


@dataclass(frozen=True, slots=True)
class Path:
    """An interface of this machine with an address that reaches the destination.

    Args:
        name: the interface's name, such as "wlan0".
        index: the interface's index; always sent to the kernel, whose route look-up would otherwise
            choose by destination alone.
        address: the local IP address that the route through this interface uses.
    """

    name: str
    index: int
    address: str


class TCPState(IntEnum):
    """State of one subflow (include/net/tcp_states.h)."""

    ESTABLISHED = 1
    SYN_SENT = 2
    SYN_RECV = 3
    FIN_WAIT1 = 4
    FIN_WAIT2 = 5
    TIME_WAIT = 6
    CLOSE = 7
    CLOSE_WAIT = 8
    LAST_ACK = 9
    LISTEN = 10
    CLOSING = 11
    NEW_SYN_RECV = 12


_CLOSED = frozenset(
    {
        TCPState.FIN_WAIT1,
        TCPState.FIN_WAIT2,
        TCPState.TIME_WAIT,
        TCPState.CLOSE,
        TCPState.LAST_ACK,
        TCPState.CLOSING,
    }
)


@dataclass(frozen=True, slots=True)
class SubflowInfo:
    """One subflow as the kernel tells it (MPTCP_FULL_INFO; include/uapi/linux/mptcp.h).

    Args:
        id: the kernel's unique, never recycled id (6.5 and later); before that, a number that this
            process gave to the four-tuple.
        tuple: both addresses.
        state: TCP state; CLOSE marks a ghost, a destroyed first subflow that stays in the list.
        rtt: smoothed round-trip time in seconds, 0.0 while unknown.
        bytes_received: TCP payload received, in bytes.
        bytes_acked: TCP payload sent and acknowledged, in bytes.
        retransmits: segments retransmitted in all.
        last_data_received: seconds since data last arrived.
        segments_received: segments received in all, those of the handshake among them.
        timeouts: retransmission time-outs in all, modulo 65,536; None before 6.7.
        backoff: retransmission time-outs since data was last acknowledged.
        error: why it ended, in words, where that is known; else "".
        last_ack_received: seconds since any segment with an ACK arrived.
        queued: bytes given to it to be sent that the peer hasn't acknowledged, or nearly so many.
    """

    id: int
    tuple: FourTuple
    state: TCPState
    rtt: float
    bytes_received: int
    bytes_acked: int
    retransmits: int
    last_data_received: float
    segments_received: int = 0
    timeouts: int | None = None
    backoff: int = 0
    error: str = ""
    last_ack_received: float = math.inf
    queued: int = 0

    @property
    def carried(self) -> int:
        """TCP payload that has reached its receiver, in both directions, in bytes."""
        return self.bytes_received + max(0, self.bytes_acked - 1)  # the SYN counts as one

    @property
    def heard(self) -> float:
        """Seconds since anything at all arrived; infinity where that isn't known."""
        return min(self.last_data_received, self.last_ack_received)

    @property
    def closed(self) -> bool:
        """Whether this side has closed it, or it is gone: a ghost, if it was the first."""
        return self.state in _CLOSED

    @property
    def established(self) -> bool:
        """Whether data can flow on it."""
        return self.state == TCPState.ESTABLISHED


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """One MPTCP connection as the kernel tells it (MPTCP_INFO and the subflows' part of FULL_INFO).

    Args:
        token: the 32-bit token that names the connection to the path manager.
        bytes_received: bytes of the MPTCP stream received in order, duplicates not counted;
            None before 6.5.
        fully_established: whether subflows may be opened now (as far as the flags tell).
        subflows: live ones and ghosts, in the kernel's order.
    """

    token: int
    bytes_received: int | None
    fully_established: bool
    subflows: tuple[SubflowInfo, ...]
