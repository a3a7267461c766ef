"""Paths: an interface of this machine with an address that reaches the destination.

No packet is sent and no privilege is needed: the routing tables are asked, by netlink. Where that
is refused, `probing` finds out as much as it can.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import TypeVar

from ..addresses import canonical, unmapped
from ..errors import NotPermitted
from ..hints import ALLOW_NETLINK
from ..netlink.sockets import NETLINK_ROUTE, RequestSocket
from ..values import Path, SocketAddress
from .probing import probed_interfaces, probed_path_of, probed_paths
from .routes import Route, addresses, route_to

_Answer = TypeVar("_Answer")


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
        KernelError: neither netlink nor anything else tells.
    """
    known = interfaces()
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise ValueError(f"no interface {', '.join(unknown)}; there are {', '.join(known)}")
    found = _found(unmapped(destination).host, known)
    if names is None:
        return found
    return sorted((path for path in found if path.name in names), key=lambda p: names.index(p.name))


def _found(host: str, known: Mapping[str, int]) -> list[Path]:
    try:
        with closing(RequestSocket(NETLINK_ROUTE)) as requests:
            return _all_paths(requests, host, known)
    except NotPermitted:
        return _without_netlink(lambda: probed_paths(host))


def path_of(address: str) -> Path | None:
    """Find the interface that has a local address, such as a connection's first subflow uses.

    Args:
        address: IP address of this machine.

    Returns:
        Its path, or None if no interface has the address (any more).

    Raises:
        ValueError: it is no IP address.
        KernelError: neither netlink nor anything else tells.
    """
    host = canonical(address)
    try:
        return _path_of(host)
    except NotPermitted:
        return _without_netlink(lambda: probed_path_of(host))


def _path_of(host: str) -> Path | None:
    with closing(RequestSocket(NETLINK_ROUTE)) as requests:
        index = addresses(requests).get(host)
        if index is None:
            # 127.0.0.0/8 and the like: the machine's own, though no interface lists them.
            route = route_to(requests, host)
            index = route.index if route is not None and route.local else None
    names = {number: name for name, number in interfaces().items()}
    return Path(names[index], index, host) if index in names and index is not None else None


def interfaces() -> dict[str, int]:
    """Return the index of each interface of this machine, by its name.

    Raises:
        KernelError: neither netlink nor anything else tells.
    """
    try:
        return {name: index for index, name in socket.if_nameindex()}
    except OSError:  # it asks netlink
        return _without_netlink(probed_interfaces)


def _without_netlink(ask: Callable[[], _Answer]) -> _Answer:
    try:
        return ask()
    except OSError as error:
        what = "the paths of this machine can't be found"
        raise NotPermitted(what, errno=error.errno or 0, hint=ALLOW_NETLINK) from None


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
