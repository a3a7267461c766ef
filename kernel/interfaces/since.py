"""Tells whether the ways to other machines are still what they were. Needs no privilege."""

from __future__ import annotations

from ..errors import ProtocolError
from ..netlink.sockets import NETLINK_ROUTE, EventSocket
from .changes import GROUPS

_ROUTES = (7, 8, 11, 19)
"""RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_ROUTE and RTNLGRP_IPV6_RULE."""


class RoutingChanges:
    """What happened to interfaces, addresses, routes and rules, without a word of what it was.

    The kernel tells before the call that made the change returns (include/linux/rtnetlink.h).

    Raises:
        KernelError: this process may not speak netlink, or there is no descriptor left.
    """

    def __init__(self) -> None:
        self._socket = EventSocket(
            GROUPS[0], more_groups=(*GROUPS[1:], *_ROUTES), protocol=NETLINK_ROUTE
        )

    def any(self) -> bool:
        """Return whether there was a change since the last call, or since this was made."""
        changed = False
        while self._waits():
            changed = True
        return changed

    def close(self) -> None:
        """Let go of the descriptor."""
        self._socket.close()

    def _waits(self) -> bool:
        try:
            return self._socket.receive() != []
        except ProtocolError:
            return True
