"""What one HTTP/2 connection has to say: frames that wait to be sent, without output."""

from __future__ import annotations

from hpack import Encoder, HeaderTuple
from hyperframe.frame import ContinuationFrame, Frame, HeadersFrame, SettingsFrame

from .frames import LARGEST_FRAME
from .http2_errors import Broken, Code

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_TABLE = 4096
"""Bytes of the table that compresses requests, however much more the server would keep."""
_MOST_ANSWERS = 1000
"""Answers to PING and SETTINGS that may wait for a server that doesn't read."""


class Writer:
    """Frames on their way to the server.

    Attributes:
        out: their bytes; `sent` takes them out.
        largest: bytes of a frame's content that the server takes.
        deaf: whether it hears nothing any more.
    """

    def __init__(self) -> None:
        self.out = bytearray()
        self.largest = LARGEST_FRAME
        self.deaf = False
        self._answers = 0
        self._encoder = Encoder()
        self._tables: list[int] = []

    def begin(self, settings: dict[int, int]) -> None:
        """Write the preface: what this side can do."""
        self.out += _PREFACE
        self.say(SettingsFrame(settings=settings))

    def say(self, frame: Frame) -> None:
        """Write a frame."""
        if not self.deaf:
            self.out += frame.serialize()

    def head(self, number: int, fields: list[HeaderTuple], *, end: bool) -> None:
        """Write a request's head, in as many frames as it takes."""
        for size in self._tables:  # the smallest since, and the last (RFC 7541, section 4.2)
            self._encoder.header_table_size = size
        self._tables = []
        block = self._encoder.encode(fields)
        size, cut = self.largest, len(block) > self.largest
        first = ["END_STREAM"] * end + ["END_HEADERS"] * (not cut)
        self.say(HeadersFrame(number, block[:size], flags=first))
        for start in range(size, len(block), size):
            last = ["END_HEADERS"] * (start + size >= len(block))
            self.say(ContinuationFrame(number, block[start : start + size], flags=last))

    def answer(self, frame: Frame) -> None:
        """Write what the server asked for.

        Raises:
            Broken: it asks, and doesn't read.
        """
        self._answers += 1
        if self._answers > _MOST_ANSWERS:
            raise Broken("it asks, and doesn't read the answers", Code.ENHANCE_YOUR_CALM)
        self.say(frame)

    def resize_table(self, size: int) -> None:
        """Record how many bytes of heads the server keeps; it is told with the next head."""
        size = min(size, _TABLE)
        self._tables = [min([size, *self._tables]), size]

    def sent(self, size: int) -> None:
        """Record that the first bytes have gone."""
        del self.out[:size]
        if not self.out:
            self._answers = 0

    def deafen(self) -> None:
        """Record that the server hears nothing any more."""
        self.deaf = True
        self.out.clear()
