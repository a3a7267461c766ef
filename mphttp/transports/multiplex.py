"""The requests and responses of one HTTP/2 connection (RFC 9113), without input and output.

What concerns one stream ends that one alone: it is reset, and what came for it is given back to the
connection's window. Only what leaves the two sides with different ideas of the connection ends all.
"""

from __future__ import annotations

from collections.abc import Iterable

from hpack import Decoder
from hpack.exceptions import HPACKError, OversizedHeaderListError
from hyperframe.frame import (
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
from .http2_streams import CONNECTION_WINDOW, INITIAL_WINDOW, MOST_STREAMS, STEP, Streams
from .http2_writer import Writer
from .windows import LARGEST_WINDOW, Patience, ReceiveWindow

_HEADER_LIST = 65536
"""Bytes of a header section as the server is told; twice as many are still understood, so that
only the one response suffers."""
_QUEUED = 1 << 18
"""Bytes that may wait to be sent before a body's next part has to wait itself."""


class Multiplex:
    """One connection, as its client knows it.

    Attributes:
        leaving: whether no further request may be made.
        streams: requests under way.
        out: what is to be sent; `sent` takes it out.
        answered: whether a response's head has come, over this connection.
    """

    def __init__(self) -> None:
        self.leaving = False
        self.answered = False
        self.streams = Streams()
        self._writer = Writer()
        self.out = self._writer.out
        self._error: Ended | None = None
        self._farewell, self._code = "Server disconnected", 0
        self._patience = Patience()
        self._frames = FrameReader()
        self._window = ReceiveWindow(CONNECTION_WINDOW, STEP)
        self._to_send = INITIAL_WINDOW
        self._decoder = Decoder(2 * _HEADER_LIST)

    def begin(self) -> None:
        """Write the preface: what this side can do."""
        settings = {
            SettingsFrame.HEADER_TABLE_SIZE: self._decoder.max_allowed_table_size,
            SettingsFrame.ENABLE_PUSH: 0,
            SettingsFrame.MAX_CONCURRENT_STREAMS: MOST_STREAMS,
            SettingsFrame.INITIAL_WINDOW_SIZE: FIRST_WINDOW,
            SettingsFrame.MAX_FRAME_SIZE: LARGEST_FRAME,
            SettingsFrame.MAX_HEADER_LIST_SIZE: _HEADER_LIST,
        }
        self._writer.begin(settings)
        self._writer.say(WindowUpdateFrame(0, CONNECTION_WINDOW - INITIAL_WINDOW))

    def sent(self, size: int) -> None:
        """Record that the first bytes of `out` have gone."""
        self._writer.sent(size)

    def deafen(self) -> None:
        """Record that the server hears nothing any more; what it has said may be heard yet."""
        self.leaving = True
        self._writer.deafen()

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
        if self.streams.used_up:
            self.leaving = True
            raise Ended("the connection has no numbers left", untouched=True)
        headers = list(headers)
        fields = request_fields(method, scheme, target, headers)
        number, stream = self.streams.open(method, request_length(fields))
        stream.said = not has_body(headers)
        self._writer.head(number, fields, end=stream.said)
        return number

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
        size = min(len(data), stream.to_send, self._to_send, self._writer.largest)
        if size <= 0 or len(self.out) >= _QUEUED:
            return None
        stream.sends(size)
        self._to_send -= size
        self._writer.say(DataFrame(number, bytes(data[:size])))
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
            self._writer.say(DataFrame(number, flags=["END_STREAM"]))

    def _unheard(self, stream: Stream) -> bool:
        return self._writer.deaf or self._error is not None or stream.needs_no_more

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
                try:
                    self._take(frame, now)
                except Broken:
                    raise
                except Malformed as error:
                    self._spoil(frame.stream_id, error)
        except Broken as error:
            self._writer.say(GoAwayFrame(error_code=error.code))
            self.fail(Ended(f"the server broke the rules of HTTP/2: {error}"))

    def fail(self, error: Ended) -> None:
        """Record that the connection is over."""
        self.leaving = True
        self._error = self._error or error

    def close(self) -> None:
        """Send a GOAWAY frame."""
        if self._error is None:
            self._writer.say(GoAwayFrame(error_code=Code.NO_ERROR))
            self.fail(Ended("the connection was closed"))

    def head(self, number: int) -> tuple[int, Headers] | None:
        """Return status and header fields, or None as long as they are to come.

        Raises:
            Ended: they will not come.
        """
        stream = self.streams.known(number)
        if stream.head is None:
            self._live(number)
            return None
        return stream.head.status, stream.head.headers

    def part(self, number: int) -> bytes | None:
        """Return what has come of a body, b"" at its end, None as long as more is to come.

        Raises:
            Ended: more will not come.
        """
        stream = self.streams.known(number)
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
        stream = self.streams.by_number.pop(number)
        if self._error is None:
            if not stream.closed:
                self._writer.say(RstStreamFrame(number, Code.CANCEL))
            self._was_read(number, len(stream.unread))

    def _was_read(self, number: int, size: int) -> None:
        """Give bytes back to the windows."""
        if self._error is not None or not size:
            return
        if given := self._window.was_read(size):
            self._writer.say(WindowUpdateFrame(0, given))
        stream = self.streams.by_number.get(number)
        if stream is None or stream.whole or stream.closed:
            return
        if given := stream.window.was_read(size):
            more = self.streams.more_for(stream)
            stream.window.grow(more)
            self._writer.say(WindowUpdateFrame(number, given + more))

    def _live(self, number: int) -> Stream:
        stream = self.streams.known(number)
        error = stream.error or self._error
        if error is not None and not stream.whole:
            raise error
        return stream

    # What comes.

    def _take(self, frame: Frame, now: float) -> None:
        if not isinstance(frame, DataFrame | HeadersFrame):
            self._patience.tried(now)
        match frame:
            case DataFrame():
                self._take_data(frame, now)
            case HeadersFrame():
                self._take_headers(frame, now)
            case RstStreamFrame():
                if (stream := self.streams.named(frame.stream_id)) is not None:
                    stream.take_reset(frame.error_code)
            case WindowUpdateFrame():
                self._take_window(frame.stream_id, frame.window_increment)
            case SettingsFrame() if "ACK" not in frame.flags:
                self._take_settings(frame.settings)
            case PingFrame() if "ACK" not in frame.flags:
                self._writer.answer(PingFrame(opaque_data=frame.opaque_data, flags=["ACK"]))
            case GoAwayFrame():
                self._take_goaway(frame.last_stream_id, frame.error_code)
            case PushPromiseFrame():
                raise Broken("a push, which was declined")

    def _take_data(self, frame: DataFrame, now: float) -> None:
        size = frame.flow_controlled_length
        if not self._window.came(size):
            raise Broken("more than the connection's window", Code.FLOW_CONTROL_ERROR)
        stream, kept = self.streams.named(frame.stream_id), 0
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
        stream = self.streams.named(frame.stream_id)
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
        stream = self.streams.by_number[number]
        stream.error = stream.error or Ended(f"the server's response is malformed: {error}")
        if not stream.closed:
            stream.reset = True
            self._writer.say(RstStreamFrame(number, error.code))

    def _take_window(self, number: int, more: int) -> None:
        if number == 0:
            self._to_send += more
            if not more or self._to_send > LARGEST_WINDOW:
                raise Broken("a window that is none", Code.FLOW_CONTROL_ERROR)
            return
        stream = self.streams.named(number)
        if stream is not None and not stream.closed:
            stream.widen(more)

    def _take_settings(self, settings: dict[int, int]) -> None:
        self.streams.told()
        for setting, value in settings.items():
            self._set(setting, value)
        self._writer.answer(SettingsFrame(flags=["ACK"]))

    def _set(self, setting: int, value: int) -> None:
        match setting:
            case SettingsFrame.HEADER_TABLE_SIZE:
                self._writer.resize_table(value)
            case SettingsFrame.MAX_CONCURRENT_STREAMS:
                self.streams.limit(value)
            case SettingsFrame.INITIAL_WINDOW_SIZE:
                self.streams.resize(value)
            case SettingsFrame.MAX_FRAME_SIZE:
                if not LARGEST_FRAME <= value < 1 << 24:
                    raise Broken(f"frames of {value} bytes")
                self._writer.largest = min(value, 4 * LARGEST_FRAME)

    def _take_goaway(self, last: int, code: int) -> None:
        """Record that the server finishes what it has begun, and no more (RFC 9113, 6.8)."""
        self.leaving = True
        self._farewell = f"the server ended the connection: {words(code)}"
        self._code = code
        self.streams.refuse_after(last, self._farewell)
