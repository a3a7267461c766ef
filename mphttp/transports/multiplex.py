"""The requests and responses of one HTTP/2 connection (RFC 9113), without input and output.

h2 knows frames and windows; here stands what of them belongs to which stream. A stream that is
given up is reset, and what came for it is taken from the windows, so that others go on.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

_STREAM_WINDOW = 1 << 23
"""Bytes that one response may be ahead of its reader: 0.7 Gbit/s at 100 ms."""
_CONNECTION_WINDOW = 1 << 26
"""Bytes for all together, so that some slow readers don't stop the others."""
_MOST_STREAMS = 100
_FRAME_HEAD, _GOAWAY = 9, 7
"""Bytes before a frame's payload; its kind (RFC 9113, sections 4.1 and 6.8)."""
_GOODBYE_LENGTHS = range(8, 16385)
"""Bytes of its payload; h2 refuses others."""
_LEFT_OUT = {b"host", b"transfer-encoding", b"connection", b"keep-alive", b"upgrade"}
"""Header fields of HTTP/1.1 that mean nothing here (RFC 9113, section 8.2.2)."""

Headers = list[tuple[bytes, bytes]]


class Ended(Exception):
    """A stream, or the whole connection, came to an end before a response was whole.

    Args:
        what: one sentence.
        untouched: the server did nothing with the request, and may do so over a new connection.
    """

    def __init__(self, what: str, *, untouched: bool = False) -> None:
        super().__init__(what)
        self.untouched = untouched


@dataclass(slots=True)
class _Stream:
    """What has come for one request."""

    head: tuple[int, Headers] | None = None
    parts: list[bytes] = field(default_factory=list)
    unread: int = 0
    whole: bool = False
    error: Ended | None = None


class _Goodbyes:
    """Takes GOAWAY frames out of what comes.

    h2 takes them for the end of the connection; yet a server that says goodbye finishes what it has
    begun (RFC 9113, section 6.8), as nginx does after 1,000 requests.
    """

    def __init__(self) -> None:
        self._held = b""
        self._left = 0  # bytes to come of a frame that has begun

    def split(self, data: bytes) -> tuple[bytes, list[tuple[int, int]]]:
        """Return what is h2's, and the last stream and the error code of each goodbye."""
        data, self._held = self._held + data, b""
        goodbyes, others, start, position = [], [], 0, self._left
        while len(data) - position >= _FRAME_HEAD:
            length = int.from_bytes(data[position : position + 3])
            end = position + _FRAME_HEAD + length
            if data[position + 3] == _GOAWAY and length in _GOODBYE_LENGTHS:
                if end > len(data):
                    break
                last, code = struct.unpack_from(">II", data, position + _FRAME_HEAD)
                goodbyes.append((last & 0x7FFFFFFF, code))
                others.append(data[start:position])
                start = end
            position = end
        self._left = max(0, position - len(data))
        self._held = data[position:]
        others.append(data[start : len(data) - len(self._held)])
        return b"".join(others), goodbyes


