"""What is asked for through libcurl, and how its body is sent."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pycurl

from mphttp.strategies import Strategy

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
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
        follow_redirects: whether libcurl goes where a 3xx response points.
        max_redirects: how often at most.

    Raises:
        ValueError: a header has a line break in it, or the method isn't one word.
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

    def __post_init__(self) -> None:
        for words in self.lines():
            if any(sign in words for sign in "\r\n\0"):
                raise ValueError(f"a header can't have a line break in it: {words!r}")
        if not _TOKEN.fullmatch(self.method):
            raise ValueError(f"a method is one word, not {self.method!r}")

    def lines(self) -> list[str]:
        """Return the headers as libcurl takes them; an empty value is written with a semicolon."""
        return [f"{name}: {value}" if value else f"{name};" for name, value in self._headers]

    def fields(self) -> list[tuple[bytes, bytes]]:
        """Return the headers as they are sent."""
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self._headers]

    @property
    def _headers(self) -> Iterable[tuple[str, str]]:
        return self.headers.items() if isinstance(self.headers, Mapping) else self.headers

    def apply(self, easy: pycurl.Curl, wrap: Callable[[Callable[..., Any], Any], Any]) -> None:
        """Set it on a handle.

        Args:
            easy: the handle.
            wrap: makes a callback safe: from a function, and what libcurl gets when it raises.
        """
        lines = self.lines()
        present = {line.partition(":")[0].rstrip(";").lower() for line in lines}
        # What libcurl adds by itself is sent only if it was asked for.
        unwanted = {"accept", "content-type", "expect", "user-agent"} - present
        lines += [f"{name}:" for name in sorted(unwanted)]
        if self.content is not None and self._size is None:
            lines.append("Transfer-Encoding: chunked")
        easy.setopt(pycurl.URL, self.url.encode())
        easy.setopt(pycurl.HTTPHEADER, [line.encode("latin-1") for line in lines])
        easy.setopt(pycurl.FOLLOWLOCATION, int(self.follow_redirects))
        easy.setopt(pycurl.MAXREDIRS, self.max_redirects)
        self._apply_method(easy)
        if self.content is not None:
            self._apply_content(easy, wrap)
        self._apply_limits(easy)

    @property
    def _size(self) -> int | None:
        return len(self.content) if isinstance(self.content, bytes) else self.content_length

    def _apply_method(self, easy: pycurl.Curl) -> None:
        match self.method:
            case "GET" if self.content is None:
                easy.setopt(pycurl.HTTPGET, 1)
            case "HEAD":
                easy.setopt(pycurl.NOBODY, 1)
            case "POST":
                easy.setopt(pycurl.POST, 1)
                if self.content is None:
                    easy.setopt(pycurl.POSTFIELDSIZE, 0)
            case _:
                easy.setopt(pycurl.CUSTOMREQUEST, self.method)
                if self.content is not None:
                    easy.setopt(pycurl.UPLOAD, 1)

    def _apply_content(
        self, easy: pycurl.Curl, wrap: Callable[[Callable[..., Any], Any], Any]
    ) -> None:
        assert self.content is not None
        body = Body(self.content)
        easy.setopt(pycurl.READFUNCTION, wrap(body.read, pycurl.READFUNC_ABORT))
        easy.setopt(pycurl.SEEKFUNCTION, wrap(body.seek, pycurl.SEEKFUNC_FAIL))
        if self._size is not None:
            post = self.method == "POST"
            option = pycurl.POSTFIELDSIZE_LARGE if post else pycurl.INFILESIZE_LARGE
            easy.setopt(option, self._size)

    def _apply_limits(self, easy: pycurl.Curl) -> None:
        easy.setopt(pycurl.TIMEOUT_MS, _milliseconds(self.limits.total))
        # 0 would be libcurl's own 300 s.
        connect = _milliseconds(self.limits.connect) or 2**31 - 1
        easy.setopt(pycurl.CONNECTTIMEOUT_MS, connect)
        if self.limits.silence is not None:
            easy.setopt(pycurl.LOW_SPEED_LIMIT, 1)
            easy.setopt(pycurl.LOW_SPEED_TIME, max(1, round(self.limits.silence)))


class Body:
    """A request's body, handed out piece by piece.

    Args:
        content: all of it, or pieces, which can be read once.
    """

    def __init__(self, content: bytes | Iterable[bytes]) -> None:
        self._all = memoryview(content) if isinstance(content, bytes) else None
        self._pieces: Iterator[bytes] = iter(() if isinstance(content, bytes) else content)
        self._left = memoryview(content if isinstance(content, bytes) else b"")

    def read(self, size: int) -> bytes:
        """Return the next bytes, none at the end.

        Args:
            size: how many at most.
        """
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._left = memoryview(piece)
        taken, self._left = self._left[:size], self._left[size:]
        return bytes(taken)

    def seek(self, offset: int, _origin: int) -> int:
        """Begin anew, for a connection that closed before it took anything, or a redirect."""
        if self._all is None:
            return pycurl.SEEKFUNC_CANTSEEK
        self._left = self._all[offset:]
        return pycurl.SEEKFUNC_OK


def _milliseconds(seconds: float | None) -> int:
    """Return whole milliseconds as libcurl takes them: 0 for no limit."""
    return 0 if seconds is None else max(1, round(seconds * 1e3))
