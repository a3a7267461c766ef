"""Which strategy looks after whose connections: the rules, and how they match. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from mphttp.kernel.addresses import unmapped
from mphttp.kernel.values import SocketAddress
from mphttp.strategies import Strategy

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Facts:
    """What rules look at.

    Args:
        remote: where the connection leads.
        client: whether this side connected.
        user: whose it is, a user id.
        program: name of the program that has it, "" where that isn't known.
    """

    remote: SocketAddress
    client: bool
    user: int
    program: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A strategy for the connections that all of this fits; what is empty fits all.

    Args:
        strategy: what decides for them.
        ports: of the server.
        users: user ids.
        programs: names of programs, without a folder.
        destinations: networks that have the server's address.
        paths: interfaces that may be used, preferred first; None for all.
    """

    strategy: Strategy
    ports: frozenset[int] = frozenset()
    users: frozenset[int] = frozenset()
    programs: frozenset[str] = frozenset()
    destinations: tuple[Network, ...] = ()
    paths: tuple[str, ...] | None = None

    def fits(self, facts: Facts) -> bool:
        """Tell whether it is for a connection, which this side must have begun."""
        remote = unmapped(facts.remote)
        return (
            facts.client
            and (not self.ports or remote.port in self.ports)
            and (not self.users or facts.user in self.users)
            and (not self.programs or facts.program in self.programs)
            and (not self.destinations or self._has(remote.host))
        )

    def _has(self, host: str) -> bool:
        address = ipaddress.ip_address(host)
        return any(address in network for network in self.destinations)


def first_match(rules: Iterable[Rule], facts: Facts) -> Rule | None:
    """Return the first rule that is for a connection, or None."""
    return next((rule for rule in rules if rule.fits(facts)), None)
