"""Making streams: the socket, and the connection that the engine knows it by."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from mphttp.engine import Connection, engine

from .channel import PlainChannel
from .channel_async import AsyncChannel
from .dial import connect, dial
from .errors import StreamErrors
from .forked import keep_back
from .hosts import SYSTEM, Hosts
from .route import Route
from .socket_types import SocketOption, set_option
from .start import Start
from .stream import AsyncMultipathStream, MultipathStream
from .time_limit import TimeLimit


@dataclass(frozen=True)
class Dialer:
    """Connects the first leg of a route.

    Args:
        errors: the exceptions that are raised.
        path_names: the interfaces that may be used, preferred first, or None for all.
        local_address: IP address to connect from, or None.
        options: arguments of `setsockopt`.
        plain: whether TCP is wanted, not MPTCP.
        hosts: how hosts become addresses.
    """

    errors: StreamErrors
    path_names: tuple[str, ...] | None
    local_address: str | None
    options: tuple[SocketOption, ...]
    plain: bool = False
    hosts: Hosts = SYSTEM

    def told(self, route: Route, timeout: float | None) -> tuple[str, dict[str, object]]:
        """Return how httpcore's traces call connecting, and what they are told of it."""
        limits: dict[str, object] = {"timeout": timeout, "socket_options": self.options}
        if route.uds is not None:
            return "connection.connect_unix_socket", {"path": route.uds, **limits}
        place: dict[str, object] = {
            "host": route.host,
            "port": route.port,
            "local_address": self.local_address,
        }
        return "connection.connect_tcp", {**place, **limits}

    def connect(self, route: Route, limit: TimeLimit) -> MultipathStream:
        """Connect.

        Args:
            route: where to.
            limit: for how long to wait.
        """
        try:
            if route.uds is not None:
                sock = self._connected_unix_socket(route.uds, limit)
                return MultipathStream(PlainChannel(sock), None, self.errors)
            engine.start()  # before the connection, so that none of its events is missed
            sock = dial(
                route.host,
                route.port,
                limit=limit,
                local_address=self.local_address,
                options=self.options,
                start=Start(self.path_names),
                plain=self.plain,
                hosts=self.hosts,
            )
        except OSError as error:
            raise self.failure(error) from error
        return MultipathStream(PlainChannel(sock), self._known(sock), self.errors)

    async def connect_async(self, route: Route, limit: TimeLimit) -> AsyncMultipathStream:
        """Do as `connect` does."""
        from .dial_async import connect_unix_async, dial_async

        try:
            if route.uds is not None:
                sock = await connect_unix_async(self._unix_socket(), route.uds, limit)
                return AsyncMultipathStream(AsyncChannel(sock), None, self.errors)
            engine.start()
            sock = await dial_async(
                route.host,
                route.port,
                limit=limit,
                local_address=self.local_address,
                options=self.options,
                start=Start(self.path_names),
                plain=self.plain,
                hosts=self.hosts,
            )
        except OSError as error:
            raise self.failure(error) from error
        return AsyncMultipathStream(AsyncChannel(sock), self._known(sock), self.errors)

    def _known(self, sock: socket.socket) -> Connection:
        try:
            return Connection(sock, engine, self.path_names)
        except BaseException:
            sock.close()
            raise

    def _connected_unix_socket(self, place: str, limit: TimeLimit) -> socket.socket:
        return connect(self._unix_socket(), place, limit)

    def _unix_socket(self) -> socket.socket:
        sock = keep_back(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        try:
            for option in self.options:
                set_option(sock, option)
        except BaseException:
            sock.close()
            raise
        return sock

    def failure(self, error: OSError) -> Exception:
        """Return what the library raises where connecting failed."""
        late = isinstance(error, TimeoutError)
        kind = self.errors.ConnectTimeout if late else self.errors.ConnectError
        return kind(str(error) or "timed out")
