"""How many connections there may be, in all and of each client. Pure."""

from __future__ import annotations

import ipaddress
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Limits:
    """What a proxy takes.

    Args:
        connections: of all clients together.
        per_client: of one other machine; those of this machine share `connections` alone.
        unready: connections that haven't said yet where they want to go; of more, the oldest ends.
        handshake: seconds until that is said.
        idle: seconds between two requests on a kept connection, or two pieces of a body.
        half_closed: seconds for which one direction may be silent once the other has ended.
    """

    connections: int = 4096
    per_client: int = 256
    unready: int = 512
    handshake: float = 10.0
    idle: float = 60.0
    half_closed: float = 300.0


class Clients(Generic[T]):
    """Who is connected.

    Args:
        limits: how many there may be.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._all = 0
        self._of: Counter[str] = Counter()
        self._unready: OrderedDict[T, None] = OrderedDict()

    @property
    def count(self) -> int:
        """How many connections there are."""
        return self._all

    def may_enter(self, host: str) -> bool:
        """Tell whether one more connection of a client is taken."""
        if self._all >= self._limits.connections:
            return False
        return _is_here(host) or self._of[client_of(host)] < self._limits.per_client

    def enter(self, host: str, connection: T) -> T | None:
        """Take a connection; return another one that is to end, since it has said nothing yet."""
        self._all += 1
        self._of[client_of(host)] += 1
        self._unready[connection] = None
        if len(self._unready) <= self._limits.unready:
            return None
        return self._unready.popitem(last=False)[0]

    def ready(self, connection: T) -> None:
        """Take that a connection has said where it wants to go."""
        self._unready.pop(connection, None)

    def leave(self, host: str, connection: T) -> None:
        """Take that a connection has ended."""
        self.ready(connection)
        self._all -= 1
        client = client_of(host)
        self._of[client] -= 1
        if not self._of[client]:
            del self._of[client]


def client_of(host: str) -> str:
    """Return what counts as one client: an IPv4 address, or a /64 of IPv6."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))
    return str(address)


def _is_here(host: str) -> bool:
    address = ipaddress.ip_address(host.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
