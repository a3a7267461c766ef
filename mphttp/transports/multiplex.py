"""The requests and responses of one HTTP/2 connection (RFC 9113), without input and output.

What concerns one stream ends that one alone: it is reset, and what came for it is given back to the
connection's window. Only what leaves the two sides with different ideas of the connection ends all.
"""

from __future__ import annotations

from collections.abc import Iterable

from hpack import Decoder, Encoder, HeaderTuple
from hpack.exceptions import HPACKError, OversizedHeaderListError
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from .fields import Headers, has_body, request_fields, request_length
from .frames import LARGEST_FRAME, FrameReader
from .http2_errors import Broken, Code, Ended, Malformed, words
from .http2_stream import FIRST_WINDOW, Stream
from .windows import LARGEST_WINDOW, Patience, ReceiveWindow

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_FIRST_WINDOW = 65535
"""Bytes that either may send before anything is agreed on (RFC 9113, section 6.9.2)."""
_CONNECTION_WINDOW = 1 << 26
"""Bytes for all together. They are shared out, so that no number of readers that don't read stops
another: each stream has its own, and more while it is read, as long as there is more."""
_LARGEST_WINDOW = 1 << 23
"""Bytes of that for one response: 0.7 Gbit/s at 100 ms."""
_STEP = 1 << 20
"""Bytes of the connection's window that are given back at once."""
_MOST_STREAMS = 100
_LAST_STREAM = 2**31 - 1
_HEADER_LIST = 65536
"""Bytes of a header section as the server is told; twice as many are still understood, so that
only the one response suffers."""
_TABLE = 4096
"""Bytes of the table that compresses requests, however much more the server would keep."""
_QUEUED = 1 << 18
"""Bytes that may wait to be sent before a body's next part has to wait itself."""
_MOST_ANSWERS = 1000
"""Answers to PING and SETTINGS that may wait for a server that doesn't read."""


