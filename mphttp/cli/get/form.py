"""`-F`: a form of several parts, in curl's language."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import httpx

from ..environment import Environment
from ..exits import usage
from ..url import basename
from .content import read_file
from .multipart import Data, File, Part, Parts, Text

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
_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # RFC 9110, 5.5


class Form:
    """The body of a form.

    Args:
        given: the text of each -F and --form-string, and before it whether it is the latter.
        environment: where files are read.
        media_type: what the whole is said to be, without the boundary.
        backslashes: whether quotes in names are written with a backslash, and not by percent.

    Raises:
        Failure: a part can't be understood, or its file can't be read.
    """

    repeatable = True
    """Whether it can be read once more."""

    def __init__(
        self,
        given: Sequence[tuple[bool, str]],
        environment: Environment,
        media_type: str = "multipart/form-data",
        *,
        backslashes: bool = False,
    ) -> None:
        # As in curl, what is in no form has no place in one.
        of_form = media_type.lower().startswith("multipart/form-data")
        disposition = "form-data" if of_form else "attachment"
        parts = [
            replace(
                _plain(text) if plain else _part(text, environment, backslashes),
                disposition=disposition,
            )
            for plain, text in given
        ]
        self._parts = Parts(parts, backslashes=backslashes)
        self.size: int | None = self._parts.size
        self.media_type = f"multipart/form-data; boundary={self._parts.boundary}"

    def stream(self) -> httpx.SyncByteStream:
        """Return it; each time it is read, from the beginning."""
        return self._parts


def _plain(text: str) -> Part:
    name, data = _named(text)
    return Part(Text(os.fsencode(data)), name)


def _named(text: str) -> tuple[str, str]:
    name, equals, rest = text.partition("=")
    if not equals:
        raise usage(f"-F: {text!r} has no =", _HINT)
    return name, rest


def _part(text: str, environment: Environment, backslashes: bool) -> Part:
    name, rest = _named(text)
    if rest.startswith("("):
        raise usage("-F: parts within parts aren't sent here", _HINT)
    if rest.startswith("@"):
        files = list(_files(rest[1:], text, environment))
        if len(files) == 1:
            return replace(files[0], name=name)
        # The part has parts of its own (RFC 2388, 4.2).
        several = Parts(files, backslashes=backslashes)
        return Part(several, name, None, f"multipart/mixed; boundary={several.boundary}")
    from_file = rest.startswith("<")
    word, options, _ = _options(rest[1:] if from_file else rest, text, "")
    data = read_file(word, environment) if from_file else os.fsencode(word)
    return Part(Text(data), name, options.get("filename"), options.get("type"))


def _files(rest: str, text: str, environment: Environment) -> Iterator[Part]:
    """Yield a part for each of the files between commas."""
    more = True
    while more:
        word, options, behind = _options(rest, text, ",")
        yield _file(word, options, environment)
        more, rest = bool(behind), behind[1:]


def _file(word: str, options: Mapping[str, str], environment: Environment) -> Part:
    kind = options.get("type")
    if word == "-" and kind is None:
        raise usage("-F: nobody knows what comes by stdin", "-F 'NAME=@-;type=text/plain'")
    file_name = options.get("filename", basename(word))
    ends = [os.path.splitext(one)[1].lower() for one in (file_name, word)]
    known = [_TYPES[end] for end in ends if end in _TYPES]
    kind = kind or next(iter(known), "application/octet-stream")
    return Part(_data(word, environment), "", file_name, kind, "attachment")


def _options(text: str, whole: str, end: str) -> tuple[str, dict[str, str], str]:
    """Split a value from what stands behind it, and from what begins with a sign that ends it."""
    bare = f"[^;{end}]*"
    word = re.compile(rf"\s*{_QUOTED}\s*(?=[;{end}]|$)|({bare})", re.DOTALL).match(text)
    option_form = re.compile(rf'\s*;\s*([a-z]+)=("(?:[^"\\]|\\.)*"|{bare})\s*', re.DOTALL)
    assert word is not None  # it may be empty
    at, last, begins = word.end(), "", 0
    found: dict[str, str] = {}
    while at < len(text) and not (end and text.startswith(end, at)):
        option = option_form.match(text, at)
        known = option is not None and option[1] in ("type", "filename")
        if option is None or not (known or last == "type"):
            raise usage(f"-F: {whole!r} can't be understood after the ;", _HINT)
        at = option.end()
        if known:
            last, begins = option[1], option.start(2)
        if last == "type":  # with its parameters
            found[last] = text[begins:at].rstrip()
        else:
            found[last] = _unquoted(option[2])
    if _CONTROLS.search(found.get("type", "")):
        raise usage("-F: a control character can't stand in a type", _HINT)
    value = word[2].strip() if word[1] is None else _unquoted(f'"{word[1]}"')
    return value, found, text[at:]


def _unquoted(text: str) -> str:
    if len(text) > 1 and text.startswith('"') and text.endswith('"'):
        return re.sub(r'\\(["\\])', r"\1", text[1:-1])
    return text.rstrip()


def _data(name: str, environment: Environment) -> Data:
    if name == "-" or not os.path.isfile(name):
        return Text(read_file(name, environment))
    return File(name)
