"""Paths as the routing tables tell them, by netlink."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ..addresses import family, is_link_local
from ..netlink.sockets import RequestSocket
from ..values import Path
from .routes import (
    AddressFlag,
    InterfaceAddress,
    Question,
    Route,
    RouteMessage,
    addresses,
    far_hosts,
    route_to,
)
from .tunnels import Entry, outside, unpack_device, unpack_rule

_SCOPE_LINK = 253
"""RT_SCOPE_LINK: valid on one link; what is larger, on this machine alone."""


@dataclass(frozen=True, slots=True)
class Found:
    """The paths to a destination.

    Args:
        paths: the preferred one first.
        outside: those of them that go around a tunnel, whose path is the preferred one.
    """

    paths: list[Path]
    outside: list[Path]

    @property
    def inside(self) -> list[Path]:
        """The paths that are used where none is named."""
        return [path for path in self.paths if path not in self.outside]


def find_paths(requests: RequestSocket, question: Question, known: Mapping[str, int]) -> Found:
    """Find the paths to a destination.

    Args:
        requests: a socket of NETLINK_ROUTE.
        question: where to.
        known: the index of each interface by its name.

    Raises:
        KernelError: the kernel doesn't tell.
    """
    preferred = route_to(requests, question)
    if preferred is not None and preferred.local:
        here = [
            Path(name, index, preferred.source or question.host)
            for name, index in known.items()
            if index == preferred.index
        ]
        return Found(here, [])
    own = [address for address in addresses(requests) if _fits(address, question.host)]
    found = [
        Path(name, index, source)
        for name, index in known.items()
        if (source := _source(requests, replace(question, index=index), own)) is not None
    ]
    first = preferred.index if preferred is not None else 0
    found.sort(key=lambda path: (path.index != first, path.index))
    if preferred is None or len(found) < 2 or found[0].index != first:
        return Found(found, [])
    around = _around(requests, question, found)
    return Found(found, [path for path in found if path.index in around])


def _around(requests: RequestSocket, question: Question, found: Iterable[Path]) -> set[int]:
    """Return the interfaces whose packets would go around the tunnel that the first one is."""
    first, *others = (_entry(requests, question, path) for path in found)
    kind = family(question.host)
    links = requests.request(RouteMessage.GETLINK, bytes(16), dump=True)
    rules = requests.request(RouteMessage.GETRULE, bytes((kind, *bytes(11))), dump=True)
    return outside(
        # As the system chooses it: what leads there for one source alone is no tunnel's.
        replace(_entry(requests, question, None), index=first.index),
        others,
        rules=[rule for answer in rules if (rule := unpack_rule(answer.payload, os.geteuid()))],
        devices=dict(unpack_device(answer.payload) for answer in links),
        far_hosts=far_hosts(requests),
    )


def _entry(requests: RequestSocket, question: Question, path: Path | None) -> Entry:
    """Return the entry of a table that leads to a destination; a default route if none is told.

    IPv6 has entries only for who asks without a source (net/ipv6/route.c, inet6_rtm_getroute).
    """
    index, source = (path.index, path.address) if path is not None else (0, "")
    here = replace(question, index=index)
    route = None
    if family(question.host) == socket.AF_INET:
        route = route_to(requests, replace(here, source=source, in_table=True))
    else:
        by_source = route_to(requests, replace(here, source=source)) if source else None
        route = route_to(requests, replace(here, in_table=True))
        if by_source is not None and by_source.index == index and route is not None:
            route = by_source if by_source.table != route.table else route
            route = replace(route, length=0) if route is by_source else route
        elif route is None and by_source is not None:
            route = replace(by_source, length=0)
    return Entry(index, 0, 0) if route is None else Entry(index, route.table, route.length)


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
