"""The head of a response, from the lines that libcurl hands out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_NO_BODY = (204, 304)
_REDIRECTS = (301, 302, 303, 307, 308)
_LONGEST = 2**63 - 1
_STATUS_LINE = re.compile(r"(HTTP/\d(?:\.\d)?) +(\d{3})(?: +(.*))?", re.DOTALL)


@dataclass(slots=True)
class Head:
    """Status and header fields.

    Args:
        version: such as "HTTP/1.1" or "HTTP/2".
        status: the status code.
        reason: the words after it, or "".
        fields: names and values, in the order in which they came.
        raw: all of it as it came, after interim ones, with the empty line at its end.
    """

    version: str
    status: int
    reason: str = ""
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)
    raw: bytes = b""

    def value(self, name: bytes) -> bytes | None:
        """Return the last value of a field, or None.

        Args:
            name: in lower case.
        """
        return next((v for n, v in reversed(self.fields) if n.lower() == name), None)

    @property
    def interim(self) -> bool:
        """Whether the real response is still to come (RFC 9110, 15.2)."""
        return self.status < 200

    @property
    def redirects(self) -> bool:
        """Whether it points elsewhere (RFC 9110, section 15.4)."""
        return self.status in _REDIRECTS and bool(self.value(b"location"))

    def length(self, method: str) -> int | None:
        """Return the bytes of the body that the head promises, or None (RFC 9112, 6.3)."""
        if method == "HEAD" or self.status in _NO_BODY:
            return 0
        if self.value(b"transfer-encoding") is not None:
            return None
        values = (value for name, value in self.fields if name.lower() == b"content-length")
        # A list of the same number is taken for that one (RFC 9110, 8.6); the rest is libcurl's to
        # refuse, some versions don't.
        told = {word.strip() for value in values for word in value.split(b",")}
        word = told.pop() if len(told) == 1 else b""
        # What no counter holds, no body has: it ends too early.
        return min(int(word.lstrip(b"0")[:20] or b"0"), _LONGEST) if word.isdigit() else None


_MOST_TRAILERS = 300 * 1024
"""Bytes of trailers, as libcurl has it for a head (lib/http.h, MAX_HTTP_RESP_HEADER_SIZE)."""


class TooManyTrailers(Exception):
    """A body is followed by more fields than anybody means; libcurl before 8.23 takes them all."""


class HeadReader:
    """Puts heads together, line by line.

    Attributes:
        trailers: the lines that came after a head, and have no status line, with their ends.
    """

    def __init__(self) -> None:
        self.trailers: list[bytes] = []
        self._head: Head | None = None
        self._raw = b""
        self._trailers = 0

    @property
    def interim(self) -> bytes:
        """What has come of heads before the response's own."""
        return self._raw

    def line(self, line: bytes) -> Head | None:
        """Take a line; return the head that it ends, or None.

        Raises:
            TooManyTrailers: these are no trailers.
        """
        text = line.rstrip(b"\r\n")
        if self._head is None:
            if begins := _STATUS_LINE.fullmatch(text.decode("latin-1")):
                self._head = Head(begins[1], int(begins[2]), begins[3] or "")
        elif text:
            self._field(self._head, text)
        if self._head is not None:
            self._raw += line
            self._trailers = 0
        else:
            self._trailers += len(line)
            if self._trailers > _MOST_TRAILERS:
                raise TooManyTrailers("the trailers are too large")
            self.trailers += [line] if text else []
        if text or self._head is None:
            return None
        head, self._head = self._head, None
        head.raw = self._raw
        if not head.interim:
            self._raw = b""
        return head

    @staticmethod
    def _field(head: Head, text: bytes) -> None:
        if text[:1] in b" \t" and head.fields:  # a line that continues the one before (obsolete)
            name, value = head.fields.pop()
            head.fields.append((name, value + b" " + text.strip()))
            return
        name, _, value = text.partition(b":")
        head.fields.append((name.strip(), value.strip()))
