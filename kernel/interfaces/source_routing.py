"""By which interface packets leave that say only where they come from, and what mends that.

A kernel that ignores the interface of a subflow asks the routing tables with its addresses alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from socket import if_indextoname

from ..errors import KernelError
from ..netlink.sockets import NETLINK_ROUTE, RequestSocket
from ..values import Path
from .routes import Question, Route, route_to

_TABLES = 1000
"""Numbers of tables that nobody is likely to use begin here."""


def leaves_elsewhere(path: Path, remote: str, port: int = 0) -> bool:
    """Tell whether what has a path's address leaves by another interface than the path's.

    Where none would leave at all, or that isn't told, it doesn't.

    Args:
        path: has the address.
        remote: IP address that it leads to.
        port: TCP port there, which a rule may look at; 0 for any.
    """
    route = _asked(Question(remote, port, source=path.address))
    return route is not None and route.index != path.index


def routed(path: Path, remote: str) -> Path:
    """Return by which interface what has a path's address leaves; the path itself if not another.

    Args:
        path: has the address.
        remote: IP address that it leads to.
    """
    route = _asked(Question(remote, source=path.address))
    if route is None or route.index == path.index:
        return path
    return Path(if_indextoname(route.index), route.index, path.address)


def table_for(path: Path, remote: str) -> str:
    """Return the commands that have what has a path's address leave by its interface.

    Args:
        path: the one.
        remote: IP address that its route leads to.
    """
    route = _asked(Question(remote, index=path.index))
    via = "" if route is None or route.gateway is None else f"via {route.gateway} "
    six, table = "-6 " if ":" in path.address else "", _TABLES + path.index
    return (
        f"sudo ip {six}route add default {via}dev {path.name} table {table}; "
        f"sudo ip {six}rule add from {path.address} table {table}"
    )


def tables_for(paths: Iterable[tuple[Path, str]]) -> Iterator[str]:
    """Return the commands for those of some paths, each with where it leads to, that need them."""
    yield from (table_for(path, to) for path, to in paths if leaves_elsewhere(path, to))


def _asked(question: Question) -> Route | None:
    try:
        with closing(RequestSocket(NETLINK_ROUTE)) as requests:
            return route_to(requests, question)
    except KernelError:
        return None
