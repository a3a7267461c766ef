"""What happens to one connection and to the interfaces around it, as typed values.

These are what `Subflows.events` tells, made from the path manager's messages (`events.py`), from
looks at the connection, and from rtnetlink's messages. Subflows have the ids that the other calls
take. The words are those of RFC 8684 and mptcpd.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from .values import FourTuple, SocketAddress


class ResetReason(IntEnum):
    """MPTCP_RST_*: why the peer reset a subflow (RFC 8684, 3.6)."""

    EUNSPEC = 0
    EMPTCP = 1
    ERESOURCE = 2
    EPROHIBIT = 3
    EWQ2BIG = 4
    EBADPERF = 5
    EMIDDLEBOX = 6


_RESETS: Mapping[int | None, str] = {
    ResetReason.EMPTCP: "an MPTCP-specific error",
    ResetReason.ERESOURCE: "lack of resources",
    ResetReason.EPROHIBIT: "administratively prohibited",
    ResetReason.EWQ2BIG: "too much outstanding data",
    ResetReason.EBADPERF: "unacceptable performance",
    ResetReason.EMIDDLEBOX: "middlebox interference",
}


@dataclass(frozen=True, slots=True)
class ConnectionEstablished:
    """Data was exchanged: subflows can be opened now."""


@dataclass(frozen=True, slots=True)
class ConnectionClosed:
    """The connection is gone; nothing follows."""


@dataclass(frozen=True, slots=True)
class AddressAnnounced:
    """The peer has one more address (ADD_ADDR; RFC 8684, 3.4.1).

    Args:
        remote_id: the peer's number for it.
        remote: the address; port 0 means the connection's own port.
    """

    remote_id: int
    remote: SocketAddress


@dataclass(frozen=True, slots=True)
class AddressRemoved:
    """The peer has withdrawn an address (REMOVE_ADDR; RFC 8684, 3.4.2).

    Args:
        remote_id: the peer's number for it.
        remote: the address, or None if its announcement was not seen.
    """

    remote_id: int
    remote: SocketAddress | None


@dataclass(frozen=True, slots=True)
class SubflowOpened:
    """A handshake ended well (MP_JOIN); a server at its limit can still reset it a little later.

    Args:
        id: as `Subflows.ids` lists it, or None if it was gone before it could be looked up.
        tuple: both addresses.
        backup: whether it is one for when no regular subflow works, as far as the kernel tells: not
            where this side asked for it.
        inferred: whether no event told it, but a look at the connection.
    """

    id: int | None
    tuple: FourTuple
    backup: bool = False
    inferred: bool = False


@dataclass(frozen=True, slots=True)
class SubflowClosed:
    """A subflow ended, or was never established.

    Args:
        id: as `Subflows.ids` listed it, or None if it was gone before it could be looked up.
        tuple: both addresses.
        error: the kernel's error number (111: refused), or 0.
        reset_reason: what the peer gave as its reason (MP_TCPRST; RFC 8684, 3.6), or None.
        inferred: whether no event told it, but a look at the connection, which knows no reason.
    """

    id: int | None
    tuple: FourTuple
    error: int = 0
    reset_reason: int | None = None
    inferred: bool = False

    @property
    def reason(self) -> str:
        """Why, in words; "" where nothing is known to have gone wrong."""
        words = [os.strerror(self.error)] if self.error else []
        if self.reset_reason in _RESETS:
            words.append(_RESETS[self.reset_reason])
        return ", ".join(words)


@dataclass(frozen=True, slots=True)
class SubflowPriority:
    """The peer asked to use a subflow only as a backup, or as a regular one again (MP_PRIO)."""

    id: int | None
    tuple: FourTuple
    backup: bool


@dataclass(frozen=True, slots=True)
class RetransmissionTimeout:
    """Data that was sent on a subflow wasn't acknowledged in time (RFC 6298).

    Found by looking at TCP_INFO, so it is told up to one interval late. Only data of this side has
    time-outs: a download's are at the server.

    Args:
        id: the subflow.
        tuple: its addresses.
        count: how many there were since the last look.
        backoff: how many there were since data was last acknowledged; each doubles the wait.
    """

    id: int
    tuple: FourTuple
    count: int
    backoff: int


@dataclass(frozen=True, slots=True)
class InterfaceUp:
    """An interface can carry packets: it is up and has a carrier.

    Args:
        name: such as "wlan0".
        index: its number, as in `Path`.
    """

    name: str
    index: int


@dataclass(frozen=True, slots=True)
class InterfaceDown:
    """An interface carries no packets any more, or is gone."""

    name: str
    index: int


@dataclass(frozen=True, slots=True)
class LocalAddressAdded:
    """An interface of this machine got an address that can be used.

    Args:
        index: the interface's number.
        host: the IP address.
    """

    index: int
    host: str


@dataclass(frozen=True, slots=True)
class LocalAddressRemoved:
    """An interface of this machine lost an address."""

    index: int
    host: str


@dataclass(frozen=True, slots=True)
class EventsLost:
    """Events were lost, because they were not read in time.

    What is different now follows as events that are `inferred`; subflows that came and went
    meanwhile, announced addresses and changes of priority are not among them.
    """


InterfaceEvent = InterfaceUp | InterfaceDown | LocalAddressAdded | LocalAddressRemoved

ConnectionEvent = (
    ConnectionEstablished
    | ConnectionClosed
    | AddressAnnounced
    | AddressRemoved
    | SubflowOpened
    | SubflowClosed
    | SubflowPriority
    | RetransmissionTimeout
    | InterfaceEvent
    | EventsLost
)
