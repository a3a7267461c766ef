"""What is asked for through libcurl."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mphttp.strategies import Strategy

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
Headers = Mapping[str, str] | Sequence[tuple[str, str]]


class Writable(Protocol):
    """A file that bytes can be written to."""

    def write(self, chunk: bytes, /) -> object:
        """Write all of it."""


Target = str | os.PathLike[str] | Writable | Callable[[bytes], object]
"""Where a body goes: a file by its path, an open file, or a function that takes each piece."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long a transfer may take, in seconds; None for no limit.

    Args:
        total: from the start to the last byte.
        connect: until there is a connection, TLS and all.
        silence: without a byte; libcurl counts whole seconds.
    """

    total: float | None = None
    connect: float | None = 30
    silence: float | None = None


@dataclass(frozen=True)
class CurlRequest:
    """One thing to fetch.

    Args:
        url: http:// or https://.
        strategy: when to open and close subflows; None takes the session's.
        method: such as "GET".
        headers: names and values, in the order in which they are sent.
        content: the body to send: bytes, or pieces of it, which are read once.
        content_length: bytes of it in all, where pieces are given and it is known.
        to: where the response's body goes; None keeps it in memory.
        limits: how long it may take.
        follow_redirects: whether to go where a redirect points.
        max_redirects: how often at most.
        http10: whether it is asked for by HTTP/1.0.

    Raises:
        ValueError: a header, the method or the body's length can't be sent so.
    """

    url: str
    strategy: Strategy | None = None
    method: str = "GET"
    headers: Headers = ()
    content: bytes | Iterable[bytes] | None = None
    content_length: int | None = None
    to: Target | None = None
    limits: Limits = Limits()
    follow_redirects: bool = False
    max_redirects: int = 20
    http10: bool = False

    def __post_init__(self) -> None:
        if not TOKEN.fullmatch(self.method):
            raise ValueError(f"a method is one word, not {self.method!r}")
        for name, value in self.fields():
            check_field(name, value)
            self._check_framing(name.lower(), value)
        if self.content_length not in (None, self.size):
            raise ValueError(f"the body has {self.size} bytes, not {self.content_length}")

    def fields(self) -> list[tuple[str, str]]:
        """Return the headers as names and values."""
        given = self.headers.items() if isinstance(self.headers, Mapping) else self.headers
        return [(name, value.strip(" \t")) for name, value in given]

    @property
    def size(self) -> int | None:
        """Bytes of the body, None where that isn't known or there is none."""
        return len(self.content) if isinstance(self.content, bytes) else self.content_length

    def _check_framing(self, name: str, value: str) -> None:
        """Refuse what would say one thing of the body's length while another is sent."""
        chunked = self.content is not None and self.size is None
        if name == "transfer-encoding" and not (chunked and value.lower() == "chunked"):
            raise ValueError("Transfer-Encoding can't be given beside a length (RFC 9112, 6.2)")
        if name == "content-length" and (chunked or value != str(self.size or 0)):
            raise ValueError(f"Content-Length can't be {value!r}: the body has another length")


def check_field(name: str, value: str) -> None:
    """See to it that a header field is one.

    Raises:
        ValueError: its name isn't one word (RFC 9110, 5.6.2), or there is a control character in
            its value, such as a line break (5.5).
    """
    if not TOKEN.fullmatch(name):
        raise ValueError(f"a header's name is one word, not {name!r}")
    if CONTROL.search(value):
        raise ValueError(f"a header can't have a line break in it: {name}: {value!r}")
