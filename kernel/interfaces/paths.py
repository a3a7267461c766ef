"""Paths: an interface of this machine with an address that reaches the destination.

No packet is sent and no privilege is needed: the routing tables are asked. A datagram socket that
is bound to an interface and connected would tell the source address too, but not reachability:
IPv4 takes an interface without a route for one that has every destination on its link.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from contextlib import closing

from ..addresses import canonical, unmapped
from ..netlink.sockets import NETLINK_ROUTE, RequestSocket
from ..values import Path, SocketAddress
from .routes import Route, addresses, route_to


def paths_to(destination: SocketAddress, names: Sequence[str] | None = None) -> list[Path]:
    """List the paths to a destination, the one that the routing table prefers first.

    Args:
        destination: IP address of the server; its port doesn't matter.
        names: only these interfaces, in this order; those that don't reach it are left out.

    Returns:
        The preferred path, then the others by interface index; for a destination on this machine
        the loopback interface alone.

    Raises:
        ValueError: an interface doesn't exist, or the destination is no IP address.
    """
    known = {name: index for index, name in socket.if_nameindex()}
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise ValueError(f"no interface {', '.join(unknown)}; there are {', '.join(known)}")
    host = unmapped(destination).host
    with closing(RequestSocket(NETLINK_ROUTE)) as requests:
        found = _all_paths(requests, host, known)
    if names is None:
        return found
    return sorted((path for path in found if path.name in names), key=lambda p: names.index(p.name))


def path_of(address: str) -> Path | None:
    """Find the interface that has a local address, such as a connection's first subflow uses.

    Args:
        address: IP address of this machine.

    Returns:
        Its path, or None if no interface has the address (any more).

    Raises:
        ValueError: it is no IP address.
    """
    host = canonical(address)
    with closing(RequestSocket(NETLINK_ROUTE)) as requests:
        index = addresses(requests).get(host)
        if index is None:
            # 127.0.0.0/8 and the like: the machine's own, though no interface lists them.
            route = route_to(requests, host)
            index = route.index if route is not None and route.local else None
    names = dict(socket.if_nameindex())
    return Path(names[index], index, host) if index in names and index is not None else None


def _all_paths(requests: RequestSocket, host: str, known: Mapping[str, int]) -> list[Path]:
    preferred = route_to(requests, host)
    if preferred is not None and preferred.local:
        found = [
            _path(name, preferred) for name, index in known.items() if index == preferred.index
        ]
    else:
        found = [_path(name, _route_through(requests, host, known[name])) for name in known]
    first = preferred.index if preferred is not None else 0
    paths = (path for path in found if path is not None)
    return sorted(paths, key=lambda path: (path.index != first, path.index))


def _route_through(requests: RequestSocket, host: str, index: int) -> Route | None:
    if route_to(requests, host, index=index, in_table=True) is None:
        return None
    return route_to(requests, host, index=index)


def _path(name: str, route: Route | None) -> Path | None:
    if route is None or route.source is None:
        return None
    return Path(name, route.index, route.source)
