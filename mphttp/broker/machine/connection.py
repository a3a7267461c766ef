"""One connection that nobody claims, and what was done for it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from mphttp.kernel.addresses import unmapped
from mphttp.kernel.events import (
    AddressAnnounced,
    AddressRemoved,
    SubflowClosed,
    SubflowEstablished,
)
from mphttp.kernel.values import FourTuple, SocketAddress

from .calls import Join

AGAIN = 0.05
"""Seconds until another look at one that isn't ready, at first."""

News = SubflowEstablished | SubflowClosed | AddressAnnounced | AddressRemoved
"""Events that tell more of a connection."""


class Further(NamedTuple):
    """A subflow that joined a connection: its addresses, and each side's number for its own."""

    pair: FourTuple
    local_id: int
    remote_id: int


@dataclass(slots=True)
class Connection:
    """What is known of one connection, and was done for it.

    Args:
        token: names it.
        first: its first subflow.
        client: whether this side connected; None while that isn't known.
        ask_at: when to find out whose it is; None once that is known, or awaited.
        cared: whether it is looked after as the kernel would.
        denied: whether the peer's first address must not be joined (RFC 8684, 3.1, flag C).
        first_lives: whether the first subflow hasn't ended.
        further: subflows that joined.
        joining: those whose handshake is under way.
        used: ids of endpoints that were used, or needn't be.
        signalled: ids of endpoints that were announced.
        announced: the peer's further addresses, by its number for each.
        accepted: numbers of those that were joined.
    """

    token: int
    first: FourTuple
    client: bool | None
    ask_at: float | None
    again: float = AGAIN
    cared: bool = False
    denied: bool = False
    first_lives: bool = True
    further: dict[FourTuple, Further] = field(default_factory=dict)
    joining: list[Join] = field(default_factory=list)
    used: set[int] = field(default_factory=set)
    signalled: set[int] = field(default_factory=set)
    announced: dict[int, SocketAddress] = field(default_factory=dict)
    accepted: set[int] = field(default_factory=set)

    @property
    def subflows(self) -> int:
        """How many there are beyond the first, or will be."""
        return len(self.further) + len(self.joining)

    def leads_to(self, remote: SocketAddress, host: str | None = None) -> bool:
        """Tell whether a subflow leads there, from a host if one is given."""
        pairs = [*self.further, *([self.first] if self.first_lives else [])]
        ways = [(pair.local.host, pair.remote) for pair in pairs]
        ways += [(join.local.host or "", join.remote) for join in self.joining]
        return any(
            to.host == remote.host and remote.port in (0, to.port) and host in (None, start)
            for start, to in ways
        )

    def learn(self, event: News) -> None:
        """Take what the kernel told of it."""
        match event:
            case SubflowEstablished(_, pair, local_id, remote_id):
                pair = plain(pair)
                self._arrived(pair)
                if pair != self.first:
                    self.further[pair] = Further(pair, local_id, remote_id)
            case SubflowClosed(_, pair):
                pair = plain(pair)
                self._arrived(pair)
                self.further.pop(pair, None)
                self.first_lives = self.first_lives and pair != self.first
            case AddressAnnounced(_, remote_id, remote):
                self.announced[remote_id] = unmapped(remote)
            case AddressRemoved(_, remote_id):
                self.announced.pop(remote_id, None)
                self.accepted.discard(remote_id)

    def _arrived(self, pair: FourTuple) -> None:
        """Take that a handshake is over that led from one address to another."""
        for join in self.joining:
            if join.remote == pair.remote and join.local.host in (None, pair.local.host):
                self.joining.remove(join)
                return


def plain(pair: FourTuple) -> FourTuple:
    """Write IPv4 addresses as such, where an IPv6 socket has them."""
    return FourTuple(unmapped(pair.local), unmapped(pair.remote))
