"""What comes over a socket, with the body of one response counted as it comes.

Whatever way a body is read (`read`, `read1`, `readinto`, or urllib3's chunks, which it takes from
under `http.client`), it comes through the raw file below the buffer: one place to count in, once a
system call. What frames a chunked body comes through `readline`, once a chunk.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from mphttp.engine import Connection, Exchange, Request
from mphttp.engine.request import current_request
from mphttp.network.framing import MOST_FRAMES
from mphttp.network.tls import is_cut
from mphttp.report import Report

from .early import Early
from .framing import Framing
from .patience import Patience

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from mphttp.ranges.sharing import Shared

    from .joined import Joined

_BUFFER = 64 * 1024
"""Bytes that one system call can bring; the usual 8 KiB take eight of them."""
_MOST_INTERIM = 100
"""Interim responses before the response itself; more is a server that would never answer."""
_START = b"HTTP/"
"""What every response begins with (RFC 9112, section 4)."""
_AT_ONCE = 1 << 20
"""Bytes for which there is room before any of them is there."""
_END_OF_LINE = 2
"""Bytes."""
_LONGEST_LINE = 65536
"""Bytes, as `http.client` has it; what urllib3 reads by itself has no limit."""


class Body(io.RawIOBase):
    """The raw file of one response: its head, then its body, which an exchange counts.

    Args:
        raw: keeps the socket open until it is closed.
        receive: the socket's `recv_into`.
        connection: what the engine knows the socket by.
        patience: with heads and the like.

    Attributes:
        framing: where in what comes the body is.
        surplus: bytes that came after the body, or weren't read: none of the next response's.
    """

    def __init__(
        self,
        raw: io.RawIOBase,
        receive: Callable[[WriteableBuffer], int],
        connection: Connection,
        patience: Patience,
    ) -> None:
        self.framing = Framing()
        self.surplus = 0
        self._patience: Patience | None = patience
        self._start = b""
        self._seen = 0
        self._raw = raw
        self._receive = receive
        self._connection = connection
        self._exchange: Exchange | None = None
        self._is_last = False
        self._came = 0
        self._joined: Joined | None = None

    def join(self, joined: Joined) -> None:
        """Record that others help to bring the body.

        Args:
            joined: gives it in the socket's place.
        """
        self._joined = joined
        self._receive = joined.receive
        self._patience = None  # it has its own

    def begin(self, *, chunked: bool, until_closed: bool) -> None:
        """Record that the head is over (`Framing.begin`)."""
        self.framing.begin(chunked=chunked, until_closed=until_closed)
        if self._patience is not None:
            self._patience.renew()

    def watch(self, exchange: Exchange, length: int | None, head: int) -> None:
        """Count the body from here on; `count` is to follow.

        Args:
            exchange: takes the counts.
            length: bytes of the body, or None.
            head: bytes that came before the body.
        """
        self._exchange = exchange
        self.framing.follows(head, length)

    def count(self) -> None:
        """Count what came of the body.

        Raises:
            StrategyProblem: the transfer is strict, and something doesn't work.
        """
        exchange = self._exchange
        if exchange is None:
            return
        exchange.received = self.framing.body(self._came)
        if exchange.received >= self.framing.length:
            # The last byte is here, whenever it is asked for: then it's too late for an error.
            self._exchange = None
            self.framing.chunked = False
            exchange.finish(whole=True)
            if self._joined is not None:
                self._joined.end()
                self._joined = None
            exchange.check()
        elif exchange.received >= exchange.threshold:
            exchange.crossed()

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        came = self._received(buffer)
        self._came += came
        if not self.framing.begun:
            self._check_start(buffer, came)
        elif self.framing.trailers(self._came) > MOST_FRAMES + _BUFFER:
            raise http.client.HTTPException("the trailers are too long")
        elif self.framing.in_body:
            if came == 0:
                self.framing.ended(self._came)
            self.count()
        return came

    def _received(self, buffer: WriteableBuffer) -> int:
        try:
            if self._patience is None:
                return self._receive(buffer)
            if self._progressed():
                self._patience.renew()
            return self._patience.receive(self._receive, buffer)
        except ssl.SSLError as error:
            if not is_cut(error):
                raise
            if self.framing.until_closed:  # RFC 9112, section 9.8
                words = "peer closed connection without TLS close_notify: the body may be cut short"
                raise ConnectionResetError(words) from error
            return 0

    def _progressed(self) -> bool:
        """Return whether more of the body is there than at the last time."""
        if not self.framing.in_body:
            return False
        before, self._seen = self._seen, self._exchange.received if self._exchange else self._came
        return self._seen > before

    def _check_start(self, buffer: WriteableBuffer, came: int) -> None:
        """Look at how a head starts: a server of another protocol may wait for us now."""
        if len(self._start) < len(_START):
            self._start += bytes(memoryview(buffer)[:came])
            if not _START.startswith(self._start[: len(_START)]):
                raise http.client.BadStatusLine(repr(self._start[:40]))

    def cuts_head(self, line: bytes) -> bool:
        """Tell whether the connection ended with this line of a head, before the empty one."""
        return not self.framing.begun and self._came > 0 and not line.endswith(b"\n")

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
        """Record that nobody else needs the connection: it ends with this body."""
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
        most = _LONGEST_LINE + 1 if size is None or size < 0 else size
        line = super().readline(most)
        if len(line) > _LONGEST_LINE:
            raise http.client.LineTooLong("line")
        if self._body.cuts_head(line):  # which `http.client` takes for its end
            raise http.client.HTTPException("peer closed connection in the middle of a head")
        if self._body.framing.chunked and line:  # else the connection has ended, as the reader sees
            self._body.framing.begin_chunk(line, self.tell())
            self._body.count()
        return line

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _AT_ONCE:
            return self._read_in_pieces(size)
        data = super().read(size)
        if size == _END_OF_LINE and self._body.framing.chunked:
            self._body.framing.check_end(data, self.tell())
        return data

    def _read_in_pieces(self, size: int) -> bytes:
        """Read as much; the memory for it isn't taken at a server's word, but as it comes."""
        pieces, left = [], size
        while left and (piece := super().read(min(left, _AT_ONCE))):
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)

    def close(self) -> None:
        if not self.closed:
            self._body.surplus = self._body.tell() - self.tell()
        super().close()


class Response(http.client.HTTPResponse):
    """A response whose body is counted.

    Args:
        sock: where it comes from.
        connection: what the engine knows the socket by.
        share: lets others help to bring a response, or returns None.
        let_go: closes the socket as far as the connection has it.
        early: what came while the request left.
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
        *,
        early: Early,
        debuglevel: int = 0,
        method: str | None = None,
        url: str | None = None,
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        receive = early.before(sock.recv_into)
        self.body = Body(self.fp.detach(), receive, connection, Patience(sock))
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
        until_closed = self.length is None and not self.chunked
        self.body.begin(chunked=bool(self.chunked), until_closed=until_closed)
        request = current_request()
        exchange = request.exchange if request is not None else None
        if request is not None and exchange is not None:
            self.report = request.report
            shared = self._shared(request)
            self.body.watch(exchange, self.length, self.fp.tell())
            if shared is None:
                exchange.respond(self.status, self.length)
            else:
                shared.respond(exchange, self.status)
            self.body.count()

    def _read_status(self) -> tuple[str, int, str]:
        """Read the status line, of the response itself (RFC 9110, section 15.2)."""
        for _ in range(_MOST_INTERIM + 1):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if status == http.HTTPStatus.SWITCHING_PROTOCOLS or not 100 <= status < 200:
                return version, status, reason
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException(f"more than {_MOST_INTERIM} interim responses came")

    def _shared(self, request: Request) -> Shared | None:
        """Let others help to bring the body, if they can."""
        shared = self._share(self, request)
        if shared is not None:
            ahead = self.fp.peek()
            from .joined import Joined

            self.body.join(Joined(self._sock, shared.assembly, ahead, self._hang_up))
        return shared

    def _hang_up(self) -> None:
        self.body.hang_up(partial(self._let_go, self._sock))


Share = Callable[[Response, Request], "Shared | None"]
