"""Which paths a connection may use."""

from __future__ import annotations

from collections.abc import Sequence

from mphttp.kernel.interfaces.paths import paths_to
from mphttp.kernel.values import Path, SocketAddress


def usable_paths(remote: SocketAddress, names: Sequence[str] | None) -> list[Path]:
    """Return the paths that reach a peer, preferred first; interfaces that are absent are no error.

    Args:
        remote: the peer.
        names: the interfaces that may be used, preferred first, or None for all.
    """
    paths = paths_to(remote)
    if names is None:
        return paths
    return [path for name in dict.fromkeys(names) for path in paths if path.name == name]
