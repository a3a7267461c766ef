"""Where a proxy's connections go: the strategy for each, and who may go where."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from mphttp.network.socket_types import Found
from mphttp.strategies import Strategy
from mphttp.tunnel import Place, Tunnel, Ways, open_tunnel

from .destinations import Destinations
from .target import Target


class NotAllowed(OSError):
    """A destination isn't connected to for this client."""


@dataclass
class WayOut:
    """Opens tunnels.

    Args:
        strategy_for: which strategy a destination gets, or None.
        ways: how connections are made.
        destinations: which may be reached.

    Attributes:
        own: both ends of connections of ours, so that one that comes back is known.
    """

    strategy_for: Callable[[Target], Strategy | None]
    ways: Ways
    destinations: Destinations = field(default_factory=Destinations)
    own: set[tuple[Place, Place]] = field(default_factory=set)

    def listen_at(self, places: tuple[Place, ...]) -> None:
        """Take where the proxy listens."""
        self.destinations = replace(self.destinations, listening=places)

    async def open(self, target: Target, *, local_client: bool) -> Tunnel:
        """Connect to a target.

        Raises:
            NotAllowed: it may not be reached from there.
            OSError: nobody answered.
            mphttp.network.proxy.Refused: the proxy on the way doesn't let us through.
        """

        def choose(found: Found) -> Found:
            return self._allowed(found, local_client=local_client)

        # What only the other proxy can look up is nobody's secret, if a user of this machine asks.
        checked = self.ways.upstream is None or not local_client
        tunnel = await open_tunnel(
            *target, self.strategy_for(target), self.ways, choose if checked else None
        )
        self.own.add(tunnel.ends)
        return tunnel

    def close(self, tunnel: Tunnel, *, whole: bool) -> None:
        """Close a tunnel."""
        self.own.discard(tunnel.ends)
        tunnel.close(whole=whole)

    def _allowed(self, found: Found, *, local_client: bool) -> Found:
        refusals = [
            self.destinations.refusal(
                str(address[0]),
                int(address[1]),
                local_client=local_client,
                own=_is_own(family, address),
            )
            for family, _, _, _, address in found
        ]
        allowed = [entry for entry, why in zip(found, refusals, strict=True) if why is None]
        if not allowed:
            raise NotAllowed(errno.EACCES, next(iter(refusals), None) or "it has no address")
        return allowed


def _is_own(family: int, address: tuple[Any, ...]) -> bool:
    """Tell whether an address is this machine's: packets to it would come from it."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(address)
            return bool(probe.getsockname()[0] == probe.getpeername()[0])
    except OSError:
        return False
