"""Which connection takes which request, without threads, event loops, sockets or time.

A connection has users: requests that it was given to, from then until they leave, whatever ended
them. One that nobody uses is idle, or it is dropped, so that no place can be lost: neither by a
request that was cancelled before its connection was there, nor by one that ended in between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

from .protocols import Origin


class Connection(Protocol):
    """What places look at of a connection (httpcore.ConnectionInterface)."""

    def can_handle_request(self, origin: Origin) -> bool:
        """Whether requests for an origin may be sent here."""

    def is_available(self) -> bool:
        """Whether it can take a request."""

    def is_connected(self) -> bool:
        """Whether there is a socket."""

    def can_multiplex(self) -> bool:
        """Whether several requests can be under way at once."""

    def has_expired(self) -> bool:
        """Whether it should be closed; asked only of those that nobody uses."""

    def is_idle(self) -> bool:
        """Whether nothing is under way."""

    def is_closed(self) -> bool:
        """Whether it is of no use any more."""


C = TypeVar("C", bound=Connection)


class Place(Generic[C]):
    """A connection, and how many requests it was given to."""

    __slots__ = ("connection", "users")

    def __init__(self, connection: C) -> None:
        self.connection = connection
        self.users = 0

    @property
    def shared(self) -> bool:
        """Whether more than one request can be here; before it is connected, it may turn out."""
        return bool(self.connection.can_multiplex() or not self.connection.is_connected())


class Ticket(Generic[C]):
    """A request that waits for a connection, or has one.

    Args:
        origin: where it wants to go.

    Attributes:
        place: what it was given, or None.
        told: called when it is given one.
    """

    __slots__ = ("origin", "place", "told")

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.place: Place[C] | None = None
        self.told: Callable[[], object] | None = None


class Places(Generic[C]):
    """So many connections at most, and those who wait for them, first come, first served.

    Args:
        make: makes a connection to an origin, which connects when it is first used.
        most: connections at once; None for no limit.
        most_idle: of those, kept while nobody uses them; None for no limit.
    """

    def __init__(
        self, make: Callable[[Origin], C], most: int | None, most_idle: int | None
    ) -> None:
        self._make = make
        self._most = most
        self._most_idle = most_idle
        self._places: list[Place[C]] = []  # the one that was used last is the last
        self._waiting: deque[Ticket[C]] = deque()

    @property
    def connections(self) -> list[C]:
        """The connections there are."""
        return [place.connection for place in self._places]

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._waiting)

    @property
    def used(self) -> int:
        """How many requests have a connection."""
        return sum(place.users for place in self._places)

    def enter(self, ticket: Ticket[C]) -> list[C]:
        """Let a request wait, and give out what there is; return the connections to close."""
        self._waiting.append(ticket)
        return self._give_out()

    def again(self, ticket: Ticket[C]) -> list[C]:
        """Do so with one whose connection couldn't take it after all: it keeps its turn."""
        self._take_back(ticket)
        self._waiting.appendleft(ticket)
        return self._give_out()

    def leave(self, ticket: Ticket[C]) -> list[C]:
        """Let a request go, wherever it is; return the connections to close."""
        if ticket in self._waiting:
            self._waiting.remove(ticket)
        self._take_back(ticket)
        return self._give_out()

    def clear(self) -> list[C]:
        """Forget all connections, and return them; requests that have one can still leave."""
        places, self._places = self._places, []
        return [place.connection for place in places]

    def _take_back(self, ticket: Ticket[C]) -> None:
        place, ticket.place = ticket.place, None
        if place is None:
            return
        place.users -= 1
        if place in self._places:
            self._places.remove(place)
            self._places.append(place)

    def _give_out(self) -> list[C]:
        # Whether an idle one has expired costs a system call, and matters to those who wait alone.
        closing = [*self._swept(expired=bool(self._waiting)), *self._surplus()]
        free = [place for place in reversed(self._places) if self._is_free(place)]
        for ticket in list(self._waiting):
            full = self._most is not None and len(self._places) >= self._most
            if full and not free:
                break
            place = next((p for p in free if p.connection.can_handle_request(ticket.origin)), None)
            if place is None and full:
                idle = next((p for p in reversed(free) if not p.users), None)
                if idle is None:
                    continue
                free.remove(idle)
                self._places.remove(idle)
                closing.append(idle.connection)
            if place is None:
                place = Place(self._make(ticket.origin))
                self._places.append(place)
                free.insert(0, place)
            self._give(place, ticket)
            if not self._is_free(place):
                free.remove(place)
        return closing

    def _give(self, place: Place[C], ticket: Ticket[C]) -> None:
        self._waiting.remove(ticket)
        place.users += 1
        ticket.place = place
        if ticket.told is not None:
            ticket.told()

    @staticmethod
    def _is_free(place: Place[C]) -> bool:
        return bool(place.connection.is_available() and (not place.users or place.shared))

    def _swept(self, *, expired: bool) -> Iterator[C]:
        """Drop what is of no use any more; give what is still to be closed.

        Args:
            expired: whether to look if an idle connection has expired, or ended.
        """
        for place in list(self._places):
            connection = place.connection
            if connection.is_closed():
                self._places.remove(place)
            elif not place.users and (
                not connection.is_idle() or (expired and connection.has_expired())
            ):
                self._places.remove(place)
                yield connection

    def _surplus(self) -> Iterator[C]:
        """Drop what is idle beyond the limit, those first that were so for longest."""
        if self._most_idle is None:
            return
        idle = [place for place in self._places if not place.users]
        for place in idle[: max(0, len(idle) - self._most_idle)]:
            self._places.remove(place)
            yield place.connection
