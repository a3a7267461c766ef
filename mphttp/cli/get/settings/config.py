"""Options in a file (`-K`), in curl's language."""

from __future__ import annotations

import re
from collections.abc import Iterator

_LINE = re.compile(r"(?:(-\S+)(?:\s+|$)|([^\s=:-][^\s=:]*)(?:\s*[=:]\s*|\s+|$))(.*)", re.DOTALL)
"""A name with dashes, or one without, which "=" or ":" may end."""
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "v": "\v"}


def words_of(text: str) -> Iterator[str]:
    r"""Yield the words of a file: a line has an option, with or without dashes, and its value.

    What begins with "#" is passed over. A value in double quotes may have spaces and the escapes
    \t, \n, \r, \v, \" and \\; another one ends at the first space.

    Raises:
        ValueError: a line can't be understood.
    """
    for line in text.splitlines():
        found = _LINE.fullmatch(line.strip())
        if found is None or line.strip().startswith("#"):
            continue
        name, value = found[1] or f"--{found[2]}", _value(found[3])
        if value is None:
            yield name
        elif name.startswith("--"):
            yield f"{name}={value}"
        else:
            yield name
            yield value


def _value(text: str) -> str | None:
    if not text.strip() or text.startswith("#"):
        return None
    if text.startswith('"'):
        quoted = _QUOTED.match(text)
        if quoted is None:
            raise ValueError(f"{text[:40]!r} has no quote at its end")
        return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), quoted[1])
    return text.split(maxsplit=1)[0]
