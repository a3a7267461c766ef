"""Bodies of several parts (RFC 7578; RFC 2046, section 5.1), whose files are read as they leave."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import httpx

from .content import readable

_BLOCK = 64 * 1024
_PERCENT = (('"', "%22"), ("\r", "%0D"), ("\n", "%0A"))
"""As browsers do it (HTML, 4.10.21.8), and nothing else."""
_BACKSLASH = (("\\", "\\\\"), ('"', '\\"'))


class Data(Protocol):
    """What is in a part: pieces, each time from the first one, and how many bytes they are."""

    @property
    def size(self) -> int:
        """Bytes."""

    def __iter__(self) -> Iterator[bytes]: ...


class Text:
    """Data that is here."""

    def __init__(self, data: bytes) -> None:
        self.size = len(data)
        self._data = data

    def __iter__(self) -> Iterator[bytes]:
        yield self._data


class File:
    """A file that is open only while it is read; it has as many bytes as it had at first.

    Raises:
        Failure: it can't be read.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        with readable(name), open(name, "rb") as file:
            self.size = os.fstat(file.fileno()).st_size

    def __iter__(self) -> Iterator[bytes]:
        left = self.size
        with readable(self._name), open(self._name, "rb") as file:
            while data := file.read(min(left, _BLOCK)):
                left -= len(data)
                yield data


@dataclass(frozen=True)
class Part:
    """One part.

    Args:
        data: what is in it.
        name: of the field, "" for none.
        file_name: None for none.
        media_type: None for none; that of `Parts` has their boundary.
        disposition: what is to be done with it (RFC 2183).
    """

    data: Data
    name: str = ""
    file_name: str | None = None
    media_type: str | None = None
    disposition: str = "form-data"

    def head(self, *, backslashes: bool) -> bytes:
        """Return its fields, and the empty line after them.

        Args:
            backslashes: whether quotes in names are written with a backslash, and not by percent.
        """
        signs = _BACKSLASH if backslashes else _PERCENT
        told = [self.disposition]
        told += [f'name="{_quoted(self.name, signs)}"'] if self.name else []
        if self.file_name is not None:
            told.append(f'filename="{_quoted(self.file_name, signs)}"')
        lines = [f"Content-Disposition: {'; '.join(told)}"]
        lines += [f"Content-Type: {self.media_type}"] if self.media_type else []
        return os.fsencode("\r\n".join((*lines, "", "")))


class Parts(httpx.SyncByteStream):
    """Parts, one behind the other; each time they are read from the first one.

    Args:
        parts: of them.
        backslashes: as for `Part.head`.

    Attributes:
        boundary: stands between them.
        size: in bytes.
    """

    def __init__(self, parts: Iterable[Part], *, backslashes: bool = False) -> None:
        self.boundary = "-" * 24 + secrets.token_hex(8)
        self._parts: Sequence[tuple[bytes, Data]] = [
            (part.head(backslashes=backslashes), part.data) for part in parts
        ]
        around = sum(len(line) + len(head) for line, head in self._lines())
        self.size = around + sum(data.size for _, data in self._parts)

    def __iter__(self) -> Iterator[bytes]:
        lines = self._lines()
        for _, data in self._parts:
            yield b"".join(next(lines))
            yield from data
        yield b"".join(next(lines))

    def _lines(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield what stands before each part, and behind the last one."""
        before = b""
        for head, _ in self._parts:
            yield before + f"--{self.boundary}\r\n".encode(), head
            before = b"\r\n"
        yield before + f"--{self.boundary}--\r\n".encode(), b""


def _quoted(text: str, signs: Iterable[tuple[str, str]]) -> str:
    for sign, written in signs:
        text = text.replace(sign, written)
    return text
