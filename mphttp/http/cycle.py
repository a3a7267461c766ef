"""One request and its response by HTTP/1.1 (RFC 9112), without their input and output.

h11 writes requests and reads heads. Bodies of responses aren't shown to it: four copies of each
byte are saved, and what a chunk says of its size is checked before a byte of it is given out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import h11

from mphttp.network.framing import fault_of_framing

from .chunks import Chunks

_LONGEST_HEAD = 100 * 1024  # bytes; httpcore's limit
_MOST_INTERIM = 100
"""Interim responses before the response itself; more is a server that would never answer."""
_START = b"HTTP/"
"""What every response begins with (RFC 9112, section 4)."""
_UNTIL_CLOSED = 2**62  # bytes
CONTINUES_WITHIN = 1.0
"""Seconds for which a body waits for "100 Continue"; curl's. No server has to send it to those that
it doesn't know (RFC 9110, 10.1.1)."""


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a response.

    Args:
        version: such as b"HTTP/1.1".
        status: its code.
        reason: its phrase.
        headers: names as they were written, and values.
        switched: whether the connection speaks another protocol from here on (RFC 9110, 7.8).
        raw: all of it as it came, after interim ones, with the empty line at its end.
    """

    version: bytes
    status: int
    reason: bytes
    headers: list[tuple[bytes, bytes]]
    switched: bool
    raw: bytes

    @property
    def spares_body(self) -> bool:
        """Whether a body that waited needn't be sent any more (RFC 9110, 10.1.1)."""
        return self.status >= 300

    @property
    def refuses(self) -> bool:
        """Whether the server doesn't want the request, nor the rest of it (RFC 9112, 9.5)."""
        return self.status >= 400


class ConnectionLost(h11.RemoteProtocolError):
    """The peer ended the connection in the middle of a response.

    Attributes:
        heads: what had come of heads, where the response's own never came.
    """

    heads: bytes = b""


