"""Streams in both directions, of any program, over a connection with a strategy.

`opening` makes the connection, through a proxy if need be; `flow` and `pump` move bytes between it
and somebody else's descriptor, in the kernel where that can do it.
"""

from .opening import Place, Tunnel, Unmet, Ways, open_tunnel, place_of
from .upstream import Upstream

__all__ = ["Place", "Tunnel", "Unmet", "Upstream", "Ways", "open_tunnel", "place_of"]
