"""Which clients are told of the events of which connections."""

from __future__ import annotations

import time

from .namespace import Namespace
from .service import Client
from .users import Users

Watched = tuple[Namespace, int]
"""Where a connection is, and its token."""


class Watchers:
    """The clients of each connection that is watched.

    Args:
        users: whose shares count what they watch.
    """

    def __init__(self, users: Users) -> None:
        self._users = users
        self._clients: dict[Watched, set[Client]] = {}

    def add(self, client: Client, watched: Watched) -> None:
        """Let a client be told; twice does the same as once."""
        if watched not in client.watched:
            client.watched.add(watched)
            self._users.find(client.user, time.monotonic()).watched += 1
            self._clients.setdefault(watched, set()).add(client)

    def remove(self, client: Client, watched: Watched) -> None:
        """Tell a client no more."""
        client.watched.discard(watched)
        self._users.find(client.user, time.monotonic()).watched -= 1
        clients = self._clients[watched]
        clients.discard(client)
        if not clients:
            del self._clients[watched]

    def of(self, watched: Watched) -> list[Client]:
        """Return who is told of a connection."""
        return list(self._clients.get(watched, ()))
