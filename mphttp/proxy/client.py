"""One client of a proxy, from its first byte to its last."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import h11

from mphttp.network.channel_async import AsyncChannel
from mphttp.network.dialogue import hold_async
from mphttp.network.proxy import Refused
from mphttp.network.time_limit import TimeLimit
from mphttp.report import Report
from mphttp.tunnel import Place, Tunnel, place_of
from mphttp.tunnel.flow import Flow, Pipes
from mphttp.tunnel.pump import pump

from . import socks5
from .destinations import is_loopback
from .forward import Forwarding
from .limits import Limits
from .messages import Forwarded, Refusal, own_answer, understood
from .target import Target
from .users import Users
from .way_out import NotAllowed, WayOut

_AT_ONCE = 16384
_WRONG_PASSWORD = 1.0
"""Seconds until that is answered, so that guessing takes long."""


@dataclass
class Shared:
    """What all clients of a proxy share.

    Args:
        way_out: opens tunnels.
        limits: of time and number.
        users: who may use it, or None for everybody who can connect.
        fixed: where every connection leads, of a port that is forwarded; None asks the client.
        log: takes a line.
        told: takes the report of each tunnel, at its end.
        pseudonym: the proxy's name in Via fields.
        pipes: for what is on its way.
    """

    way_out: WayOut
    limits: Limits
    users: Users | None
    fixed: Target | None
    log: Callable[[str], None]
    told: Callable[[Report], None]
    pseudonym: bytes
    pipes: Pipes


class Client:
    """A client.

    Args:
        sock: connected to it; whoever made the client closes it.
        place: where it is.
        shared: what all share.
        on_ready: is called once it has said where it wants to go.

    Attributes:
        taken_at: where it has reached the proxy.
        target: where it wants to go, once that is known.
        tunnel: what it is connected to, or None.
    """

    def __init__(
        self,
        sock: socket.socket,
        place: Place,
        shared: Shared,
        on_ready: Callable[[], None],
    ) -> None:
        self.sock = sock
        self.place = place
        self.taken_at = place_of(sock.getsockname())
        self.target: Target | None = None
        self.tunnel: Tunnel | None = None
        self._shared = shared
        self._on_ready = on_ready
        self._channel = AsyncChannel(sock)
        self._local = is_loopback(place[0])

    async def serve(self) -> None:
        """Do what the client asks for; errors are its own affair."""
        shared, limit = self._shared, TimeLimit(self._shared.limits.handshake)
        with suppress(OSError, EOFError):
            if shared.fixed is not None:
                self._on_ready()
                await self._join(await self.open(shared.fixed), b"")
                return
            first = await self._channel.receive(_AT_ONCE, limit.require())
            if first[:1] == bytes((socks5.VERSION,)):
                await self._socks(first, limit)
            elif first[:1].isalpha():
                await self._http(first, limit)
            elif first:
                self.log("what came is neither HTTP nor SOCKS5")

    def log(self, words: str) -> None:
        """Write a line about this client."""
        where = f" to {self.target}" if self.target is not None else ""
        self._shared.log(f"{self.place[0]} port {self.place[1]}{where}: {words}")

    async def open(self, target: Target) -> Tunnel:
        """Connect to a target.

        Raises:
            OSError: that can't be done, or may not be.
            Refused: the proxy on the way doesn't.
        """
        self.target = target
        try:
            if (self.place, self.taken_at) in self._shared.way_out.own:
                raise NotAllowed(errno.ELOOP, "that leads back to the proxy itself")
            tunnel = await self._shared.way_out.open(target, local_client=self._local)
        except (OSError, Refused) as error:
            self.log(f"no connection: {getattr(error, 'strerror', None) or error}")
            raise
        self.tunnel = tunnel
        self.log(f"connected over {tunnel.report.protocol}")
        return tunnel

    # SOCKS5.

    async def _socks(self, first: bytes, limit: TimeLimit) -> None:
        users = self._shared.users
        try:
            asked = await hold_async(
                socks5.asked(None if users is None else users.know, first),
                lambda: self._channel.receive(_AT_ONCE, limit.require()),
                lambda data: self._channel.send(data, limit.require()),
            )
        except socks5.Garbage as error:
            self.log(str(error))
            if isinstance(error, socks5.WrongPassword):
                await asyncio.sleep(_WRONG_PASSWORD)
            await self._channel.send(error.answer, limit.require())
            return
        self._on_ready()
        try:
            tunnel = await self.open(asked.target)
        except (OSError, Refused) as error:
            await self._channel.send(socks5.reply(_code(error)), self._shared.limits.handshake)
            return
        host, port = tunnel.sock.getsockname()[:2]
        await self._join(tunnel, asked.ahead, socks5.reply(socks5.Reply.SUCCEEDED, host, port))

    # HTTP.

    async def _http(self, first: bytes, limit: TimeLimit) -> None:
        talk = h11.Connection(h11.SERVER)
        talk.receive_data(first)
        shared = self._shared
        async with Forwarding(
            talk, self._channel, self, shared.limits, shared.pseudonym
        ) as forwarding:
            while True:
                try:
                    asked = await self._request(talk, forwarding, limit)
                    if asked is None:
                        return
                    self._on_ready()
                    if asked.tunnel:
                        await self._connect(talk, asked.target)
                        return
                    if not await forwarding.forward(asked):
                        return
                except Refusal as error:
                    await self._refuse(talk, error)
                    return
                limit = TimeLimit(self._shared.limits.idle)

    async def _request(
        self, talk: h11.Connection, forwarding: Forwarding, limit: TimeLimit
    ) -> Forwarded | None:
        try:
            event = await forwarding.next_of_client(limit)
        except TimeoutError:
            if talk.their_state is h11.IDLE and not talk.trailing_data[0]:
                return None  # it said nothing, and is told nothing
            raise Refusal(408, "the request took too long") from None
        if not isinstance(event, h11.Request):
            return None
        users = self._shared.users
        if users is not None:
            given = [v for name, v in event.headers if name == b"proxy-authorization"]
            if len(given) > 1 or not users.authorized(next(iter(given), None)):
                if given:
                    await asyncio.sleep(_WRONG_PASSWORD)
                raise Refusal(407, "a user and a password are asked for")
        return understood(event, self._shared.pseudonym)

    async def _connect(self, talk: h11.Connection, target: Target) -> None:
        tunnel = await self.opened(target)
        while talk.next_event() not in (h11.PAUSED, h11.NEED_DATA):
            pass  # the end of the request, which has no body
        granted = talk.send(
            h11.Response(status_code=200, headers=[], reason=b"Connection established")
        )
        await self._join(tunnel, talk.trailing_data[0], granted or b"")

    async def opened(self, target: Target) -> Tunnel:
        """Connect to a target.

        Raises:
            Refusal: that can't be done.
        """
        try:
            return await self.open(target)
        except (OSError, Refused) as error:
            raise _refusal(error) from error

    async def _refuse(self, talk: h11.Connection, error: Refusal) -> None:
        self.log(f"refused: {error.what}")
        if talk.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        response, body = own_answer(error.status, error.what)
        data = [talk.send(response), talk.send(h11.Data(data=body)), talk.send(h11.EndOfMessage())]
        limit = TimeLimit(self._shared.limits.handshake)
        await self._channel.send(b"".join(part or b"" for part in data), limit.require())
        with suppress(OSError):  # let it read that, before a reset takes it away
            self.sock.shutdown(socket.SHUT_WR)
            for _ in range(64):
                if not await self._channel.receive(65536, min(limit.require() or 0, 1.0)):
                    break

    # Tunnels.

    async def _join(self, tunnel: Tunnel, ahead: bytes, granted: bytes = b"") -> None:
        """Move bytes until both sides have ended.

        Args:
            tunnel: to the target.
            ahead: what the client has sent for it already.
            granted: what the client is told first.
        """
        pipes, whole = self._shared.pipes, False
        flows = (
            Flow(self.sock, tunnel.sock, pipes, ahead=ahead, on_moved=tunnel.sent),
            Flow(
                tunnel.sock,
                self.sock,
                pipes,
                ahead=tunnel.ahead,
                on_moved=tunnel.received,
                is_whole=tunnel.is_whole,
            ),
        )
        try:
            if granted:
                await self._channel.send(granted, self._shared.limits.handshake)
            await pump(flows, half_closed=self._shared.limits.half_closed)
            whole = True
        except OSError as error:
            self.log(f"broken: {error.strerror or error}")
            reset_on_close(self.sock)  # so that it isn't taken for the end of what came
        finally:
            self.end(tunnel, whole=whole)

    def end(self, tunnel: Tunnel, *, whole: bool) -> None:
        """Close a tunnel, and tell of it."""
        self._shared.way_out.close(tunnel, whole=whole)
        self.tunnel = None
        self._shared.told(tunnel.report)


def reset_on_close(sock: socket.socket) -> None:
    """Let the peer see that a connection broke when it is closed."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


_CODES = {
    errno.EACCES: socks5.Reply.NOT_ALLOWED,
    errno.ELOOP: socks5.Reply.NOT_ALLOWED,
    errno.ECONNREFUSED: socks5.Reply.REFUSED,
    errno.ENETUNREACH: socks5.Reply.NETWORK_UNREACHABLE,
    errno.EHOSTUNREACH: socks5.Reply.HOST_UNREACHABLE,
}


def _code(error: OSError | Refused) -> socks5.Reply:
    if isinstance(error, TimeoutError | socket.gaierror):
        return socks5.Reply.HOST_UNREACHABLE
    return _CODES.get(getattr(error, "errno", None) or 0, socks5.Reply.FAILURE)


def _refusal(error: OSError | Refused) -> Refusal:
    what = getattr(error, "strerror", None) or str(error)
    if isinstance(error, NotAllowed):
        return Refusal(508 if error.errno == errno.ELOOP else 403, what)
    if isinstance(error, TimeoutError):
        return Refusal(504, "no answer in time")
    return Refusal(502, what)
