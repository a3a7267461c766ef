"""Which paths a connection may use."""

from __future__ import annotations

import contextlib
import itertools
import socket
from collections.abc import Iterable, Sequence

from mphttp.costs.machine import costs
from mphttp.costs.wishes import Wishes
from mphttp.kernel.addresses import family, is_link_local, unmapped
from mphttp.kernel.errors import KernelError
from mphttp.kernel.interfaces.paths import index_of, path_of, paths_outside, paths_to
from mphttp.kernel.values import Path, SocketAddress
from mphttp.strategies import Path as PathView

_LOOK = "`mphttp doctor URL` tells what other interfaces lack"


def usable_paths(remote: SocketAddress, names: Sequence[str] | None, link: int = 0) -> list[Path]:
    """Return the paths that reach a peer, preferred first; interfaces that are absent are no error.

    Where none is named, those that are free come first, as far as this machine tells (`costs`).

    Args:
        remote: the peer.
        names: the interfaces that may be used, preferred first, by any name that they have; None
            for all.
        link: index of the interface whose link the address is of, 0 for none: on another link it
            is another host's (RFC 4007, section 6).
    """
    paths = [path for path in paths_to(remote) if link in (0, path.index)]
    if names is None:
        wishes = costs.now()
        return [*_ranked(paths, wishes)] if wishes.any else paths
    chosen = dict.fromkeys(index_of(name) for name in names)
    return [path for index in chosen for path in paths if path.index == index]


def _ranked(paths: Iterable[Path], wishes: Wishes) -> list[Path]:
    allowed = [path for path in paths if not wishes.is_barred(path.name)]
    return sorted(allowed, key=lambda path: wishes.rank(path.name))


def seen_by_strategies(path: str) -> PathView:
    """Show a path to a strategy."""
    return PathView(path, metered=costs.now().is_metered(path))


def paths_to_any(
    remote: SocketAddress, others: Sequence[SocketAddress], names: Sequence[str] | None
) -> list[Path]:
    """Return the paths that reach a peer, and those that reach only another address of it.

    Args:
        remote: the peer.
        others: further addresses of it, the most preferred first.
        names: the interfaces that may be used, preferred first, or None for all.
    """
    paths = usable_paths(remote, names)
    if not others or (names is None and paths_outside(remote)):
        return paths
    for other in others:
        there = {path.index for path in paths}
        paths += [path for path in usable_paths(other, names) if path.index not in there]
    if names is None:
        return paths
    order = [index_of(name) for name in names]
    return sorted(paths, key=lambda path: order.index(path.index))


def of_other_family(
    remote: SocketAddress, addresses: Sequence[SocketAddress]
) -> tuple[SocketAddress, ...]:
    """Return the first address of the family that a peer's own isn't of, if there is one."""
    own = family(remote.host)
    found = (other for other in map(unmapped, addresses) if family(other.host) != own)
    usable = (other for other in found if not is_link_local(other.host))
    return tuple(itertools.islice(usable, 1))


def why_alone(name: str, remote: SocketAddress) -> tuple[str, str]:
    """Say why there is one path at most, though several may be used, and what mends it.

    Args:
        name: of the one, or "" for none.
        remote: the peer.
    """
    if not name:
        return "no path is left", _LOOK
    outside: list[Path] = []
    with contextlib.suppress(KernelError):
        outside = paths_outside(remote)
    if not outside:
        return f"only {name} reaches the server", _LOOK
    names = " and ".join(path.name for path in outside)
    others = ", ".join(repr(path.name) for path in outside)
    return (
        f"the route to the server is a VPN's, {name}: nothing goes around it, by {names}",
        f"name them to use them all the same: paths=[{name!r}, {others}], or --path for each",
    )


def names_on_link(
    sock: socket.socket, peer: str, names: tuple[str, ...] | None
) -> tuple[str, ...] | None:
    """Return the interfaces that may be used: one alone if the peer's address is of a link.

    Args:
        sock: connected.
        peer: its peer's IP address.
        names: those that may be used otherwise, or None for all.
    """
    if not is_link_local(peer):
        return names
    # An MPTCP socket doesn't tell the scope; its own address is of the same link.
    own = path_of(str(sock.getsockname()[0]))
    if own is None:
        return names
    return (own.name,) if names is None or own.index in map(index_of, names) else ()
