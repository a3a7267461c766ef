"""`-F`: a form of several parts, as httpx encodes it."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import IO, cast

import httpx

from ..environment import Environment
from ..exits import usage
from ..url import basename
from .content import read_file, readable

_TYPES = {
    ".gif": "image/gif",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".htm": "text/html",
    ".html": "text/html",
    ".pdf": "application/pdf",
    ".xml": "application/xml",
}
"""curl's; all else is application/octet-stream."""
_HINT = "-F NAME=TEXT, NAME=@FILE or NAME=<FILE, each with ;type=TYPE, and ;filename=NAME"
_OPTION = re.compile(r'\s*;\s*([a-z]+)=("(?:[^"\\]|\\.)*"|[^;]*)', re.DOTALL)
_WORD = re.compile(r'\s*"((?:[^"\\]|\\.)*)"\s*(?=;|$)|([^;]*)', re.DOTALL)

_Part = tuple[str, tuple[str | None, bytes | IO[bytes], str | None]]


class Form:
    """The body of a form.

    Args:
        given: the text of each -F and --form-string, and before it whether it is the latter.
        environment: where files are read.

    Raises:
        Failure: a part can't be understood, or its file can't be read.
    """

    def __init__(self, given: Sequence[tuple[bool, str]], environment: Environment) -> None:
        parts = [_part(text, environment, plain=plain) for plain, text in given]
        encoded = httpx.Request("POST", "http://localhost/", files=parts)
        self.size: int | None = int(encoded.headers["content-length"])
        self.media_type = encoded.headers["content-type"]
        self._stream = encoded.stream

    @property
    def repeatable(self) -> bool:
        """Whether it can be read once more."""
        return True

    def stream(self) -> httpx.SyncByteStream:
        """Return it; each time it is read, from the beginning."""
        return cast("httpx.SyncByteStream", self._stream)


def _part(text: str, environment: Environment, *, plain: bool) -> _Part:
    name, equals, rest = text.partition("=")
    if not equals:
        raise usage(f"-F: {text!r} has no =", _HINT)
    if plain:
        return name, (None, os.fsencode(rest), None)
    if rest.startswith("("):
        raise usage("-F: parts within parts aren't sent here", _HINT)
    sort = rest[:1] if rest[:1] in ("@", "<") else ""
    word, options = _options(rest.removeprefix(sort), text)
    kind = options.get("type")
    if sort != "@":
        data = read_file(word, environment) if sort else os.fsencode(word)
        return name, (options.get("filename"), data, kind)
    if "," in word and not os.path.exists(word):
        raise usage(f"-F: {word!r} would be several files in one part", "one -F for each file")
    if word == "-" and kind is None:
        raise usage("-F: nobody knows what comes by stdin", f"-F '{name}=@-;type=text/plain'")
    file_name = options.get("filename", basename(word))
    ends = [os.path.splitext(one)[1].lower() for one in (file_name, word)]
    known = [_TYPES[end] for end in ends if end in _TYPES]
    kind = kind or next(iter(known), "application/octet-stream")
    return name, (file_name, _data(word, environment), kind)


def _options(text: str, whole: str) -> tuple[str, dict[str, str]]:
    """Split a value from what stands behind it."""
    word = _WORD.match(text)
    assert word is not None  # it may be empty
    at, last = word.end(), ""
    found: dict[str, str] = {}
    while at < len(text):
        option = _OPTION.match(text, at)
        known = option is not None and option[1] in ("type", "filename")
        if option is None or not (known or last == "type"):
            raise usage(f"-F: {whole!r} can't be understood after the ;", _HINT)
        if known:
            last = option[1]
            found[last] = _unquoted(option[2])
        else:  # a parameter of the type
            found[last] += f";{option[1]}={option[2]}"
        at = option.end()
    return word[2].lstrip() if word[1] is None else _unquoted(f'"{word[1]}"'), found


def _unquoted(text: str) -> str:
    if len(text) > 1 and text.startswith('"') and text.endswith('"'):
        return re.sub(r'\\(["\\])', r"\1", text[1:-1])
    return text.rstrip()


def _data(name: str, environment: Environment) -> bytes | IO[bytes]:
    if name == "-" or not os.path.isfile(name):
        return read_file(name, environment)
    with readable(name):
        return cast("IO[bytes]", _File(name))


class _File:
    """A file that is open only while it is read; what httpx needs of one."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._descriptor: int | None = None
        self._size = os.stat(name).st_size
        self._left = self._size
        with open(name, "rb"):
            pass

    def read(self, count: int) -> bytes:
        with readable(self._name):
            if self._descriptor is None:
                self._descriptor = os.open(self._name, os.O_RDONLY | os.O_CLOEXEC)
            data = os.read(self._descriptor, min(count, self._left))
        self._left -= len(data)
        if not data:
            self._close()
        return data

    def tell(self) -> int:
        return self._size - self._left

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to the beginning, or tell the end, which is all that is asked for."""
        self._close()
        self._left = self._size
        return self._size if whence == os.SEEK_END else offset

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __del__(self) -> None:
        self._close()
