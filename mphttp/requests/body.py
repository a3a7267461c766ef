"""What comes over a socket, with the body of one response counted as it comes.

Whatever way a body is read (`read`, `read1`, `readinto`, or urllib3's chunks, which it takes from
under `http.client`), it comes through the raw file below the buffer: one place to count in, once a
system call. What frames a chunked body comes through `readline`, once a chunk.
"""

from __future__ import annotations

import http.client
import io
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from mphttp.engine import Connection, Exchange, Request
from mphttp.engine.carrier import Carrier
from mphttp.engine.request import current_request
from mphttp.ranges.carrier import PartsCarrier
from mphttp.report import Report

from .joined import Joined

_BUFFER = 64 * 1024
"""Bytes that one system call can bring; the usual 8 KiB take eight of them."""
_UNKNOWN = sys.maxsize


class Body(io.RawIOBase):
    """The raw file of one response: its head, then its body, which an exchange counts.

    Args:
        raw: keeps the socket open until it is closed.
        receive: the socket's `recv_into`.
        connection: what the engine knows the socket by.
    """

    def __init__(
        self, raw: io.RawIOBase, receive: Callable[[Any], int], connection: Connection
    ) -> None:
        self.chunked = False
        self._raw = raw
        self._receive = receive
        self._connection = connection
        self._exchange: Exchange | None = None
        self._is_last = False
        self._came = 0
        self._not_body = 0  # of what came: the head, and the frames of the chunks so far
        self._part_ends = 0  # where in the body the chunk ends, or all of it where there are none
        self._length = _UNKNOWN
        self._joined: Joined | None = None

    def join(self, joined: Joined) -> None:
        """Take that others help to bring the body.

        Args:
            joined: gives it in the socket's place.
        """
        self._joined = joined
        self._receive = joined.receive

    def watch(self, exchange: Exchange, head: int, *, chunked: bool) -> None:
        """Count the body from here on.

        Args:
            exchange: takes the counts.
            head: bytes that came before the body.
            chunked: whether the body comes in chunks (RFC 9112, section 7.1).

        Raises:
            StrategyProblem: the transfer is strict, and something doesn't work.
        """
        self._exchange = exchange
        if exchange.length is not None:
            self._length = exchange.length
        self.chunked = chunked
        self._not_body = head
        self._part_ends = 0 if chunked else self._length
        exchange.begin()
        self._count(exchange)

    def begin_chunk(self, line: bytes, consumed: int) -> None:
        """Take the line before a chunk; whoever reads it complains if it has no meaning.

        Args:
            line: as it came.
            consumed: bytes that came up to its end.

        Raises:
            StrategyProblem: the transfer is strict, and something doesn't work.
        """
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            return
        self._not_body = consumed - self._part_ends
        self._part_ends += size
        if size == 0:
            self._length = self._part_ends
        if self._exchange is not None:
            self._count(self._exchange)

    def readinto(self, buffer: Any, /) -> int:
        came = self._receive(buffer)
        self._came += came
        if self._exchange is not None:
            if came == 0 and self._part_ends == _UNKNOWN:
                self._length = self._came - self._not_body
            self._count(self._exchange)
        return came

    def _count(self, exchange: Exchange) -> None:
        exchange.received = min(self._came - self._not_body, self._part_ends)
        if exchange.received >= self._length:
            # The last byte is here, whenever it is asked for: then it's too late for an error.
            self._exchange = None
            self.chunked = False
            exchange.finish(whole=True)
            if self._joined is not None:
                self._joined.end()
                self._joined = None
            exchange.check()
        elif exchange.received >= exchange.threshold:
            exchange.crossed()

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._came

    def fileno(self) -> int:
        return self._raw.fileno()

    def hang_up(self, close_socket: Callable[[], None]) -> None:
        """Close the connection under the body, which others bring to its end.

        Args:
            close_socket: lets go of the socket, which this file keeps open, too.
        """

        def close() -> None:
            close_socket()
            self._raw.close()

        self._connection.close(close)

    def be_last(self) -> None:
        """Take that nobody else needs the connection: it ends with this body."""
        self._is_last = True

    def close(self) -> None:
        if self.closed:
            return
        super().close()
        if self._exchange is not None:
            self._exchange.finish(whole=False)
            self._exchange = self._joined = None
        if self._is_last:
            self._connection.close(self._raw.close)
        else:
            self._raw.close()


class BufferedBody(io.BufferedReader):
    """A body's bytes in the sizes that are asked for.

    Args:
        body: where they come from.
    """

    def __init__(self, body: Body) -> None:
        super().__init__(body, _BUFFER)
        self._body = body

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        if self._body.chunked:
            self._body.begin_chunk(line, self.tell())
        return line


class Response(http.client.HTTPResponse):
    """A response whose body is counted.

    Args:
        sock: where it comes from.
        connection: what the engine knows the socket by.
        share: returns what a response comes over if others may help to bring it, or None.
        let_go: closes the socket as far as the connection has it.
        options: as for `http.client.HTTPResponse`.

    Attributes:
        body: the raw file below.
        report: what happens, once the body begins.
    """

    def __init__(
        self,
        sock: socket.socket,
        connection: Connection,
        share: Share,
        let_go: Callable[[socket.socket], None],
        **options: Any,
    ) -> None:
        super().__init__(sock, **options)
        self.body = Body(self.fp.detach(), sock.recv_into, connection)
        self.fp = BufferedBody(self.body)
        self.report: Report | None = None
        self._sock = sock
        self._connection = connection
        self._share = share
        self._let_go = let_go

    @property
    def method(self) -> str:
        """Method of the request."""
        return str(self._method)  # type: ignore[attr-defined]

    def fields(self) -> list[tuple[bytes, bytes]]:
        """Return the header fields as they came."""
        told = self.headers.items()
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in told]

    def begin(self) -> None:
        """Read the head.

        Raises:
            StrategyProblem: the transfer is strict, and something doesn't work.
        """
        super().begin()
        request = current_request()
        if request is not None:
            carrier = self._carrier(request)
            exchange = Exchange(carrier, request, status=self.status, length=self.length)
            self.report = Report(exchange)
            self.body.watch(exchange, self.fp.tell(), chunked=bool(self.chunked))

    def _carrier(self, request: Request) -> Carrier:
        """Return what the response comes over: its connection, or several."""
        shared = self._share(self, request)
        if shared is None:
            return self._connection
        ahead = self.fp.peek()
        self.body.join(Joined(self._sock, shared.assembly, ahead, self._hang_up))
        return shared

    def _hang_up(self) -> None:
        self.body.hang_up(partial(self._let_go, self._sock))


Share = Callable[[Response, Request], PartsCarrier | None]
