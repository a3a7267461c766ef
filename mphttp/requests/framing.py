"""Where the body is in what comes over a socket (RFC 9112, sections 6 and 7), without input."""

from __future__ import annotations

import http.client
import sys

from mphttp.network.framing import FRAME, MOST_FRAMES, size_of_chunk


class WrongLengthError(ValueError):
    """A request's body isn't as long as its Content-Length."""


UNKNOWN = sys.maxsize
"""The length of a body that ends with its connection, or comes in chunks."""


class Framing:
    """The frame of one response's body.

    Offsets are of bytes that came over the socket since the response's first.

    Attributes:
        begun: whether the head is over.
        chunked: whether lines of chunks are to come.
        until_closed: whether the body ends with the connection.
        length: bytes of the body, or `UNKNOWN`.
    """

    def __init__(self) -> None:
        self.begun = False
        self.chunked = False
        self.until_closed = False
        self.length = UNKNOWN
        self._frames = 0
        self._trailers_from: int | None = None
        self._not_body = 0  # of what came: the head, and the frames of the chunks so far
        self._part_ends = 0  # where in the body the chunk ends, or all of it where there are none

    def begin(self, *, chunked: bool, until_closed: bool) -> None:
        """Record that the head is over.

        Args:
            chunked: whether the body comes in chunks.
            until_closed: whether it ends with the connection.
        """
        self.begun = True
        self.chunked = chunked
        self.until_closed = until_closed

    def follows(self, head: int, length: int | None) -> None:
        """Record where the body begins.

        Args:
            head: bytes that came before it.
            length: its bytes, or None.
        """
        if length is not None:
            self.length = length
        self._not_body = head
        self._part_ends = 0 if self.chunked else self.length

    def begin_chunk(self, line: bytes, consumed: int) -> None:
        """Take the line before a chunk; whoever reads it would take `int`'s word for its size.

        Args:
            line: as it came.
            consumed: bytes that came up to its end.

        Raises:
            http.client.HTTPException: it gives no size, or such lines are longer than all that
                they announce.
        """
        if not line.endswith(b"\n"):  # of "0" and "0a", nobody knows which it would have been
            raise http.client.HTTPException("the connection ended within the line of a chunk")
        try:
            size = size_of_chunk(line.removesuffix(b"\n").removesuffix(b"\r"))
        except ValueError as error:
            raise http.client.HTTPException(str(error)) from None
        self._frames = max(0, self._frames + len(line) - FRAME - 2 * size)
        if self._frames > MOST_FRAMES:
            raise http.client.HTTPException("the frames of the chunks are too long")
        self._not_body = consumed - self._part_ends
        self._part_ends += size
        if size == 0:
            self.length = self._part_ends
            self._trailers_from = consumed
            self.chunked = False

    def check_end(self, line: bytes, consumed: int) -> None:
        """Look at what follows a chunk's data, which nobody else does.

        Args:
            line: two bytes.
            consumed: bytes that came up to their end.

        Raises:
            http.client.HTTPException: they are no end of a line, but data.
        """
        over = consumed - len(line) == self._not_body + self._part_ends
        if over and not b"\r\n".startswith(line):
            raise http.client.HTTPException("a chunk is longer than its size says")

    @property
    def in_body(self) -> bool:
        """Whether the head is over, and trailers haven't begun."""
        return self.begun and self._trailers_from is None

    def trailers(self, came: int) -> int:
        """Return how many bytes of trailers there are among so many that came."""
        return 0 if self._trailers_from is None else came - self._trailers_from

    def body(self, came: int) -> int:
        """Return how many bytes of the body there are among so many that came."""
        return min(came - self._not_body, self._part_ends)

    def ended(self, came: int) -> None:
        """Record that the connection ended, which may be the body's end."""
        if self._part_ends == UNKNOWN:
            self.length = came - self._not_body
