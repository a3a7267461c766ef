"""What is to be done for a connection that nobody claims, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from mphttp.kernel.path_manager.commands import Address
from mphttp.kernel.values import FourTuple, SocketAddress

from .rules import Rule


@dataclass(frozen=True, slots=True)
class Ask:
    """Find out whose a connection is, and whether subflows may be opened; `Caretaker.told`."""

    token: int
    pair: FourTuple


@dataclass(frozen=True, slots=True)
class Join:
    """Open a subflow; without a host, from the address that the route to the peer has.

    Args:
        token: the connection.
        local: where it leaves from.
        remote: where to.
    """

    token: int
    local: Address
    remote: SocketAddress


@dataclass(frozen=True, slots=True)
class Prioritise:
    """Tell the peer whether a subflow is for when no regular one works (MP_PRIO)."""

    token: int
    pair: FourTuple
    backup: bool


@dataclass(frozen=True, slots=True)
class Announce:
    """Tell the peer of a further address of this machine (ADD_ADDR)."""

    token: int
    address: Address


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Tell the peer that an address is gone, and end what uses it (REMOVE_ADDR)."""

    token: int
    local_id: int


@dataclass(frozen=True, slots=True)
class End:
    """End a subflow."""

    token: int
    pair: FourTuple


@dataclass(frozen=True, slots=True)
class Hand:
    """Let the strategy of a rule look after a connection from now on."""

    token: int
    pair: FourTuple
    rule: Rule


Call = Ask | Join | Prioritise | Announce | Withdraw | End | Hand


class Failure(Enum):
    """Why a call came to nothing."""

    TOO_EARLY = "the connection isn't fully established"
    NOT_OURS = "it is gone, or the kernel looks after it by itself"
    REFUSED = "any other reason"


@dataclass(frozen=True, slots=True)
class Told:
    """What the kernel tells of a connection.

    Args:
        ready: whether subflows may be opened.
        client: whether this side connected.
        user: whose it is, a user id.
        program: name of the program that has it, "" where that isn't known.
    """

    ready: bool
    client: bool
    user: int
    program: str = ""