class Cycle:
    """One request and its response.

    Attributes:
        remaining: bytes of the body that are to come as they are; None where it comes in chunks.
        started: whether anything of the response has come.
    """

    def __init__(self, method: bytes) -> None:
        self.remaining: int | None = None
        self.started = False
        self._until_closed = False
        self._proxy_closes = False
        self._method = method
        self._start = b""
        self._heads: list[bytes] = []
        self._interim = 0
        self._chunks: Chunks | None = None
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)

    # The request.

    def request(
        self, target: bytes, headers: Iterable[tuple[bytes, bytes]], *, http10: bool = False
    ) -> bytes:
        """Write the head.

        Args:
            target: what is asked for.
            headers: names and values.
            http10: whether it is written for a server that knows HTTP/1.0 alone.

        Raises:
            h11.LocalProtocolError: it isn't one.
        """
        headers = list(headers)
        if (fault := fault_of_framing(headers)) is not None:
            raise h11.LocalProtocolError(fault)
        event = h11.Request(method=self._method, target=target, headers=headers)
        head = self._h11.send(event) or b""
        return head.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1) if http10 else head

    def data(self, chunk: bytes) -> bytes:
        """Write a part of the body.

        Raises:
            h11.LocalProtocolError: it is longer than the head said.
        """
        return self._h11.send(h11.Data(data=chunk)) or b""

    def end(self) -> bytes:
        """Write the end of the body.

        Raises:
            h11.LocalProtocolError: it is shorter than the head said.
        """
        return self._h11.send(h11.EndOfMessage()) or b""

    @property
    def expects(self) -> bool:
        """Whether the body waits for the server's word (Expect: 100-continue)."""
        return self._h11.client_is_waiting_for_100_continue

    # The response.

    def receive(self, data: bytes) -> None:
        """Receive what came; b"" is the end of the connection.

        Raises:
            ConnectionLost: that was no place to end.
            h11.RemoteProtocolError: it isn't HTTP.
        """
        if not data and self._h11.their_state is h11.SEND_RESPONSE:
            lost = ConnectionLost("Server disconnected without sending a response.")
            lost.heads = b"".join(self._heads)
            raise lost
        self.started = True
        if self._chunks is not None:
            self._receive_chunks(self._chunks, data)
            return
        if len(self._start) < len(_START):
            self._starts(self._start + data)
        if self._h11.their_state is h11.SEND_RESPONSE:
            self._heads.append(data)
        self._h11.receive_data(data)

    def _receive_chunks(self, chunks: Chunks, data: bytes) -> None:
        if not data:
            raise ConnectionLost(
                "peer closed connection without sending complete message body "
                "(its chunks have no end)"
            )
        chunks.receive(data)

    def _starts(self, came: bytes) -> None:
        """Look at how a head starts: a server of another protocol may wait for us now."""
        self._start = came[: len(_START)]
        if not _START.startswith(self._start):
            raise h11.RemoteProtocolError(f"illegal status line: {came[:40]!r}")

    def head(self) -> Head | None:
        """Return the head, or None as long as more of it is to come.

        Raises:
            h11.RemoteProtocolError: it isn't one, or only interim ones come.
        """
        while True:
            event = self._h11.next_event()
            if event is h11.NEED_DATA:
                return None
            if isinstance(event, h11.Response):
                return self._begin(event, switched=self._h11.their_state is h11.SWITCHED_PROTOCOL)
            if isinstance(event, h11.InformationalResponse):
                if event.status_code == 101:
                    return self._begin(event, switched=True)
                self._pass_over()

    def _pass_over(self) -> None:
        self._interim += 1
        if self._interim > _MOST_INTERIM:
            raise h11.RemoteProtocolError(f"more than {_MOST_INTERIM} interim responses came")
        self._starts(self._h11.trailing_data[0])

    def _begin(self, event: h11.Response | h11.InformationalResponse, *, switched: bool) -> Head:
        status = event.status_code
        if self._method == b"HEAD" or status in (204, 304) or switched:
            self.remaining = 0
        else:
            self.remaining = self._length(event)
        self._proxy_closes = any(map(_is_of_old_proxy_that_closes, event.headers))
        return Head(
            version=b"HTTP/" + event.http_version,
            status=status,
            reason=event.reason,
            headers=event.headers.raw_items(),
            switched=switched,
            raw=self._raw_head(),
        )

    def _raw_head(self) -> bytes:
        came = b"".join(self._heads)
        return came[: len(came) - len(self._h11.trailing_data[0])]

    def _length(self, event: h11.Response | h11.InformationalResponse) -> int | None:
        """Return how many bytes come as they are (RFC 9112, 6.3); h11 has checked the headers."""
        headers = dict(event.headers)
        if b"transfer-encoding" in headers:
            self._chunks = Chunks(self._h11.trailing_data[0])
            return None
        if b"content-length" in headers:
            return int(headers[b"content-length"])
        self._until_closed = True
        return _UNTIL_CLOSED

    def take_rest(self) -> bytes:
        """Return what came with the head, after it, of a body that has no chunks."""
        return b"" if self.remaining is None else self._h11.trailing_data[0]

    def came(self, data: bytes, *, cut: bool = False) -> None:
        """Count a part of the body that came as it is; b"" is the end of the connection.

        Args:
            data: what came.
            cut: whether TLS had no word for the end: anybody on the way can end it so.

        Raises:
            ConnectionLost: that was no place to end (RFC 9112, section 9.8).
        """
        assert self.remaining is not None
        self.remaining -= len(data)
        if data:
            return
        if self._until_closed and cut:
            raise ConnectionLost(
                "peer closed connection without TLS close_notify: the body may not be complete"
            )
        if not self._until_closed:
            raise ConnectionLost(
                "peer closed connection without sending complete message body "
                f"({self.remaining} bytes are missing)"
            )
        self.remaining = 0

    def chunk(self) -> bytes | None:
        """Return a part of a chunked body, b"" at its end, None as long as more has to come.

        Raises:
            h11.RemoteProtocolError: it isn't chunked as it should be.
        """
        assert self._chunks is not None
        return self._chunks.next()

    @property
    def trailers(self) -> list[bytes]:
        """The lines of fields after a body; they are there when that has been read."""
        return [] if self._chunks is None else self._chunks.trailers

    @property
    def reusable(self) -> bool:
        """Whether the connection can take another request now (RFC 9112, 9.3)."""
        if self._chunks is not None:  # what came after the body can't be trusted
            whole = self._chunks.whole and not self._chunks.rest
        else:
            whole = self.remaining == 0 and not self._until_closed
        return whole and self._h11.our_state is h11.DONE and not self._proxy_closes


def _is_of_old_proxy_that_closes(field: tuple[bytes, bytes]) -> bool:
    """Tell whether it is "Proxy-Connection: close", which old proxies say (RFC 9112, C.2.2)."""
    name, value = field
    return name == b"proxy-connection" and value.strip().lower() == b"close"
