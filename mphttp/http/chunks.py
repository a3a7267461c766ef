"""A body in chunks (RFC 9112, section 7.1), cut up without input and output.

Nothing of a chunk is given out before its size is known to be one. What frames the chunks has a
bound, for extensions and trailers have none of their own, and nobody here has a use for them.
"""

from __future__ import annotations

import re

import h11

from mphttp.network.framing import FRAME, MOST_FRAMES, size_of_chunk

_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00\r\n]*")


class Chunks:
    """Takes a chunked body as it comes, and gives what is in it.

    Args:
        data: what came with the head, after it.

    Attributes:
        whole: whether its end has come.
        trailers: the lines of fields that came after it, with their ends (section 7.1.2).
    """

    def __init__(self, data: bytes) -> None:
        self.whole = False
        self.trailers: list[bytes] = []
        self._came = data
        self._at = 0  # in what came: before it, everything was given out
        self._left = 0  # bytes of the chunk that are still to come
        self._ends = False  # a chunk's data were given out, but not the line's end behind them
        self._trailing = False
        self._frames = 0  # bytes beyond what the data allow for

    def receive(self, data: bytes) -> None:
        """Receive what came."""
        self._came, self._at = self._came[self._at :] + data, 0

    @property
    def rest(self) -> bytes:
        """What came after the end."""
        return self._came[self._at :]

    def next(self) -> bytes | None:
        """Return a part of the body, b"" at its end, None as long as more has to come.

        Raises:
            h11.RemoteProtocolError: it isn't chunked as it should be.
        """
        while not self.whole:
            if self._left:
                return self._data()
            line = self._line()
            if line is None:
                return None
            self._take(line)
        return b""

    def _data(self) -> bytes | None:
        data = self._came[self._at : self._at + self._left]
        self._at += len(data)
        self._left -= len(data)
        self._ends = not self._left
        return data or None

    def _line(self) -> bytes | None:
        """Return the next line without its end, None as long as more of it has to come."""
        end = self._came.find(b"\n", self._at)
        came = (len(self._came) if end < 0 else end + 1) - self._at
        if self._frames + came > MOST_FRAMES:
            raise h11.RemoteProtocolError("the frames of the chunks are too long")
        if self._ends and not b"\r\n".startswith(self._came[self._at : self._at + 2]):
            raise h11.RemoteProtocolError("a chunk is longer than its size says")
        if end < 0:
            return None
        line = self._came[self._at : end + 1]
        self._at = end + 1
        self._frames += len(line)
        if not line.endswith(b"\r\n"):
            raise h11.RemoteProtocolError(f"illegal end of a line: {line[-40:]!r}")
        return line[:-2]

    def _take(self, line: bytes) -> None:
        if self._ends:
            self._ends = False
        elif self._trailing:
            self.whole = not line
            if line and not _TRAILER.fullmatch(line):
                raise h11.RemoteProtocolError(f"illegal trailer: {line[:40]!r}")
            if line:
                self.trailers.append(line + b"\r\n")
        else:
            self._begin(line)

    def _begin(self, line: bytes) -> None:
        try:
            self._left = size_of_chunk(line)
        except ValueError as error:
            raise h11.RemoteProtocolError(str(error)) from None
        self._frames = max(0, self._frames - FRAME - 2 * self._left)
        self._trailing = not self._left
