"""Paths: an interface of this machine with an address that reaches the destination.

No packet is sent and no privilege is needed: the routing tables are asked, by netlink. Where that
is refused, `probing` finds out as much as it can.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from typing import TypeVar

from ..addresses import canonical, unmapped
from ..errors import KernelError, NotPermitted
from ..hints import ALLOW_NETLINK
from ..netlink.sockets import NETLINK_ROUTE, RequestSocket
from ..values import Path, SocketAddress
from .found import Found, find_paths
from .probing import probed_interfaces, probed_path_of, probed_paths
from .routes import Question, addresses, index_by_other_name, route_to

_Answer = TypeVar("_Answer")


def paths_to(destination: SocketAddress, names: Sequence[str] | None = None) -> list[Path]:
    """List the paths to a destination, the one that the routing table prefers first.

    Args:
        destination: IP address of the server; its port matters to rules that look at it, if any.
        names: only these interfaces, in this order, by any name that they have; those that don't
            reach it are left out.

    Returns:
        The preferred path, then the others by interface index; for a destination on this machine
        the loopback interface alone. Where the route is a tunnel's (`tunnels`), what would go
        around it is there only if it is named.

    Raises:
        ValueError: an interface doesn't exist, or the destination is no IP address.
        KernelError: neither netlink nor anything else tells.
    """
    known = interfaces()
    found = _found(unmapped(destination), known)
    if names is None:
        return found.inside
    chosen = {name: index_of(name) for name in names}
    unknown = [name for name, index in chosen.items() if index is None]
    if unknown:
        raise ValueError(f"no interface {', '.join(unknown)}; there are {', '.join(known)}")
    by_index = {path.index: path for path in found.paths}
    order = dict.fromkeys(chosen.values())
    return [by_index[index] for index in order if index in by_index]


def paths_outside(destination: SocketAddress) -> list[Path]:
    """List the paths to a destination that go around the tunnel that its route leads through.

    Args:
        destination: IP address of the server.

    Raises:
        ValueError: the destination is no IP address.
        KernelError: neither netlink nor anything else tells.
    """
    return _found(unmapped(destination), interfaces()).outside


def _found(destination: SocketAddress, known: Mapping[str, int]) -> Found:
    try:
        with closing(RequestSocket(NETLINK_ROUTE)) as requests:
            return find_paths(requests, Question(*destination), known)
    except NotPermitted:
        return _without_netlink(lambda: Found(probed_paths(destination.host), []))


def path_of(address: str, *, remote: str = "", device: int = 0) -> Path | None:
    """Find the interface that has a local address, such as a connection's first subflow uses.

    Two may have the same one, as two modems of the same maker: then a socket's device tells, and
    else the route.

    Args:
        address: IP address of this machine.
        remote: IP address of the peer, "" if there is none.
        device: index of the interface to which the socket is bound, 0 for none.

    Returns:
        Its path, or None if no interface has the address (any more).

    Raises:
        ValueError: it is no IP address.
        KernelError: neither netlink nor anything else tells.
    """
    host = canonical(address)
    try:
        return _path_of(host, remote, device)
    except NotPermitted:
        return _without_netlink(lambda: probed_path_of(host))


def _path_of(host: str, remote: str, device: int) -> Path | None:
    with closing(RequestSocket(NETLINK_ROUTE)) as requests:
        owners = [own.index for own in addresses(requests) if own.host == host]
        if len(owners) > 1 and remote and device not in owners:
            towards = route_to(requests, Question(remote, source=host))
            device = towards.index if towards is not None else 0
        index = device if device in owners else next(iter(owners), None)
        if index is None:
            # 127.0.0.0/8 and the like: the machine's own, though no interface lists them.
            route = route_to(requests, Question(host))
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


def index_of(name: str) -> int | None:
    """Return the index of an interface, by its name or another one (`ip link property`), or None.

    Names are bytes, and text here as file names are (`os.fsdecode`).
    """
    with suppress(OSError, ValueError):  # it finds both, if they are short
        return socket.if_nametoindex(name)
    with suppress(KernelError, UnicodeError), closing(RequestSocket(NETLINK_ROUTE)) as requests:
        return index_by_other_name(requests, os.fsencode(name))
    return None


def _without_netlink(ask: Callable[[], _Answer]) -> _Answer:
    try:
        return ask()
    except OSError as error:
        what = "the paths of this machine can't be found"
        raise NotPermitted(what, errno=error.errno or 0, hint=ALLOW_NETLINK) from None
