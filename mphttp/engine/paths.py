"""Which paths a connection may use."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence

from mphttp.kernel.addresses import is_link_local
from mphttp.kernel.errors import KernelError
from mphttp.kernel.interfaces.paths import index_of, path_of, paths_outside, paths_to
from mphttp.kernel.values import Path, SocketAddress

_LOOK = "`mphttp doctor URL` tells what other interfaces lack"


def usable_paths(remote: SocketAddress, names: Sequence[str] | None, link: int = 0) -> list[Path]:
    """Return the paths that reach a peer, preferred first; interfaces that are absent are no error.

    Args:
        remote: the peer.
        names: the interfaces that may be used, preferred first, by any name that they have; None
            for all.
        link: index of the interface whose link the address is of, 0 for none: on another link it
            is another host's (RFC 4007, section 6).
    """
    paths = [path for path in paths_to(remote) if link in (0, path.index)]
    if names is None:
        return paths
    chosen = dict.fromkeys(index_of(name) for name in names)
    return [path for index in chosen for path in paths if path.index == index]


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


def names_on_link(sock: socket.socket, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Return the interfaces that may be used: one alone if the peer's address is of a link.

    Args:
        sock: connected.
        names: those that may be used otherwise, or None for all.
    """
    peer = str(sock.getpeername()[0])
    if not is_link_local(peer):
        return names
    # An MPTCP socket doesn't tell the scope; its own address is of the same link.
    own = path_of(str(sock.getsockname()[0]))
    if own is None:
        return names
    return (own.name,) if names is None or own.index in map(index_of, names) else ()
