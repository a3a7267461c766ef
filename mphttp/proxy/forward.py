"""Requests for http:// that a proxy reads and forwards, by h11 on both sides."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Protocol, Self

import h11

from mphttp.network.channel import is_readable
from mphttp.network.channel_async import AsyncChannel
from mphttp.network.time_limit import TimeLimit
from mphttp.tunnel import Tunnel

from .limits import Limits
from .messages import Forwarded, Refusal, answer_for_client
from .target import Target

_AT_ONCE = 256 * 1024
_WHY = 1.0
"""Seconds in which an origin that takes no more of a request may say why."""
_IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"))


class Opener(Protocol):
    """Opens and ends tunnels for a client."""

    async def opened(self, target: Target) -> Tunnel:
        """Connect, or raise Refusal."""

    def end(self, tunnel: Tunnel, *, whole: bool) -> None:
        """Close a tunnel."""


class Origin:
    """A connection to an origin.

    Args:
        target: where it leads.
        tunnel: the connection.

    Attributes:
        kept: whether it has brought an answer before.
    """

    def __init__(self, target: Target, tunnel: Tunnel) -> None:
        self.target = target
        self.tunnel = tunnel
        self.channel = AsyncChannel(tunnel.sock)
        self.talk = h11.Connection(h11.CLIENT)
        self.kept = False
        if tunnel.ahead:
            self.talk.receive_data(tunnel.ahead)

    async def send(self, event: h11.Event) -> None:
        """Send a part of a request."""
        data = self.talk.send(event)
        if data:
            await self.channel.send(data, None)
            self.tunnel.sent(len(data))

    async def next_event(self) -> type[h11.NEED_DATA | h11.PAUSED] | h11.Event:
        """Return what comes next of an answer.

        Raises:
            OSError: the connection is broken.
            h11.RemoteProtocolError: the origin speaks no HTTP.
        """
        while (event := self.talk.next_event()) is h11.NEED_DATA:
            came = await self.channel.receive(_AT_ONCE, None)
            self.talk.receive_data(came)
            self.tunnel.received(len(came))
        return event

    @property
    def usable(self) -> bool:
        """Whether it can take another request."""
        idle = self.talk.our_state is h11.IDLE and self.talk.their_state is h11.IDLE
        return idle and not is_readable(self.tunnel.sock)


class Forwarding:
    """Forwards one client's requests; a connection to an origin is kept for its next one.

    Args:
        talk: what the client speaks.
        channel: to the client.
        opener: opens connections.
        limits: of time.
        pseudonym: the proxy's name in Via fields.
    """

    def __init__(
        self,
        talk: h11.Connection,
        channel: AsyncChannel,
        opener: Opener,
        limits: Limits,
        pseudonym: bytes,
    ) -> None:
        self._talk = talk
        self._channel = channel
        self._opener = opener
        self._limits = limits
        self._origin: Origin | None = None
        self._pseudonym = pseudonym

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _: type[BaseException] | None,
        __: BaseException | None,
        ___: TracebackType | None,
    ) -> None:
        self._drop()

    async def next_of_client(
        self, limit: TimeLimit
    ) -> type[h11.NEED_DATA | h11.PAUSED] | h11.Event:
        """Return what the client says next.

        Raises:
            Refusal: it is no HTTP.
            TimeoutError: it took too long.
        """
        try:
            while (event := self._talk.next_event()) is h11.NEED_DATA:
                self._talk.receive_data(await self._channel.receive(_AT_ONCE, limit.require()))
        except h11.RemoteProtocolError as error:
            raise Refusal(error.error_status_hint, f"that is no HTTP: {error}") from error
        return event

    async def forward(self, asked: Forwarded) -> bool:
        """Forward a request and bring back its answer; tell whether another one may come.

        Raises:
            Refusal: there is no answer, and the client was told nothing yet.
            OSError: a connection broke.
        """
        while True:
            origin = await self._connected(asked.target)
            try:
                return await self._exchanged(origin, asked)
            except (OSError, EOFError, h11.RemoteProtocolError) as error:
                self._drop()
                if self._talk.our_state is not h11.SEND_RESPONSE:
                    raise ConnectionError("the origin's answer broke off") from error
                if not (origin.kept and _can_be_sent_again(asked.request)):
                    raise Refusal(502, f"the origin gave no answer: {error}") from error

    async def _connected(self, target: Target) -> Origin:
        origin = self._origin
        if origin is not None and origin.target == target and origin.usable:
            return origin
        self._drop()
        self._origin = Origin(target, await self._opener.opened(target))
        return self._origin

    async def _exchanged(self, origin: Origin, asked: Forwarded) -> bool:
        """Send a request and pass on the answer, at the same time: one may be early."""
        await origin.send(asked.request)
        sending = asyncio.ensure_future(self._request_body(origin))
        try:
            await self._answer(origin, sending)
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError, OSError, EOFError, Refusal, h11.ProtocolError):
                await sending
        return self._next_cycle(origin)

    async def _request_body(self, origin: Origin) -> None:
        if self._talk.their_state is h11.DONE:  # it is sent once more
            await origin.send(h11.EndOfMessage())
            return
        while True:
            event = await self.next_of_client(TimeLimit(self._limits.idle))
            if isinstance(event, h11.Data | h11.EndOfMessage):
                await origin.send(event)
            if isinstance(event, h11.EndOfMessage):
                return
            if isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
                raise EOFError("the client went in the middle of its request")

    async def _answer(self, origin: Origin, sending: asyncio.Future[None]) -> None:
        reading = asyncio.ensure_future(self._pass_on(origin))
        try:
            await asyncio.wait((reading, sending), return_when=asyncio.FIRST_COMPLETED)
            if not reading.done() and (error := sending.exception()) is not None:
                await asyncio.wait((reading,), timeout=_WHY)
                if not reading.done():
                    raise error
            await reading
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError, OSError, EOFError, h11.ProtocolError):
                await reading

    async def _pass_on(self, origin: Origin) -> None:
        while True:
            event = await origin.next_event()
            if isinstance(event, h11.Response | h11.InformationalResponse):
                event = answer_for_client(event, self._pseudonym)
            elif isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
                raise EOFError("it closed the connection")
            data = self._talk.send(event)  # type: ignore[arg-type]
            if data:
                await self._channel.send(data, self._limits.half_closed)
            if isinstance(event, h11.EndOfMessage):
                return

    def _next_cycle(self, origin: Origin) -> bool:
        """Make both sides ready for another request, as far as they are."""
        origin.kept = True
        try:
            origin.talk.start_next_cycle()
        except h11.LocalProtocolError:
            self._drop()
        try:
            self._talk.start_next_cycle()
        except h11.LocalProtocolError:
            return False
        return True

    def _drop(self) -> None:
        origin, self._origin = self._origin, None
        if origin is not None:
            self._opener.end(origin.tunnel, whole=origin.usable)


def _can_be_sent_again(request: h11.Request) -> bool:
    """Tell whether an idle connection's end lets a request be sent once more (RFC 9112, 9.3.1)."""
    names = {bytes(name) for name, _ in request.headers}
    body = names & {b"content-length", b"transfer-encoding"}
    return bytes(request.method) in _IDEMPOTENT and not body
