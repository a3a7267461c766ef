"""Paths: an interface of this machine with an address that reaches the destination.

No packet is sent and no privilege is needed: the routing tables are asked, by netlink. Where that
is refused, `probing` finds out as much as it can.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from typing import TypeVar

from ..addresses import canonical, family, is_link_local, unmapped
from ..errors import KernelError, NotPermitted
from ..hints import ALLOW_NETLINK
from ..netlink.sockets import NETLINK_ROUTE, RequestSocket
from ..values import Path, SocketAddress
from .probing import probed_interfaces, probed_path_of, probed_paths
from .routes import (
    AddressFlag,
    InterfaceAddress,
    Question,
    Route,
    addresses,
    index_by_other_name,
    route_to,
)

_Answer = TypeVar("_Answer")
_SCOPE_LINK = 253
"""RT_SCOPE_LINK: valid on one link; what is larger, on this machine alone."""


def paths_to(destination: SocketAddress, names: Sequence[str] | None = None) -> list[Path]:
    """List the paths to a destination, the one that the routing table prefers first.

    Args:
        destination: IP address of the server; its port matters to rules that look at it, if any.
        names: only these interfaces, in this order, by any name that they have; those that don't
            reach it are left out.

    Returns:
        The preferred path, then the others by interface index; for a destination on this machine
        the loopback interface alone.

    Raises:
        ValueError: an interface doesn't exist, or the destination is no IP address.
        KernelError: neither netlink nor anything else tells.
    """
    known = interfaces()
    found = _found(unmapped(destination), known)
    if names is None:
        return found
    chosen = {name: index_of(name) for name in names}
    unknown = [name for name, index in chosen.items() if index is None]
    if unknown:
        raise ValueError(f"no interface {', '.join(unknown)}; there are {', '.join(known)}")
    by_index = {path.index: path for path in found}
    order = dict.fromkeys(chosen.values())
    return [by_index[index] for index in order if index in by_index]


def _found(destination: SocketAddress, known: Mapping[str, int]) -> list[Path]:
    try:
        with closing(RequestSocket(NETLINK_ROUTE)) as requests:
            return _all_paths(requests, Question(*destination), known)
    except NotPermitted:
        return _without_netlink(lambda: probed_paths(destination.host))


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
        index = next((own.index for own in addresses(requests) if own.host == host), None)
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


def _all_paths(requests: RequestSocket, question: Question, known: Mapping[str, int]) -> list[Path]:
    preferred = route_to(requests, question)
    if preferred is not None and preferred.local:
        return [
            Path(name, index, preferred.source or question.host)
            for name, index in known.items()
            if index == preferred.index
        ]
    own = [address for address in addresses(requests) if _fits(address, question.host)]
    found = [
        Path(name, index, source)
        for name, index in known.items()
        if (source := _source(requests, replace(question, index=index), own)) is not None
    ]
    first = preferred.index if preferred is not None else 0
    return sorted(found, key=lambda path: (path.index != first, path.index))


def _fits(own: InterfaceAddress, host: str) -> bool:
    """Tell whether packets to a host may leave from an address."""
    near = own.scope >= _SCOPE_LINK and not is_link_local(host)
    return own.usable and not near and family(own.host) == family(host)


def _source(
    requests: RequestSocket, question: Question, own: Iterable[InterfaceAddress]
) -> str | None:
    """Return the address from which packets leave through an interface, or None if none can.

    First the one that the kernel would choose. Where only rules about the source lead through the
    interface (`ip rule from`), the kernel chooses none: then each address that it has is tried.
    """
    any_source = _any_source(requests, question)
    chosen = [any_source.source] if any_source is not None else []
    here = [address for address in own if address.index == question.index]
    here.sort(key=lambda address: AddressFlag.DEPRECATED in address.flags)
    for source in dict.fromkeys([*chosen, *(address.host for address in here)]):
        if source is not None and _leaves(requests, question, source, any_source):
            return source
    return None


def _any_source(requests: RequestSocket, question: Question) -> Route | None:
    in_table = family(question.host) == socket.AF_INET
    if in_table and route_to(requests, replace(question, in_table=True)) is None:
        return None
    return route_to(requests, question)


def _leaves(
    requests: RequestSocket, question: Question, source: str, any_source: Route | None
) -> bool:
    """Tell whether packets from an address leave through the interface.

    Of IPv6, an answer names another interface if its route is better, though a socket that is bound
    to this one would use it; and an entry of a table is sought without the source
    (net/ipv6/route.c, ip6_route_output_flags_noref and inet6_rtm_getroute).
    """
    in_table = family(question.host) == socket.AF_INET
    route = route_to(requests, replace(question, source=source, in_table=in_table))
    if route is None:
        return False
    return route.index == question.index or (not in_table and any_source is not None)
