"""Making streams: the socket, and the connection that the engine knows it by."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any

from mphttp.engine import Connection, engine
from mphttp.network.channel import PlainChannel
from mphttp.network.channel_async import AsyncChannel
from mphttp.network.dial import SocketOption, connect, dial
from mphttp.network.forked import keep_back
from mphttp.network.hosts import SYSTEM, Hosts
from mphttp.network.start import Start
from mphttp.network.time_limit import TimeLimit

from .host import Host
from .route import Route
from .stream import AsyncMultipathStream, MultipathStream


@dataclass(frozen=True)
class Dialer:
    """Connects the first leg of a route.

    Args:
        host: whose exceptions are raised.
        path_names: the interfaces that may be used, preferred first, or None for all.
        local_address: IP address to connect from, or None.
        options: arguments of `setsockopt`.
        plain: whether TCP is wanted, not MPTCP.
        hosts: how hosts become addresses.
    """

    host: Host
    path_names: tuple[str, ...] | None
    local_address: str | None
    options: tuple[SocketOption, ...]
    plain: bool = False
    hosts: Hosts = SYSTEM

    def told(self, route: Route, timeout: float | None) -> tuple[str, dict[str, Any]]:
        """Return how httpcore's traces call connecting, and what they are told of it."""
        limits = {"timeout": timeout, "socket_options": self.options}
        if route.uds is not None:
            return "connection.connect_unix_socket", {"path": route.uds, **limits}
        place = {"host": route.host, "port": route.port, "local_address": self.local_address}
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
                return MultipathStream(PlainChannel(sock), None, self.host)
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
        return MultipathStream(PlainChannel(sock), self._known(sock), self.host)

    async def connect_async(self, route: Route, limit: TimeLimit) -> AsyncMultipathStream:
        """Do as `connect` does."""
        from mphttp.network.dial_async import connect_unix_async, dial_async

        try:
            if route.uds is not None:
                sock = await connect_unix_async(self._unix_socket(), route.uds, limit)
                return AsyncMultipathStream(AsyncChannel(sock), None, self.host)
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
        return AsyncMultipathStream(AsyncChannel(sock), self._known(sock), self.host)

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
                sock.setsockopt(*option)
        except BaseException:
            sock.close()
            raise
        return sock

    def failure(self, error: OSError) -> Exception:
        """Return what the core raises where connecting failed."""
        kind = "ConnectTimeout" if isinstance(error, TimeoutError) else "ConnectError"
        failure: Exception = getattr(self.host.httpcore, kind)(str(error) or "timed out")
        return failure
