"""Whether it is of use to open further subflows on a connection, before one is tried."""

from __future__ import annotations

import time
from functools import cached_property

from mphttp.core.backoff import Joins
from mphttp.kernel.mechanism import Mechanism
from mphttp.kernel.values import Path, SocketAddress

from .paths import paths_to_any
from .reach import Reach


class Joining:
    """What is known beforehand of the subflows that could join one connection.

    Args:
        reach: the paths to the peer.
        addresses: of the peer's name, in the other family.
        joins: between which addresses no subflow could join a connection lately.
        mechanism: what opens them.
    """

    def __init__(
        self,
        reach: Reach,
        addresses: tuple[SocketAddress, ...],
        joins: Joins,
        mechanism: Mechanism,
    ) -> None:
        self._reach = reach
        self._addresses = addresses
        self._joins = joins
        self._mechanism = mechanism

    def hopeless(self, paths: list[Path], began: set[str]) -> bool:
        """Return whether no path can join the connection that isn't in use already.

        Args:
            paths: those that reach the peer.
            began: local addresses of the subflow that the connection began with.
        """
        others = [path for path in paths if path.address not in began]
        return self._refused(others) or self._misses_paths(paths) or self._misled(others)

    def _refused(self, others: list[Path]) -> bool:
        """Return whether the peer takes no other path, as other connections have seen lately."""
        remote = self._reach.remote
        if not self._joins.any_to(remote):
            return False
        return self._joins.all_refused({path.address for path in others}, remote, time.monotonic())

    def _misses_paths(self, paths: list[Path]) -> bool:
        """Return whether subflows have one path, and others lead to the address of IPv6 alone."""
        if self._reach.also_at or not self._addresses or len(paths) > 1:
            return False
        return self._other_family_has_more

    @cached_property
    def _other_family_has_more(self) -> bool:
        reach = self._reach
        return len(paths_to_any(reach.remote, self._addresses, reach.names)) > 1

    def _misled(self, others: list[Path]) -> bool:
        """Return whether this kernel would send subflows on every other path by another interface.

        It ignores then what a subflow is opened on, and no table of the machine leads there.
        """
        return bool(others) and all(self._mechanism.misled(p, self._reach.remote) for p in others)
