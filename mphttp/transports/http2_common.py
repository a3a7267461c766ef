"""What an HTTP/2 connection knows of itself, whether it blocks or not; see http2.py."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from mphttp.engine import Exchange
from mphttp.network.stream import AsyncMultipathStream, MultipathStream

from .fields import Headers
from .host import Host
from .http2_errors import Ended, Unsendable
from .multiplex import Multiplex
from .protocols import Request as CoreRequest
from .protocols import Response as CoreResponse
from .protocols import Stream
from .retry import can_be_sent_again

_READ = _WRITE = 131072
"""Bytes that are read, or written, at once."""
_CAUGHT_UP = 16
"""How often is read at most before a request, so that a flood doesn't keep it from being sent."""
_MOST_TRIES = 5
"""How often a request is sent; curl's number."""
_TRIES = "mphttp.tries"


class HTTP2:
    """What both kinds of connection know of themselves.

    Args:
        stream: connected.
        host: whose exceptions are raised.
        keepalive_expiry: seconds for which it may be idle, or None for no limit.
    """

    _stream: MultipathStream | AsyncMultipathStream

    def __init__(
        self,
        stream: MultipathStream | AsyncMultipathStream,
        host: Host,
        keepalive_expiry: float | None,
    ) -> None:
        self._host = host
        self._core = host.httpcore
        self._keepalive_expiry = keepalive_expiry
        self._expire_at: float | None = None
        self._closed = False
        self._begun = False
        self._requests = 0
        self._pumping = False  # whether somebody reads and sends for all
        self._multiplex = multiplex = Multiplex()
        if (connection := stream.get_extra_info("connection")) is not None:
            connection.outgoing.held = lambda: len(multiplex.out)

    def _open(self, request: CoreRequest) -> int:
        if not self._begun:
            self._begun = True
            self._multiplex.begin()
        url = request.url
        number = self._multiplex.open(request.method, url.scheme, url.target, request.headers)
        self._expire_at = None
        self._requests += 1
        return number

    def _forget(self, number: int) -> None:
        self._multiplex.forget(number)
        if self._multiplex.streams.idle and self._keepalive_expiry is not None:
            self._expire_at = time.monotonic() + self._keepalive_expiry

    def _write(self) -> bool:
        """Send what can be sent without waiting; for the rest there is who waits for all.

        Returns:
            Whether that made room for more.
        """
        out, made_room = self._multiplex.out, False
        try:
            while out:
                size = self._stream.write_now(bytes(memoryview(out)[:_WRITE]))
                if not size:
                    self._wake()
                    break
                made_room = True
                self._multiplex.sent(size)
        except self._core.WriteError:  # what came before may be an answer
            self._multiplex.deafen()
            made_room = True
        return made_room

    def _send_now(self, number: int, left: memoryview, asked: Asked) -> int | None:
        """Write of a body what can be; return how much, as `Multiplex.send` does."""
        size = self._multiplex.send(number, left)
        if size:
            asked.wrote(size)
        return size

    def _wake(self) -> None:
        """Let whoever waits for all look again what there is to be done."""
        raise NotImplementedError

    def _read(self) -> bytes | Ended | None:
        """Return what is there, for `_take`; None where there is nothing."""
        try:
            return self._stream.read_now(_READ)
        except self._core.ReadError as error:
            return Ended(str(error), lost=True, broken=True)

    def _take(self, came: bytes | Ended) -> None:
        if isinstance(came, Ended):
            self._multiplex.fail(came)
        else:
            self._multiplex.receive(came, time.monotonic())

    def _catch_up(self) -> None:
        """Record what came while nobody read, such as the server's GOAWAY."""
        for _ in range(_CAUGHT_UP):
            if self._pumping or not self.is_idle() or (came := self._read()) is None:
                break
            self._take(came)
        if not self.is_available():
            raise self._core.ConnectionNotAvailable

    def _room(self) -> bool | None:
        return self._multiplex.streams.room or not self.is_available() or None

    def _opened(self, request: CoreRequest) -> int:
        if not self.is_available():
            raise self._core.ConnectionNotAvailable
        try:
            return self._open(request)
        except Ended as error:
            raise self._core.ConnectionNotAvailable from error

    def _response(self, head: tuple[int, Headers], number: int, body: Stream) -> CoreResponse:
        status, headers = head
        stream = self._multiplex.streams.by_number.get(number)
        return self._host.core.Response(
            status=status,
            headers=headers,
            content=body,
            extensions={
                "http_version": b"HTTP/2",
                "raw_trailers": [] if stream is None else stream.trailers,
                "network_stream": self._stream,
                "stream_id": number,
                "body": body,
            },
        )

    @contextlib.contextmanager
    def _errors(self, asked: Asked | None = None) -> Iterator[None]:
        """Raise the core's exceptions; the pool sends again what was `asked` if that is safe."""
        try:
            yield
        except Ended as error:
            if asked is not None and asked.may_be_sent_again(error, self._host):
                raise self._core.ConnectionNotAvailable from error
            kind = self._core.ReadError if error.broken else self._core.RemoteProtocolError
            raise kind(str(error)) from error
        except Unsendable as error:
            raise self._core.LocalProtocolError(str(error)) from error

    def not_ours(self, why: str) -> Exception:
        """Return what is raised where a body can't be read in this process."""
        error: Exception = self._core.ReadError(why)
        return error

    def can_multiplex(self) -> bool:
        """Whether several requests can be under way at once."""
        return True

    def is_available(self) -> bool:
        """Whether it can take a request."""
        return not (self._closed or self._multiplex.leaving)

    def has_expired(self) -> bool:
        """Whether it was idle for too long, or has come to its end."""
        if self.is_idle() and (self._multiplex.leaving or self._stream.is_stranded()):
            return True
        return self._expire_at is not None and time.monotonic() > self._expire_at

    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._closed and self._begun and self._multiplex.streams.idle

    def is_closed(self) -> bool:
        """Whether it is of no use any more."""
        return self._closed

    def info(self) -> str:
        """Say it in a few words, as httpcore's connections do."""
        state = "CLOSED" if self._closed else "IDLE" if self.is_idle() else "ACTIVE"
        return f"HTTP/2, {state}, Request Count: {self._requests}"


class Asked:
    """A request, and whether it may be sent once more.

    Args:
        request: the core's.
        kept: whether it is sent over a connection that has brought a response before.
    """

    def __init__(self, request: CoreRequest, *, kept: bool) -> None:
        self.request = request
        self.begun = False  # whether something of its body was taken
        self.exchange: Exchange | None = None
        self._kept = kept

    def wrote(self, size: int) -> None:
        """Record that bytes of its body are on their way."""
        if self.exchange is not None:
            self.exchange.wrote(size)

    def complete(self) -> None:
        """Record that all of it is."""
        if self.exchange is not None:
            self.exchange.complete()

    def may_be_sent_again(self, error: Ended, host: Host) -> bool:
        """Return whether another connection may be asked (RFC 9110, 9.2.2; RFC 9113, 8.7)."""
        tries = self.request.extensions.get(_TRIES, 1)
        if tries >= _MOST_TRIES or not (error.untouched or (error.lost and self._kept)):
            return False
        unread = error.untouched and not self.begun
        if not unread and not can_be_sent_again(self.request, host, untouched=error.untouched):
            return False
        self.request.extensions[_TRIES] = tries + 1
        return True