class Multiplex:
    """One connection, as its client knows it.

    Attributes:
        leaving: whether no further request may be made.
    """

    def __init__(self) -> None:
        config = h2.config.H2Configuration(validate_inbound_headers=False)
        self._h2 = h2.connection.H2Connection(config)
        self._streams: dict[int, _Stream] = {}
        self._most = 1  # until the server has told
        self._error: Ended | None = None
        self._goodbyes = _Goodbyes()
        self._farewell = "Server disconnected"
        self.leaving = False

    def begin(self) -> None:
        """Write the preface: what this side can do."""
        codes = h2.settings.SettingCodes
        self._h2.local_settings = h2.settings.Settings(
            client=True,
            initial_values={
                codes.ENABLE_PUSH: 0,
                codes.MAX_CONCURRENT_STREAMS: _MOST_STREAMS,
                codes.INITIAL_WINDOW_SIZE: _STREAM_WINDOW,
                codes.MAX_HEADER_LIST_SIZE: 65536,
            },
        )
        del self._h2.local_settings[codes.ENABLE_CONNECT_PROTOCOL]  # some servers don't know it
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(_CONNECTION_WINDOW - 65535)

    def to_send(self) -> bytes:
        """Return what is to be sent, once."""
        return self._h2.data_to_send()

    @property
    def room(self) -> bool:
        """Whether one more request can be made now."""
        return len(self._streams) < self._most

    @property
    def idle(self) -> bool:
        """Whether no request is under way."""
        return not self._streams

    # Requests.

    def open(
        self, method: bytes, scheme: bytes, target: bytes, headers: Iterable[tuple[bytes, bytes]]
    ) -> int:
        """Write a request's head; return the number of its stream.

        Raises:
            Ended: the connection takes no more requests.
            h2.exceptions.ProtocolError: it isn't one.
        """
        if self.leaving:
            raise Ended("the connection takes no more requests", untouched=True)
        headers = [(name.lower(), value) for name, value in headers]
        pseudo = [(b":method", method), (b":scheme", scheme), (b":path", target)]
        pseudo += [(b":authority", value) for name, value in headers if name == b"host"][:1]
        fields = [*pseudo, *(entry for entry in headers if entry[0] not in _LEFT_OUT)]
        try:
            number = self._h2.get_next_available_stream_id()
        except h2.exceptions.NoAvailableStreamIDError:
            self.leaving = True
            raise Ended("the connection has no numbers left", untouched=True) from None
        self._h2.send_headers(number, fields, end_stream=not has_body(headers))
        self._streams[number] = _Stream()
        return number

    def send(self, number: int, data: memoryview) -> int | None:
        """Write of a body what the windows let through; return how much, or None for nothing yet.

        Raises:
            Ended: the stream, or the connection, is over.
            h2.exceptions.ProtocolError: the body is longer than the head said.
        """
        stream = self._live(number)
        if stream.whole:
            return len(data)  # answered before it was read: the rest needn't be sent
        window = self._h2.local_flow_control_window(number)
        size = min(len(data), window, self._h2.max_outbound_frame_size)
        if size == 0:
            return None
        self._h2.send_data(number, bytes(data[:size]))
        return size

    def end(self, number: int) -> None:
        """Write the end of a body."""
        if not self._live(number).whole:
            self._h2.end_stream(number)

    # Responses.

    def receive(self, data: bytes) -> None:
        """Take in what came; b"" is the end of the connection."""
        if not data:
            self.fail(Ended(self._farewell))
            return
        data, goodbyes = self._goodbyes.split(data)
        try:
            for event in self._h2.receive_data(data):
                self._take(event)
        except h2.exceptions.ProtocolError as error:
            self.fail(Ended(f"the server broke the rules of HTTP/2: {error}"))
        for last, code in goodbyes:
            self._leave(last, code)

    def fail(self, error: Ended) -> None:
        """Take that the connection is over."""
        self.leaving = True
        self._error = self._error or error

    def head(self, number: int) -> tuple[int, Headers] | None:
        """Return status and header fields, or None as long as they are to come.

        Raises:
            Ended: they will not come.
        """
        stream = self._streams[number]
        return stream.head or (self._live(number).head)

    def part(self, number: int) -> bytes | None:
        """Return what has come of a body, b"" at its end, None as long as more is to come.

        Raises:
            Ended: more will not come.
        """
        stream = self._streams[number]
        if stream.parts:
            part, stream.parts = b"".join(stream.parts), []
            self._release(number, stream)
            return part
        if stream.whole:
            return b""
        self._live(number)
        return None

    def forget(self, number: int) -> None:
        """Let go of a stream; one that isn't over is reset, so that nothing more comes for it."""
        stream = self._streams.pop(number)
        if self._error is not None:
            return
        self._release(number, stream)
        known = self._h2.streams.get(number)
        if known is not None and not known.closed:
            with suppress(h2.exceptions.ProtocolError):  # after a goodbye nothing is to be said
                self._h2.reset_stream(number, h2.errors.ErrorCodes.CANCEL)

    def _release(self, number: int, stream: _Stream) -> None:
        if stream.unread and self._error is None:
            self._h2.acknowledge_received_data(stream.unread, number)
        stream.unread = 0

    def _live(self, number: int) -> _Stream:
        stream = self._streams[number]
        error = stream.error or self._error
        if error is not None and not stream.whole:
            raise error
        return stream

    def _take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RemoteSettingsChanged():
                told = self._h2.remote_settings.max_concurrent_streams
                self._most = max(1, min(told, _MOST_STREAMS))
            case (
                h2.events.ResponseReceived()
                | h2.events.DataReceived()
                | h2.events.StreamEnded()
                | h2.events.StreamReset()
            ) if event.stream_id in self._streams:
                self._take_for(self._streams[event.stream_id], event)
            case h2.events.DataReceived():
                # It was on its way when its stream was reset; h2 itself counts what comes later.
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case _:
                pass  # h2 has done what is to be done

    def _take_for(self, stream: _Stream, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived():
                stream.head = _head(event.headers)
            case h2.events.DataReceived():
                stream.parts.append(event.data)
                stream.unread += event.flow_controlled_length
            case h2.events.StreamEnded():
                stream.whole = True
            case h2.events.StreamReset():
                words = f"the server reset the stream: {_words(event.error_code)}"
                stream.error = Ended(words)

    def _leave(self, last: int, code: int) -> None:
        """Take that the server finishes what it has begun, and no more (RFC 9113, section 6.8)."""
        self.leaving = True
        self._farewell = f"the server ended the connection: {_words(code)}"
        for number, stream in self._streams.items():
            if number > last:
                # Where it never did anything, another connection would come to the same end.
                error = Ended(self._farewell, untouched=last > 0)
                stream.error = stream.error or error


def has_body(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Tell by a request's header fields whether it has a body."""
    return any(name.lower() in (b"content-length", b"transfer-encoding") for name, _ in headers)


def _head(headers: Iterable[tuple[bytes, bytes]] | None) -> tuple[int, Headers]:
    status, fields = 200, []
    for name, value in headers or ():
        if name == b":status":
            status = int(value)
        elif not name.startswith(b":"):
            fields.append((name, value))
    return status, fields


def _words(code: int | None) -> str:
    try:
        return h2.errors.ErrorCodes(code or 0).name
    except ValueError:
        return f"error {code}"
