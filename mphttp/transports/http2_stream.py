"""One request and its response among those of an HTTP/2 connection (RFC 9113, section 5)."""

from __future__ import annotations

from collections.abc import Iterable

from .fields import Head, check_trailers, response_head
from .http2_errors import Code, Ended, Malformed, Unsendable, words
from .windows import LARGEST_WINDOW, ReceiveWindow

FIRST_WINDOW = 1 << 18
"""Bytes that one response may be ahead of its reader, until it turns out that there is one."""
_MOST_INTERIM = 100
"""Interim responses before the one that counts."""
_ERROR = 400
"""The first status of those that say that the server doesn't want the request."""


class Stream:
    """One request and its response.

    Args:
        method: of the request.
        to_send: bytes that the server takes as yet.
        length: bytes of the request's body that its head promises, or None.

    Attributes:
        said: whether the request is complete.
        whole: whether the response is.
        reset: whether one side has broken it off.
        head: of the response.
        trailers: the lines of fields that came after its body, as HTTP/1.1 writes them.
        unread: of its body; one block, since a server may send it byte by byte.
        error: why it will never be whole.
    """

    def __init__(self, method: bytes, to_send: int, length: int | None) -> None:
        self.said = self.whole = self.reset = False
        self.head: Head | None = None
        self.trailers: list[bytes] = []
        self.unread = bytearray()
        self.error: Ended | None = None
        self.to_send = to_send
        self.window = ReceiveWindow(FIRST_WINDOW, FIRST_WINDOW // 2)
        self._method = method
        self._promised = length
        self._came = 0
        self._interim = 0

    @property
    def closed(self) -> bool:
        """Whether neither side says anything more."""
        return self.reset or (self.said and self.whole)

    @property
    def ahead(self) -> int:
        """Bytes that may be unread at once, from here on."""
        return len(self.unread) if self.whole else self.window.size

    @property
    def needs_no_more(self) -> bool:
        """Whether the rest of the request makes no difference (RFC 9113, section 8.1)."""
        refused = self.head is not None and self.head.status >= _ERROR
        return refused or (self.whole and self.reset)

    def sends(self, size: int) -> None:
        """Count a part of the request's body.

        Raises:
            Unsendable: that is more than was promised.
        """
        if self._promised is not None:
            self._promised -= size
            if self._promised < 0:
                raise Unsendable("the body is longer than its Content-Length")
        self.to_send -= size

    def ends(self) -> None:
        """Let the request be complete.

        Raises:
            Unsendable: something of what was promised is missing.
        """
        if self._promised:
            raise Unsendable("the body is shorter than its Content-Length")
        self.said = True

    def widen(self, more: int) -> None:
        """Let more bytes be sent.

        Raises:
            Malformed: that can't be.
        """
        self.to_send += more
        if not more or self.to_send > LARGEST_WINDOW:
            raise Malformed("a window that is none", Code.FLOW_CONTROL_ERROR)

    def take_headers(self, fields: Iterable[tuple[bytes, bytes]], *, end: bool) -> None:
        """Take in a head, an interim one, or what follows the body.

        Raises:
            Malformed: it is none of them.
        """
        if self.error is not None:
            return
        if self.head is not None:
            fields = list(fields)
            check_trailers(fields)
            if not end:
                raise Malformed("its head came twice")
            self.trailers += (b"%b: %b\r\n" % field for field in fields)
            self._end()
            return
        head = response_head(self._method, fields)
        if head.interim:
            self._interim += 1
            if end or self._interim > _MOST_INTERIM:
                raise Malformed("its interim responses lead to none", Code.ENHANCE_YOUR_CALM)
            return
        self.head = head
        if end:
            self._end()

    def take_data(self, data: bytes, size: int, *, end: bool) -> int:
        """Take in a part of the body.

        Args:
            data: it.
            size: bytes that the windows count, padding included.
            end: whether it is the last.

        Returns:
            How much of it somebody will read.

        Raises:
            Malformed: it can't be a part of the body.
        """
        if self.error is not None:
            return 0
        if not self.window.came(size):
            raise Malformed("more than its window came", Code.FLOW_CONTROL_ERROR)
        if self.head is None:
            raise Malformed("its body came before its head")
        self._came += len(data)
        if self.head.length is not None and self._came > self.head.length:
            raise Malformed("its body is longer than its head said")
        if end:
            self._end()
        self.unread += data
        return len(data)

    def take_reset(self, code: int) -> None:
        """Take in that the server broke it off."""
        if not self.reset:
            self.reset = True
            untouched = code == Code.REFUSED_STREAM and self.head is None
            what = f"the server reset the stream: {words(code)}"
            self.error = Ended(what, untouched=untouched)

    def _end(self) -> None:
        assert self.head is not None
        if self.head.length not in (None, self._came):
            missing = self.head.length - self._came if self.head.length else 0
            raise Malformed(f"its body ended {missing} bytes too early")
        self.whole = True
