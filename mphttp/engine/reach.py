"""Which interfaces of this machine reach a connection's peer, and by which a subflow leaves."""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from functools import lru_cache

from mphttp.kernel.addresses import family, unmapped
from mphttp.kernel.errors import KernelError
from mphttp.kernel.interfaces.honoured import left_by
from mphttp.kernel.interfaces.paths import path_of
from mphttp.kernel.interfaces.since import RoutingChanges
from mphttp.kernel.values import FourTuple, Path, SocketAddress

from .paths import paths_to_any, usable_paths

_KNOWN_FOR = 1.0
"""Seconds for which the list of paths is taken as it was."""
_SHARED_FOR = 0.2
"""Seconds for which another connection's list is as good as one's own, if no route has changed."""
_MOST_SHARED = 64

_Peer = tuple[SocketAddress, tuple[SocketAddress, ...], tuple[str, ...] | None]


class KnownPaths:
    """The paths to peers as they were found last, until a route or an interface changes.

    The kernel is asked for them by several messages, which would be half of what a short-lived
    connection costs here. Any thread may call.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew: after a fork, the child may be in another network."""
        self._lock = threading.Lock()
        self._found: dict[_Peer, tuple[float, list[Path]]] = {}
        self._changes: RoutingChanges | None = None
        self._heard = 0

    def listen(self) -> int:
        """Hear of changes from now on; where that isn't possible, nothing is shared.

        Returns:
            how often one was heard of, for `put`.
        """
        with self._lock, contextlib.suppress(KernelError):
            self._changes = self._changes or RoutingChanges()
        return self._heard

    def put(self, peer: _Peer, found: list[Path], now: float, heard: int) -> None:
        """Keep the paths to a peer, unless a change was heard of since the kernel was asked.

        Args:
            peer: whose.
            found: preferred first.
            now: when the kernel was asked, of `time.monotonic`.
            heard: what `listen` returned before.
        """
        with self._lock:
            if len(self._found) >= _MOST_SHARED:
                self._found.clear()
            if self._changes is not None and heard == self._heard:
                self._found[peer] = now, found

    def get(self, peer: _Peer) -> tuple[float, list[Path]]:
        """Return when the paths to a peer were found, and what they are; never and none else."""
        with self._lock:
            if self._changes is None or self._changes.any():
                self._found.clear()
                self._heard += 1
            return self._found.get(peer, (-math.inf, []))


known_paths = KnownPaths()
os.register_at_fork(after_in_child=known_paths.forget)


class Reach:
    """The paths to one peer.

    Args:
        remote: where it is.
        names: the paths that may be used, preferred first, or None for all.

    Attributes:
        remote: the same.
        names: the same.
        also_at: the peer's address in the other family, where subflows may have that.
        device: index of the interface to which the first socket is bound, 0 for none.
        paths: those that reached it at the last look, preferred first.
        began_with: the addresses of the first subflow, once they are known.
    """

    def __init__(self, remote: SocketAddress, names: tuple[str, ...] | None) -> None:
        self.remote = unmapped(remote)
        self.names = names
        self.also_at: tuple[SocketAddress, ...] = ()
        self.device = 0
        self.paths: list[Path] = []
        self._until = -math.inf
        self.began_with: FourTuple | None = None

    def known(self, now: float) -> bool:
        """Return whether the last look was a moment ago; `now` is of `time.monotonic`."""
        return now < self._until

    def find(self) -> tuple[list[Path] | None, float]:
        """Find the paths that reach the peer: as another connection has found them a moment ago.

        Else the kernel is asked.

        Returns:
            the paths, None where the kernel doesn't tell; and when it was asked, of
            `time.monotonic`.
        """
        at, found = known_paths.get(self._peer)
        now = time.monotonic()
        if now < at + _SHARED_FOR:
            return found, at
        heard = known_paths.listen()
        try:
            found = paths_to_any(self.remote, self.also_at, self.names)
        except KernelError:
            return None, now
        known_paths.put(self._peer, found, now, heard)
        return found, now

    @property
    def _peer(self) -> _Peer:
        return self.remote, self.also_at, self.names

    def take(self, found: list[Path] | None, now: float) -> list[Path]:
        """Replace the paths by those that were found; return those from before."""
        before = self.paths
        if found is not None:
            self.paths = found
        # Not before: another thread would take the list for known that is still empty.
        self._until = now + _KNOWN_FOR
        return before

    def path(self, name: str, remote: SocketAddress) -> Path | None:
        """Return a path by its name; None if it doesn't reach an address of the peer.

        Args:
            name: of the interface.
            remote: the address: the peer's own, or one that it announced.
        """
        path = next((path for path in self.paths if path.name == name), None)
        if path is None or remote.host == self.remote.host:
            return path
        # Another address may need another source address, if only one of its family.
        return next(iter(usable_paths(remote, (name,))), None)

    def address_from(self, path: Path, remote: SocketAddress) -> SocketAddress:
        """Return an address of the peer, or that of the other family if a path reaches only it."""
        if remote.host != self.remote.host or family(path.address) == family(remote.host):
            return remote
        return next(iter(self.also_at), remote)

    def interface_of(self, pair: FourTuple) -> str:
        """Name the interface by which a subflow leaves, as it was within the last second."""
        now = int(time.monotonic())
        if self.began_with in (None, pair):
            self.began_with = pair
            return _interface_in(pair.local.host, self.remote.host, self.device, now)
        return _interface_by(pair, now)


@lru_cache(maxsize=256)
def _interface_by(pair: FourTuple, _second: int) -> str:
    """Name the interface of a subflow that somebody else opened, such as the kernel."""
    path = None
    with contextlib.suppress(KernelError):
        path = left_by(pair)
    return path.name if path else "?"


@lru_cache(maxsize=256)
def _interface_in(address: str, remote: str, device: int, _second: int) -> str:
    path = None
    with contextlib.suppress(KernelError):
        path = path_of(address, remote=remote, device=device)
    return path.name if path else "?"
