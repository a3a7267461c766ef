"""What happens to connections and their subflows, as typed values (words: RFC 8684, mptcpd).

Each is one multicast message of the group `mptcp_pm_events`
(Documentation/netlink/specs/mptcp_pm.yaml).
"""

from __future__ import annotations

from dataclasses import dataclass

from .values import FourTuple, SocketAddress


@dataclass(frozen=True, slots=True)
class ConnectionCreated:
    """An MPTCP connection began; it isn't fully established yet."""

    token: int
    tuple: FourTuple
    server_side: bool
    deny_join_id0: bool


@dataclass(frozen=True, slots=True)
class ConnectionEstablished:
    """Data was exchanged: subflows can be opened now."""

    token: int
    tuple: FourTuple
    server_side: bool
    deny_join_id0: bool


@dataclass(frozen=True, slots=True)
class ConnectionClosed:
    """The connection is gone; its token can be used again by another."""

    token: int


@dataclass(frozen=True, slots=True)
class AddressAnnounced:
    """An ADD_ADDR arrived (RFC 8684, 3.4.1); port 0 means the connection's own port."""

    token: int
    remote_id: int
    remote: SocketAddress


@dataclass(frozen=True, slots=True)
class AddressRemoved:
    """A REMOVE_ADDR arrived (RFC 8684, 3.4.2)."""

    token: int
    remote_id: int


@dataclass(frozen=True, slots=True)
class SubflowEstablished:
    """An MP_JOIN handshake ended well; a server at its limit can still reset it a little later."""

    token: int
    tuple: FourTuple
    local_id: int
    remote_id: int
    backup: bool
    interface_index: int


@dataclass(frozen=True, slots=True)
class SubflowClosed:
    """A subflow ended, or was never established: `error` is its errno (111: refused), or 0."""

    token: int
    tuple: FourTuple
    local_id: int
    remote_id: int
    error: int
    reset_reason: int | None


@dataclass(frozen=True, slots=True)
class SubflowPriority:
    """An MP_PRIO was received for a subflow."""

    token: int
    tuple: FourTuple
    backup: bool


@dataclass(frozen=True, slots=True)
class ListenerCreated:
    """An MPTCP listener began on this address."""

    local: SocketAddress


@dataclass(frozen=True, slots=True)
class ListenerClosed:
    """An MPTCP listener ended."""

    local: SocketAddress


@dataclass(frozen=True, slots=True)
class Overflow:
    """The socket's buffer overflowed and events were lost: read every connection again."""


Event = (
    ConnectionCreated
    | ConnectionEstablished
    | ConnectionClosed
    | AddressAnnounced
    | AddressRemoved
    | SubflowEstablished
    | SubflowClosed
    | SubflowPriority
    | ListenerCreated
    | ListenerClosed
    | Overflow
)
