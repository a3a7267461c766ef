"""Where a connection starts: which paths its first subflow tries, and which one is preferred."""

from __future__ import annotations

import errno
from collections.abc import Sequence

from mphttp.costs.machine import costs
from mphttp.engine.paths import seen_by_strategies, usable_paths
from mphttp.engine.request import Request, current_request
from mphttp.kernel.interfaces.paths import index_of
from mphttp.kernel.values import Path, SocketAddress
from mphttp.strategies import SinglePath, Strategy

Way = tuple[int, Path | None]
"""How preferred a path is, the lowest most, and the path; None stands for the system's choice."""
_CHOSEN, _FIRST = 0, 1


class Start:
    """Chooses the path of a first subflow.

    Args:
        names: the interfaces that may be used, preferred first, or None for all.

    Attributes:
        system: the system's choice, once it was asked what else there is.
    """

    def __init__(self, names: Sequence[str] | None) -> None:
        self._names = names
        self.system: Path | None = None

    def preferred(self, remote: SocketAddress, link: int = 0) -> list[Way]:
        """Return what to try first, in this order.

        Args:
            remote: the peer.
            link: index of the interface whose link the address is of, 0 for none.

        Raises:
            OSError: none of the interfaces that may be used reaches the peer.
        """
        request = current_request()
        asks = request is not None and _chooses(request.strategy)
        prefers = self._names is None and request is not None and _heeds_costs(request)
        if self._names is None and not (asks or prefers):
            return [(_FIRST, None)]
        paths = usable_paths(remote, self._names, link)
        chosen = self._choice(request, paths) if request is not None and asks else None
        if prefers and paths:  # the system's choice may be one that costs
            ways = dict.fromkeys([chosen or paths[0], paths[0]])
            return list(enumerate(ways, _CHOSEN))
        first: list[Way] = [] if chosen is None else [(_CHOSEN, chosen)]
        if self._names is None:
            as_the_system = chosen is not None and chosen == paths[0]
            return first if as_the_system else [*first, (_FIRST, None)]
        if not paths:
            words = f"none of the interfaces {', '.join(self._names)} reaches {remote.host}"
            raise OSError(errno.ENETUNREACH, words)
        order = dict.fromkeys(index_of(name) for name in self._names)
        rank = {index: place for place, index in enumerate(order, _FIRST)}
        return [*first, *((rank[path.index], path) for path in paths if path != chosen)]

    def paths(self, remote: SocketAddress) -> list[Path | None]:
        """Return the same without the ranks."""
        return [path for _, path in self.preferred(remote)]

    def elsewhere(self, remote: SocketAddress, link: int = 0) -> list[Way]:
        """Return the paths on which a connection may start that doesn't where the system chooses.

        There are some where a strategy may use several paths anyway, and none was named.

        Args:
            remote: the peer.
            link: index of the interface whose link the address is of, 0 for none.
        """
        request = current_request()
        if self._names is not None or request is None or isinstance(request.strategy, SinglePath):
            return []
        if request.multipath == "off":
            return []
        try:
            paths = usable_paths(remote, None, link)
        except OSError:  # the routing tables can't be asked
            return []
        self.system = next(iter(paths), None)
        return list(enumerate(paths[1:], _FIRST + 1))

    def is_costly(self, path: Path) -> bool:
        """Return whether a path costs money, and no caller has named it."""
        return self._names is None and costs.now().is_metered(path.name)

    def failed(self, path: Path, error: OSError) -> None:
        """Record that a path didn't do, and that another one took its place."""
        request = current_request()
        if request is not None:
            what = f"the connection could not start on {path.name}: {error.strerror or error}"
            request.problems.append((what, "another path took its place"))

    @staticmethod
    def _choice(request: Request, paths: Sequence[Path]) -> Path | None:
        try:
            view = request.strategy.connect_on([seen_by_strategies(path.name) for path in paths])
            name = None if view is None else view.name
        except Exception as error:  # whatever a user's strategy raises
            who = f"connect_on of the strategy {request.strategy.name!r}"
            what = f"{who} ended with {type(error).__name__}: {error}"
            request.problems.append((what, "the system chose where the connection starts"))
            return None
        index = None if name is None else index_of(name)
        chosen = next((path for path in paths if path.index == index), None)
        if name is not None and chosen is None:
            what = f"the connection could not start on {name}, which doesn't reach the server"
            request.problems.append((what, "another path took its place"))
        return chosen


def _heeds_costs(request: Request) -> bool:
    """Return whether a connection is to start where it is free; with one path, nobody asks.

    What is wrong with the files that tell of costs is told, too.
    """
    if isinstance(request.strategy, SinglePath) or request.multipath == "off":
        return False
    known = [what for what, _ in request.problems]
    request.problems += [(what, "docs/paths.md") for what in costs.problems if what not in known]
    return costs.now().any


def _chooses(strategy: Strategy) -> bool:
    """Return whether a strategy may name a path to start on; most don't: asking costs a look."""
    if isinstance(strategy, SinglePath):
        return strategy.path is not None
    return type(strategy).connect_on is not Strategy.connect_on
