"""The streams of one HTTP/2 connection, and how its window is shared out among them."""

from __future__ import annotations

from .http2_errors import Broken, Code, Ended
from .http2_stream import FIRST_WINDOW, Stream
from .windows import LARGEST_WINDOW

INITIAL_WINDOW = 65535
"""Bytes that either may send before anything is agreed on (RFC 9113, section 6.9.2)."""
CONNECTION_WINDOW = 1 << 26
"""Bytes for all together. They are shared out, so that no number of readers that don't read stops
another: each stream has its own, and more while it is read, as long as there is more."""
STEP = 1 << 20
"""Bytes of the connection's window that are given back at once."""
MOST_STREAMS = 100
_LARGEST_STREAM_WINDOW = 1 << 23
"""Bytes of the connection's window for one response: 0.7 Gbit/s at 100 ms."""
_LAST_STREAM = 2**31 - 1


class Streams:
    """Those that are open, by number, and how many more may be.

    Attributes:
        by_number: those that nobody has forgotten.
    """

    def __init__(self) -> None:
        self.by_number: dict[int, Stream] = {}
        self._next = 1
        self._told, self._most = False, 1  # until the server has told
        self._to_send = INITIAL_WINDOW

    @property
    def idle(self) -> bool:
        """Whether no request is under way."""
        return not self.by_number

    @property
    def used_up(self) -> bool:
        """Whether there are no more numbers."""
        return self._next > _LAST_STREAM

    @property
    def room(self) -> bool:
        """Whether one more request can be made now."""
        under_way = sum(not stream.closed for stream in self.by_number.values())
        return under_way < self._most and self._unshared >= FIRST_WINDOW

    @property
    def _unshared(self) -> int:
        """Bytes of the connection's window that no stream has been promised."""
        promised = sum(stream.ahead for stream in self.by_number.values())
        return CONNECTION_WINDOW - STEP - promised

    def more_for(self, stream: Stream) -> int:
        """Return by how many bytes the window of a stream that is read may grow."""
        others = max(0, MOST_STREAMS - len(self.by_number)) * FIRST_WINDOW  # which may yet come
        size = stream.window.size
        return max(0, min(size, _LARGEST_STREAM_WINDOW - size, self._unshared - others))

    def open(self, method: bytes, length: int | None) -> tuple[int, Stream]:
        """Open a stream for a request (`Stream`); return its number, too."""
        number, self._next = self._next, self._next + 2
        stream = self.by_number[number] = Stream(method, self._to_send, length)
        return number, stream

    def known(self, number: int) -> Stream:
        """Return one that nobody has forgotten.

        Raises:
            Ended: it was.
        """
        if number not in self.by_number:
            raise Ended("the response was closed")
        return self.by_number[number]

    def named(self, number: int) -> Stream | None:
        """Return the one that the server speaks of, or None if it is over and forgotten.

        Raises:
            Broken: there was none.
        """
        if number % 2 == 0 or number >= self._next:
            raise Broken(f"a frame of stream {number}, which nobody has opened")
        return self.by_number.get(number)

    def refuse_after(self, last: int, why: str) -> None:
        """Record that the server does nothing with what came after a stream (RFC 9113, 6.8)."""
        for number, stream in self.by_number.items():
            if number > last and not stream.closed:
                stream.reset = True
                stream.error = Ended(why, untouched=True)

    # What the server's settings say.

    def told(self) -> None:
        """Record that the server has told its settings, which may not name a limit."""
        if not self._told:
            self._told, self._most = True, MOST_STREAMS

    def limit(self, most: int) -> None:
        """Record how many requests may be under way at once."""
        self._most = min(most, MOST_STREAMS)

    def resize(self, size: int) -> None:
        """Record how many bytes each stream may send at first; open ones gain the difference.

        Raises:
            Broken: that can't be (RFC 9113, section 6.9.2).
        """
        more = size - self._to_send
        streams = self.by_number.values()
        for stream in streams:
            stream.to_send += more
        if max([size, *(stream.to_send for stream in streams)]) > LARGEST_WINDOW:
            raise Broken("a window that is none", Code.FLOW_CONTROL_ERROR)
        self._to_send = size
