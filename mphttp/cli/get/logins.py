"""Users and passwords of a netrc file, as curl reads it (lib/netrc.c)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

_WORD = re.compile(r'[ \t\r]*(?:"((?:[^"\\]|\\.)*)"|(?!")([^#\s]\S*))')
_REST = re.compile(r"[ \t\r]*(?:#.*)?")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True)
class Entry:
    """What a file tells of one host.

    Args:
        host: its name in lower case, "" for all others.
        user: None where the file names none.
        password: None where the file names none.
    """

    host: str
    user: str | None = None
    password: str | None = None


def read_entries(text: str) -> tuple[Entry, ...]:
    """Return the entries of a netrc file in their order.

    Raises:
        ValueError: a quoted word has no end.
    """
    entries: list[Entry] = []
    words = _words(text.split("\n"))
    for word in words:
        key = word.lower()
        if key == "machine":
            entries.append(Entry(next(words, "").lower()))
        elif key == "default":
            entries.append(Entry(""))
        elif entries and key == "login":
            entries[-1] = replace(entries[-1], user=next(words, None))
        elif entries and key == "password":
            entries[-1] = replace(entries[-1], password=next(words, None))
    return tuple(entries)


def login_of(entries: Iterable[Entry], host: str, user: str | None) -> tuple[str, str] | None:
    """Return user and password for a host, or None.

    Args:
        entries: of a file.
        host: its name in lower case.
        user: the one whose password is wanted; None for the first of the host.
    """
    of_host = [one for one in entries if one.host in (host, "") and (one.user or one.password)]
    if user is not None:
        of_host = [one for one in of_host if one.user in (user, None) and one.password is not None]
    found = next((one for one in of_host if one.password is not None), next(iter(of_host), None))
    if found is None:
        return None
    return user if user is not None else found.user or "", found.password or ""


def _words(lines: Iterable[str]) -> Iterator[str]:
    """Yield words, but those of macros, which end with an empty line."""
    macro = False
    for number, line in enumerate(lines, 1):
        macro = macro and bool(line.strip("\r"))
        for word in () if macro else _words_of(line, number):
            macro = word.lower() == "macdef"
            if macro:
                break
            yield word


def _words_of(line: str, number: int) -> Iterator[str]:
    at = 0
    while not _REST.fullmatch(line, at):
        word = _WORD.match(line, at)
        if word is None:
            raise ValueError(f"a quoted word in line {number} has no end")
        at = word.end()
        yield word[2] if word[1] is None else _unescaped(word[1])


def _unescaped(word: str) -> str:
    return re.sub(r"\\(.)", lambda sign: _ESCAPED.get(sign[1], sign[1]), word)
