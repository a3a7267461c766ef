"""Takes clients in one event loop, as many as the limits allow."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

import anyio

from mphttp.report import Report
from mphttp.tunnel import Place, place_of
from mphttp.tunnel.flow import Pipes

from .client import Client, Shared
from .limits import Clients, Limits
from .target import Target
from .telling import Tunnelled, tell
from .users import Users
from .way_out import WayOut

_ACCEPTS = 64
"""In one turn."""
_PAUSE = 0.2
"""Seconds, while there are no descriptors or no memory."""
_KEEPALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
)
"""A client that is gone is noticed after two minutes."""


class Server:
    """A proxy, or a port that is forwarded.

    Args:
        way_out: opens tunnels.
        limits: of time and number.
        users: who may use it, or None for everybody who can connect.
        fixed: where every connection leads; None asks the client.
        log: takes a line.
        told: takes the report of each tunnel, at its end.
    """

    def __init__(
        self,
        way_out: WayOut,
        limits: Limits | None = None,
        *,
        users: Users | None = None,
        fixed: Target | None = None,
        log: Callable[[str], None] = lambda _: None,
        told: Callable[[Report], None] = lambda _: None,
    ) -> None:
        limits = limits or Limits()
        name = f"mphttp-{secrets.token_hex(4)}".encode()
        self._shared = Shared(way_out, limits, users, fixed, log, told, name, Pipes())
        self._clients: Clients[asyncio.Task[None]] = Clients(limits)
        self._serving: dict[asyncio.Task[None], Client] = {}
        self._full = False

    @property
    def tunnels(self) -> Iterable[Tunnelled]:
        """What clients are connected to."""
        for client in list(self._serving.values()):
            if client.tunnel is not None and client.target is not None:
                local, _ = client.tunnel.ends
                yield Tunnelled(client.place, client.taken_at, client.target, local)

    async def run(self, listeners: Sequence[socket.socket]) -> None:
        """Serve until the task is cancelled.

        Args:
            listeners: listening sockets, closed by whoever made them.
        """
        self._shared.way_out.listen_at(tuple(place_of(s.getsockname()) for s in listeners))
        telling = await tell(lambda: self.tunnels)
        accepting = [asyncio.ensure_future(self._accept(listener)) for listener in listeners]
        try:
            await asyncio.gather(*accepting)
        finally:
            if telling is not None:
                telling.close()
            everything = [*accepting, *self._serving]
            for task in everything:
                task.cancel()
            await asyncio.gather(*everything, return_exceptions=True)
            self._shared.pipes.close()

    async def _accept(self, listener: socket.socket) -> None:
        listener.setblocking(False)
        while True:
            await anyio.wait_readable(listener)
            try:
                for _ in range(_ACCEPTS):
                    sock, address = listener.accept()
                    self._take(sock, place_of(address))
            except BlockingIOError:
                await asyncio.sleep(0)
            except OSError as error:  # no descriptor, no memory, or the client went meanwhile
                self._shared.log(f"no client can be taken now: {error.strerror}")
                await asyncio.sleep(_PAUSE)

    def _take(self, sock: socket.socket, place: Place) -> None:
        if not self._clients.may_enter(place[0]):
            if not self._full:
                self._shared.log(f"{place[0]}: there are too many connections")
            self._full = True
            sock.close()
            return
        self._full = False
        for option in _KEEPALIVE:
            with suppress(OSError):
                sock.setsockopt(*option)
        client = Client(sock, place, self._shared, lambda: self._clients.ready(task))
        task = asyncio.create_task(self._serve(client))
        self._serving[task] = client
        stale = self._clients.enter(place[0], task)
        if stale is not None:
            stale.cancel()
        task.add_done_callback(self._left)

    async def _serve(self, client: Client) -> None:
        try:
            await client.serve()
        except Exception as error:  # a fault of ours must not end everybody's connections
            client.log(f"mphttp itself failed with {type(error).__name__}: {error}")

    def _left(self, task: asyncio.Task[None]) -> None:
        client = self._serving.pop(task)
        self._clients.leave(client.place[0], task)
        client.sock.close()
