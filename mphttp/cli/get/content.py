"""The body of a request, as curl's options make it."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase, FileIO
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import quote

import httpx

from ..environment import Environment
from ..exits import ExitCode, Failure, usage
from ..url import basename
from .settings.body import Data

_BLOCK = 64 * 1024


@dataclass(frozen=True)
class Plain:
    """Bytes that are known.

    Args:
        data: all of them.
        media_type: for Content-Type, "" for none.
    """

    data: bytes
    media_type: str = "application/x-www-form-urlencoded"

    @property
    def size(self) -> int | None:
        return len(self.data)

    @property
    def repeatable(self) -> bool:
        return True

    def stream(self) -> httpx.SyncByteStream:
        return httpx.ByteStream(self.data)


@dataclass(frozen=True)
class Upload:
    """A file that is sent as it is read.

    Args:
        name: of the file, "-" for stdin.
        stdin: what "-" stands for.
        size: bytes that are sent, or None where only the end tells (a pipe).
        start: bytes at its beginning that aren't.
    """

    name: str
    stdin: BinaryIO
    size: int | None
    media_type: str = ""
    start: int = 0

    @property
    def repeatable(self) -> bool:
        """Whether it can be read once more."""
        return self.size is not None and self.name != "-"

    def stream(self) -> httpx.SyncByteStream:
        return _FileStream(self)


class _FileStream(httpx.SyncByteStream):
    """Reads a file from its beginning each time it is asked to."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        self._begun = False

    def __iter__(self) -> Iterator[bytes]:
        if self._begun and not self._upload.repeatable:
            name = "standard input" if self._upload.name == "-" else self._upload.name
            what = f"{name} can't be sent once more: what was read of it is gone"
            raise Failure(ExitCode.REWIND, what, "send a file instead")
        self._begun = True
        if self._upload.name == "-":
            yield from _blocks(self._upload.stdin, self._upload.size)
            return
        with readable(self._upload.name), FileIO(self._upload.name) as file:
            file.seek(self._upload.start)
            # What is appended meanwhile was not announced.
            yield from _blocks(file, self._upload.size)


class Content(Protocol):
    """The body of a request."""

    @property
    def size(self) -> int | None:
        """Bytes, or None where only the end tells."""

    @property
    def media_type(self) -> str:
        """What it is, "" if nobody says so."""

    @property
    def repeatable(self) -> bool:
        """Whether it can be sent once more."""

    def stream(self) -> httpx.SyncByteStream:
        """Return it from its beginning."""


def _blocks(file: BinaryIO | FileIO, most: int | None) -> Iterator[bytes]:
    """Yield what there is as soon as it is there."""
    read = file.read1 if isinstance(file, BufferedIOBase) else file.read
    left = _BLOCK if most is None else most
    while left and (block := read(min(_BLOCK, left)) or b""):
        yield block
        left -= 0 if most is None else len(block)


def upload_of(name: str, environment: Environment, start: int = 0) -> Upload:
    """Return what `-T NAME` sends.

    Args:
        name: of the file.
        environment: where stdin is.
        start: bytes at its beginning that the server has already.

    Raises:
        Failure: there is no such file, it can't be read, or it has no more bytes than that.
    """
    if name == "-":
        _check_start(name, None, start)
        return Upload(name, environment.stdin, None)
    with readable(name):
        found = os.stat(name)
        if not os.access(name, os.R_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    size = found.st_size if stat.S_ISREG(found.st_mode) else None
    _check_start(name, size, start)
    return Upload(name, environment.stdin, size and size - start, start=start)


def _check_start(name: str, size: int | None, start: int) -> None:
    if start and size is None:
        raise usage(f"-C can't skip the beginning of {name}: nobody knows how long it is")
    if start and size is not None and start >= size:
        raise usage(f"{name} has {size} bytes, so it can't be sent from {start} on")


def upload_url(url: str, name: str) -> str:
    """Return the URL that a file goes to: in a folder, its own name is added, as curl does."""
    if name == "-":
        return url
    path = re.split(r"[?#]", url, maxsplit=1)[0]
    rest = url[len(path) :]
    if "/" not in path.partition("://")[2]:
        path += "/"
    if path.endswith("/"):
        path += quote(os.fsencode(basename(name)), safe="")
    return path + rest


def joined(parts: Iterable[Data], environment: Environment) -> bytes:
    """Return the data of all -d, --data-… and --json, as curl joins them.

    Raises:
        Failure: a file can't be read.
    """
    whole: bytes | None = None
    for part in parts:
        joint = b"" if whole is None or part.kind == "json" else b"&"
        whole = (whole or b"") + joint + _part(part, environment)
    return whole or b""


def in_query(url: str, data: bytes) -> str:
    """Return a URL whose query has data, too (-G).

    Raises:
        Failure: the data can't stand in a URL.
    """
    text = os.fsdecode(data)
    if any(sign <= " " or sign == "\x7f" for sign in text):
        what = "-G: a space or a control character can't stand in a URL"
        raise Failure(ExitCode.URL, what, "--data-urlencode encodes them")
    head, mark, fragment = url.partition("#")
    path, question, query = head.partition("?")
    if "/" not in path.partition("://")[2]:
        path += "/"
    joint = "&" if query and text and not query.endswith("&") else ""
    return f"{path}?{query}{joint}{text}{mark}{fragment}" if question or text else url


def _part(part: Data, environment: Environment) -> bytes:
    if part.kind == "encoded":
        return _encoded(part.text, environment)
    if part.kind == "raw" or not part.text.startswith("@"):
        return os.fsencode(part.text)
    data = read_file(part.text[1:], environment)
    # As in curl, a file of form data may have lines: they are not sent.
    return data.translate(None, b"\r\n\0") if part.kind == "form" else data


def _encoded(text: str, environment: Environment) -> bytes:
    """Encode as curl's --data-urlencode: the first of "=" and else "@" ends a name."""
    mark = "=" if "=" in text else "@"
    name, found, rest = text.partition(mark)
    if not found:
        name, rest = "", text
    data = os.fsencode(rest)
    if found and mark == "@":
        data = read_file(rest, environment)
    encoded = quote(data, safe="").replace("%20", "+").encode()
    return os.fsencode(name) + b"=" + encoded if name else encoded


def read_file(name: str, environment: Environment) -> bytes:
    """Read what an option names by @: a file, or stdin.

    Raises:
        Failure: it can't be read.
    """
    with readable(name):
        return environment.stdin.read() if name == "-" else Path(name).read_bytes()


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Say which file can't be read.

    Raises:
        Failure: the system refused.
    """
    try:
        yield
    except OSError as error:
        what = f"{name} can't be read: {error.strerror or error}"
        raise Failure(ExitCode.READ, what) from error
