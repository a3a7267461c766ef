"""The head of a response, from the lines that libcurl hands out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_NO_BODY = (204, 304)
_STATUS_LINE = re.compile(r"(HTTP/\d(?:\.\d)?) +(\d{3})(?: +(.*))?", re.DOTALL)


@dataclass(slots=True)
class Head:
    """Status and header fields.

    Args:
        version: such as "HTTP/1.1" or "HTTP/2".
        status: the status code.
        reason: the words after it, or "".
        fields: names and values, in the order in which they came.
    """

    version: str
    status: int
    reason: str = ""
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)

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
        """Whether libcurl goes elsewhere if it may."""
        return 300 <= self.status < 400 and bool(self.value(b"location"))

    def length(self, method: str) -> int | None:
        """Return the bytes of the body that the head promises, or None (RFC 9112, 6.3)."""
        if method == "HEAD" or self.status in _NO_BODY:
            return 0
        length = self.value(b"content-length")
        if length is None or self.value(b"transfer-encoding") is not None:
            return None
        return int(length)


class HeadReader:
    """Puts heads together, line by line; trailers, which have no status line, are passed over."""

    def __init__(self) -> None:
        self._head: Head | None = None

    def line(self, line: bytes) -> Head | None:
        """Take a line; return the head that it ends, or None."""
        text = line.rstrip(b"\r\n")
        if self._head is None:
            if begins := _STATUS_LINE.fullmatch(text.decode("latin-1")):
                self._head = Head(begins[1], int(begins[2]), begins[3] or "")
        elif text:
            self._field(self._head, text)
        else:
            head, self._head = self._head, None
            return head
        return None

    @staticmethod
    def _field(head: Head, text: bytes) -> None:
        if text[:1] in b" \t" and head.fields:  # a line that continues the one before (obsolete)
            name, value = head.fields.pop()
            head.fields.append((name, value + b" " + text.strip()))
            return
        name, _, value = text.partition(b":")
        head.fields.append((name.strip(), value.strip()))
