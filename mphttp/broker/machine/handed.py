"""Connections that rules gave a strategy: the engine runs it, as for a client's own."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from mphttp.kernel.errors import KernelError
from mphttp.kernel.events import Event, ListenerClosed, ListenerCreated, Overflow
from mphttp.kernel.interfaces.honoured import is_honoured, look_after
from mphttp.kernel.path_manager.control import PathManager
from mphttp.kernel.reading.listing import SocketLister
from mphttp.kernel.values import FourTuple, Path

from ..namespace import Namespace
from .calls import Hand

if TYPE_CHECKING:
    from .seen import SeenConnection


class _Manager:
    """The path manager, which opens nothing that would leave by another interface."""

    def __init__(self, namespace: Namespace) -> None:
        self.request, self.announced = namespace.request, namespace.announced
        self.denied, self.misled = namespace.denied, namespace.misled

    def heeds_opens(self) -> bool:
        return is_honoured()

    def strayed(self, opened: FourTuple, path: Path) -> KernelError | None:
        return look_after(opened, path)


class Handed:
    """All connections that have a rule.

    Args:
        lister: reads them.
        log: takes one line.
    """

    def __init__(self, lister: SocketLister, log: Callable[[str], None]) -> None:
        self._lister = lister
        self._log = log
        self._connections: dict[int, SeenConnection] = {}

    def has(self, token: int) -> bool:
        """Tell whether a connection has one."""
        return token in self._connections

    def take(self, hand: Hand, namespace: Namespace) -> None:
        """Give a connection the strategy of its rule; what goes wrong is logged."""
        from .seen import SeenConnection, SeenReader  # and the engine, only where there are rules

        manager: PathManager = _Manager(namespace)
        remote = hand.pair.remote
        who = f"{hand.rule.strategy.name} for a connection to {remote.host} port {remote.port}"
        try:
            reader = SeenReader(self._lister, hand.token)

            def told(problem: str) -> None:
                self._log(f"{who}: {problem}")

            seen = SeenConnection(reader, hand.pair, hand.rule, manager, told=told)
            self._connections[hand.token] = seen
            seen.start()
        except KernelError as error:  # it has ended
            self._log(f"{who}: {error}")
            self._connections.pop(hand.token, None)
            return
        self._log(who)

    def end(self, token: int) -> None:
        """Let a connection be over, or a client's own to look after."""
        seen = self._connections.pop(token, None)
        if seen is not None:
            seen.end()

    def end_all_but(self, tokens: Collection[int]) -> None:
        """Let those be over that there aren't any more."""
        for token in [token for token in self._connections if token not in tokens]:
            self.end(token)

    def on_event(self, event: Event, now: float) -> None:
        """Pass on what the kernel told of a connection."""
        if isinstance(event, ListenerCreated | ListenerClosed | Overflow):
            return
        seen = self._connections.get(event.token)
        if seen is not None:
            seen.on_event(event, now)
            seen.engine.wake(seen)
