"""Where a connection starts: which paths its first subflow tries, one after the other."""

from __future__ import annotations

import errno
from collections.abc import Sequence

from mphttp.engine.paths import usable_paths
from mphttp.engine.request import Request, current_request
from mphttp.kernel.values import Path, SocketAddress
from mphttp.strategies import Path as PathView
from mphttp.strategies import Strategy


class Start:
    """Chooses the path of a first subflow.

    Args:
        names: the interfaces that may be used, preferred first, or None for all.
    """

    def __init__(self, names: Sequence[str] | None) -> None:
        self._names = names

    def paths(self, remote: SocketAddress) -> list[Path | None]:
        """Return what to try in turn; None stands for the system's choice.

        Args:
            remote: the peer.

        Raises:
            OSError: none of the interfaces that may be used reaches the peer.
        """
        request = current_request()
        asks = request is not None and type(request.strategy).connect_on is not Strategy.connect_on
        if self._names is None and not asks:
            return [None]
        paths = usable_paths(remote, self._names)
        chosen = self._choice(request, paths) if request is not None and asks else None
        if self._names is None:
            return [None] if chosen is None else [chosen, None]
        if not paths:
            words = f"none of the interfaces {', '.join(self._names)} reaches {remote.host}"
            raise OSError(errno.ENETUNREACH, words)
        others: list[Path | None] = [path for path in paths if path != chosen]
        return others if chosen is None else [chosen, *others]

    def failed(self, path: Path, error: OSError) -> None:
        """Take that a path didn't do; the next one is tried."""
        request = current_request()
        if request is not None:
            what = f"the connection could not start on {path.name}: {error.strerror or error}"
            request.problems.append((what, "another path took its place"))

    @staticmethod
    def _choice(request: Request, paths: Sequence[Path]) -> Path | None:
        try:
            view = request.strategy.connect_on([PathView(path.name) for path in paths])
            name = None if view is None else view.name
        except Exception as error:  # whatever a user's strategy raises
            who = f"connect_on of the strategy {request.strategy.name!r}"
            what = f"{who} ended with {type(error).__name__}: {error}"
            request.problems.append((what, "the system chose where the connection starts"))
            return None
        chosen = next((path for path in paths if path.name == name), None)
        if name is not None and chosen is None:
            what = f"the connection could not start on {name}, which doesn't reach the server"
            request.problems.append((what, "another path took its place"))
        return chosen
