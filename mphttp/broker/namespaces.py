"""The network namespaces that are served: the broker's own, and those that it may enter."""

from __future__ import annotations

import os
import socket
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .descriptor import namespace_cookie, namespace_of
from .linux import enter_network
from .namespace import Namespace


@dataclass(slots=True)
class _Entered:
    """A namespace that isn't the broker's own, for as long as somebody has a use for it."""

    namespace: Namespace
    descriptor: int
    users: set[Hashable] = field(default_factory=set)


class Namespaces:
    """Finds the namespace of a connection; entering others needs CAP_SYS_ADMIN.

    Args:
        enter: whether others than the own are served.
        room: how many others one client may use.
    """

    def __init__(self, *, enter: bool, room: int) -> None:
        self.own = Namespace()
        with socket.socket() as here:
            self._cookie = namespace_cookie(here)
        self._home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._enter = enter
        self._room = room
        self._others: dict[int, _Entered] = {}

    def find(self, sock: socket.socket, client: Hashable) -> Namespace | None:
        """Find the namespace that a socket belongs to; None where it is out of reach.

        Args:
            sock: an IP socket.
            client: who uses it until `leave`.
        """
        cookie = namespace_cookie(sock)
        if cookie == self._cookie:
            return self.own
        if not self._enter:
            return None
        entered = self._others.get(cookie)
        if entered is None or client not in entered.users:
            if sum(client in other.users for other in self._others.values()) >= self._room:
                return None
            entered = entered or self._make(sock, cookie)
        if entered is None:
            return None
        entered.users.add(client)
        return entered.namespace

    @contextmanager
    def inside(self, namespace: Namespace) -> Iterator[None]:
        """Be in a namespace, for what acts where its thread is."""
        entered = (e for e in self._others.values() if e.namespace is namespace)
        there = next(entered, None)
        if there is None:
            yield
            return
        enter_network(there.descriptor)
        try:
            yield
        finally:
            enter_network(self._home)

    def leave(self, client: Hashable) -> list[Namespace]:
        """Let go of what a client used; return the namespaces that nobody uses any more."""
        left = []
        for cookie, entered in list(self._others.items()):
            entered.users.discard(client)
            if not entered.users:
                left.append(entered.namespace)
                os.close(entered.descriptor)
                del self._others[cookie]
        return left

    def _make(self, sock: socket.socket, cookie: int) -> _Entered | None:
        try:
            descriptor = namespace_of(sock)
        except OSError:  # it belongs to a user namespace where the broker is nobody
            return None
        try:
            enter_network(descriptor)
            try:
                self._others[cookie] = _Entered(Namespace(), descriptor)
            finally:
                enter_network(self._home)
        except OSError:  # KernelError, too
            os.close(descriptor)
            return None
        return self._others[cookie]