class Multiplex:
    """One connection, as its client knows it.

    Attributes:
        leaving: whether no further request may be made.
        out: what is to be sent; `sent` takes it out.
        answered: whether a response's head has come, over this connection.
    """

    def __init__(self) -> None:
        self.out = bytearray()
        self.leaving = False
        self.answered = False
        self._streams: dict[int, Stream] = {}
        self._next = 1
        self._told, self._most = False, 1  # until the server has told
        self._error: Ended | None = None
        self._farewell, self._code = "Server disconnected", 0
        self._deaf = False
        self._answers = 0
        self._patience = Patience()
        self._frames = FrameReader()
        self._window = ReceiveWindow(_CONNECTION_WINDOW, _STEP)
        self._to_send = self._first_to_send = _FIRST_WINDOW
        self._largest = LARGEST_FRAME
        self._encoder, self._decoder = Encoder(), Decoder(2 * _HEADER_LIST)
        self._tables: list[int] = []

    def begin(self) -> None:
        """Write the preface: what this side can do."""
        settings = {
            SettingsFrame.HEADER_TABLE_SIZE: self._decoder.max_allowed_table_size,
            SettingsFrame.ENABLE_PUSH: 0,
            SettingsFrame.MAX_CONCURRENT_STREAMS: _MOST_STREAMS,
            SettingsFrame.INITIAL_WINDOW_SIZE: FIRST_WINDOW,
            SettingsFrame.MAX_FRAME_SIZE: LARGEST_FRAME,
            SettingsFrame.MAX_HEADER_LIST_SIZE: _HEADER_LIST,
        }
        self.out += _PREFACE
        self._say(SettingsFrame(settings=settings))
        self._say(WindowUpdateFrame(0, _CONNECTION_WINDOW - _FIRST_WINDOW))

    def sent(self, size: int) -> None:
        """Record that the first bytes of `out` have gone."""
        del self.out[:size]
        if not self.out:
            self._answers = 0

    def deafen(self) -> None:
        """Record that the server hears nothing any more; what it has said may be heard yet."""
        self._deaf = self.leaving = True
        self.out.clear()

    @property
    def room(self) -> bool:
        """Whether one more request can be made now."""
        under_way = sum(not stream.closed for stream in self._streams.values())
        return under_way < self._most and self._unshared >= FIRST_WINDOW

    @property
    def _unshared(self) -> int:
        """Bytes of the connection's window that no stream has been promised."""
        promised = sum(stream.ahead for stream in self._streams.values())
        return _CONNECTION_WINDOW - _STEP - promised

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
            Unsendable: it isn't one.
        """
        if self.leaving:
            raise Ended("the connection takes no more requests", untouched=True)
        if self._next > _LAST_STREAM:
            self.leaving = True
            raise Ended("the connection has no numbers left", untouched=True)
        headers = list(headers)
        fields = request_fields(method, scheme, target, headers)
        stream = Stream(method, self._first_to_send, request_length(fields))
        number, self._next = self._next, self._next + 2
        self._streams[number] = stream
        stream.said = not has_body(headers)
        self._say_head(number, fields, end=stream.said)
        return number

    def _say_head(self, number: int, fields: list[HeaderTuple], *, end: bool) -> None:
        for size in self._tables:  # the smallest since, and the last (RFC 7541, section 4.2)
            self._encoder.header_table_size = size
        self._tables = []
        block = self._encoder.encode(fields)
        size, cut = self._largest, len(block) > self._largest
        first = ["END_STREAM"] * end + ["END_HEADERS"] * (not cut)
        self._say(HeadersFrame(number, block[:size], flags=first))
        for start in range(size, len(block), size):
            last = ["END_HEADERS"] * (start + size >= len(block))
            self._say(ContinuationFrame(number, block[start : start + size], flags=last))

    def send(self, number: int, data: memoryview) -> int | None:
        """Write of a body what the windows let through; return how much.

        That is None for nothing yet, and 0 where nobody wants the rest any more.

        Raises:
            Ended: the stream, or the connection, is over.
            Unsendable: the body is longer than the head said.
        """
        stream = self._live(number)
        if self._unheard(stream):
            return 0
        size = min(len(data), stream.to_send, self._to_send, self._largest)
        if size <= 0 or len(self.out) >= _QUEUED:
            return None
        stream.sends(size)
        self._to_send -= size
        self._say(DataFrame(number, bytes(data[:size])))
        self._patience.rewarded()
        return size

    def end(self, number: int) -> None:
        """Write the end of a body.

        Raises:
            Ended: the stream, or the connection, is over.
            Unsendable: the body is shorter than the head said.
        """
        stream = self._live(number)
        if not self._unheard(stream):
            stream.ends()
            self._say(DataFrame(number, flags=["END_STREAM"]))

    def _unheard(self, stream: Stream) -> bool:
        return self._deaf or self._error is not None or stream.needs_no_more

    # Responses.

    def receive(self, data: bytes, now: float = 0.0) -> None:
        """Receive what came.

        Args:
            data: it; b"" is the end of the connection.
            now: seconds, of any clock that only goes forward.
        """
        if self._error is not None:
            return
        if not data:
            self.fail(Ended(self._farewell, lost=self._code == Code.NO_ERROR))
            return
        try:
            for frame in self._frames.read(data):
                self._take_or_spoil(frame, now)
        except Broken as error:
            self._say(GoAwayFrame(error_code=error.code))
            self.fail(Ended(f"the server broke the rules of HTTP/2: {error}"))

    def fail(self, error: Ended) -> None:
        """Record that the connection is over."""
        self.leaving = True
        self._error = self._error or error

    def close(self) -> None:
        """Send a GOAWAY frame."""
        if self._error is None:
            self._say(GoAwayFrame(error_code=Code.NO_ERROR))
            self.fail(Ended("the connection was closed"))

    def head(self, number: int) -> tuple[int, Headers] | None:
        """Return status and header fields, or None as long as they are to come.

        Raises:
            Ended: they will not come.
        """
        stream = self._known(number)
        if stream.head is None:
            self._live(number)
            return None
        return stream.head.status, stream.head.headers

    def part(self, number: int) -> bytes | None:
        """Return what has come of a body, b"" at its end, None as long as more is to come.

        Raises:
            Ended: more will not come.
        """
        stream = self._known(number)
        if stream.unread:
            part = bytes(stream.unread)
            stream.unread.clear()
            self._was_read(number, len(part))
            return part
        if stream.whole:
            return b""
        self._live(number)
        return None

    def forget(self, number: int) -> None:
        """Release a stream; one that isn't over is reset, so that nothing more comes for it."""
        stream = self._streams.pop(number)
        if self._error is None:
            if not stream.closed:
                self._say(RstStreamFrame(number, Code.CANCEL))
            self._was_read(number, len(stream.unread))

    def _was_read(self, number: int, size: int) -> None:
        """Give bytes back to the windows."""
        if self._error is not None or not size:
            return
        if given := self._window.was_read(size):
            self._say(WindowUpdateFrame(0, given))
        stream = self._streams.get(number)
        if stream is None or stream.whole or stream.closed:
            return
        if given := stream.window.was_read(size):
            more = self._more_for(stream)
            stream.window.grow(more)
            self._say(WindowUpdateFrame(number, given + more))

    def _more_for(self, stream: Stream) -> int:
        """Return by how many bytes the window of a stream that is read may grow."""
        others = max(0, _MOST_STREAMS - len(self._streams)) * FIRST_WINDOW  # which may yet come
        size = stream.window.size
        return max(0, min(size, _LARGEST_WINDOW - size, self._unshared - others))

    def _known(self, number: int) -> Stream:
        if number not in self._streams:
            raise Ended("the response was closed")
        return self._streams[number]

    def _live(self, number: int) -> Stream:
        stream = self._known(number)
        error = stream.error or self._error
        if error is not None and not stream.whole:
            raise error
        return stream

    def _say(self, frame: Frame) -> None:
        if not self._deaf:
            self.out += frame.serialize()

    # What comes.

    def _take_or_spoil(self, frame: Frame, now: float) -> None:
        try:
            self._take(frame, now)
        except Broken:
            raise
        except Malformed as error:
            self._spoil(frame.stream_id, error)

    def _take(self, frame: Frame, now: float) -> None:
        match frame:
            case DataFrame():
                self._take_data(frame, now)
            case HeadersFrame():
                self._take_headers(frame, now)
            case RstStreamFrame():
                self._take_reset(frame, now)
            case WindowUpdateFrame():
                self._take_window(frame, now)
            case SettingsFrame():
                self._take_settings(frame, now)
            case PingFrame() if "ACK" not in frame.flags:
                self._patience.tried(now)
                self._answer(PingFrame(opaque_data=frame.opaque_data, flags=["ACK"]))
            case GoAwayFrame():
                self._take_goaway(frame.last_stream_id, frame.error_code, now)
            case PushPromiseFrame():
                raise Broken("a push, which was declined")
            case _:
                self._patience.tried(now)

    def _take_data(self, frame: DataFrame, now: float) -> None:
        size = frame.flow_controlled_length
        if not self._window.came(size):
            raise Broken("more than the connection's window", Code.FLOW_CONTROL_ERROR)
        stream, kept = self._stream(frame.stream_id), 0
        try:
            if stream is not None and not stream.whole:
                kept = stream.take_data(frame.data, size, end="END_STREAM" in frame.flags)
            if kept or (stream is not None and stream.whole):
                self._patience.rewarded()
            else:
                self._patience.tried(now)
        finally:
            self._was_read(frame.stream_id, size - kept)  # padding, and what nobody waits for

    def _take_headers(self, frame: HeadersFrame, now: float) -> None:
        try:  # of whichever stream: the table that decompresses is one for all
            fields = list(self._decoder.decode(frame.data, raw=True))
        except OversizedHeaderListError as error:
            raise Broken(str(error), Code.ENHANCE_YOUR_CALM) from error
        except HPACKError as error:
            raise Broken(str(error), Code.COMPRESSION_ERROR) from error
        stream = self._stream(frame.stream_id)
        if stream is None or stream.whole:
            self._patience.tried(now)
            return
        if sum(len(name) + len(value) + 32 for name, value in fields) > _HEADER_LIST:
            raise Malformed("its head is too long", Code.ENHANCE_YOUR_CALM)
        stream.take_headers(fields, end="END_STREAM" in frame.flags)
        self.answered = True
        if stream.whole or stream.head is not None:
            self._patience.rewarded()

    def _spoil(self, number: int, error: Malformed) -> None:
        """End one stream, since what came for it is no response."""
        stream = self._streams[number]
        stream.error = stream.error or Ended(f"the server's response is malformed: {error}")
        if not stream.closed:
            stream.reset = True
            self._say(RstStreamFrame(number, error.code))

    def _take_reset(self, frame: RstStreamFrame, now: float) -> None:
        self._patience.tried(now)
        stream = self._stream(frame.stream_id)
        if stream is not None and not stream.reset:
            stream.reset = True
            untouched = frame.error_code == Code.REFUSED_STREAM and stream.head is None
            what = f"the server reset the stream: {words(frame.error_code)}"
            stream.error = Ended(what, untouched=untouched)

    def _take_window(self, frame: WindowUpdateFrame, now: float) -> None:
        self._patience.tried(now)
        more = frame.window_increment
        if frame.stream_id == 0:
            self._to_send += more
            if not more or self._to_send > LARGEST_WINDOW:
                raise Broken("a window that is none", Code.FLOW_CONTROL_ERROR)
            return
        stream = self._stream(frame.stream_id)
        if stream is not None and not stream.closed:
            stream.widen(more)

    def _take_settings(self, frame: SettingsFrame, now: float) -> None:
        self._patience.tried(now)
        if "ACK" in frame.flags:
            return
        if not self._told:
            self._told, self._most = True, _MOST_STREAMS
        for setting, value in frame.settings.items():
            self._set(setting, value)
        self._answer(SettingsFrame(flags=["ACK"]))

    def _set(self, setting: int, value: int) -> None:
        match setting:
            case SettingsFrame.HEADER_TABLE_SIZE:
                value = min(value, _TABLE)
                self._tables = [min([value, *self._tables]), value]
            case SettingsFrame.MAX_CONCURRENT_STREAMS:
                self._most = min(value, _MOST_STREAMS)
            case SettingsFrame.INITIAL_WINDOW_SIZE:
                if value > LARGEST_WINDOW:
                    raise Broken("a window that is none", Code.FLOW_CONTROL_ERROR)
                for stream in self._streams.values():
                    stream.to_send += value - self._first_to_send
                    if stream.to_send > LARGEST_WINDOW:
                        raise Broken("a window that is none", Code.FLOW_CONTROL_ERROR)
                self._first_to_send = value
            case SettingsFrame.MAX_FRAME_SIZE:
                if not LARGEST_FRAME <= value < 1 << 24:
                    raise Broken(f"frames of {value} bytes")
                self._largest = min(value, 4 * LARGEST_FRAME)

    def _answer(self, frame: Frame) -> None:
        self._answers += 1
        if self._answers > _MOST_ANSWERS:
            raise Broken("it asks, and doesn't read the answers", Code.ENHANCE_YOUR_CALM)
        self._say(frame)

    def _take_goaway(self, last: int, code: int, now: float) -> None:
        """Record that the server finishes what it has begun, and no more (RFC 9113, 6.8)."""
        self._patience.tried(now)
        self.leaving = True
        self._farewell = f"the server ended the connection: {words(code)}"
        self._code = code
        for number, stream in self._streams.items():
            if number > last and not stream.closed:
                stream.reset = True
                stream.error = Ended(self._farewell, untouched=True)

    def _stream(self, number: int) -> Stream | None:
        """Return a stream, or None for one that is over and forgotten."""
        if number % 2 == 0 or number >= self._next:
            raise Broken(f"a frame of stream {number}, which nobody has opened")
        return self._streams.get(number)
