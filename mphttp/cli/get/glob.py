"""URLs with sets and ranges: `{a,b}`, `[1-9]`, `[001-100:10]`, `[a-z]`, as curl has them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

from ..exits import ExitCode, Failure
from ..url import without_userinfo

_ADDRESS = re.compile(r"\[[0-9a-fA-F:.]*:[0-9a-fA-F:.]*(?:%[^\]]*)?\]")
"""An IPv6 address: no range has a colon before its dash."""
_NUMBERS = re.compile(r"\[([0-9]{1,18})-([0-9]{1,18})(?::([0-9]{1,18}))?\]", re.ASCII)
_LETTERS = re.compile(r"\[([a-zA-Z])-([a-zA-Z])(?::([0-9]{1,3}))?\]", re.ASCII)
_SET = re.compile(r"\{((?:[^{}\[\]\\]|\\.)*)\}", re.DOTALL)
_PLAIN = re.compile(r"(?:[^{}\[\]\\]|\\[{}\[\]]|\\|\[\])+", re.DOTALL)
_MOST = 1_000_000
"""URLs; nobody means more, and they are all in memory."""


@dataclass(frozen=True)
class Globbed:
    """One of the URLs that a pattern stands for.

    Args:
        text: the URL.
        values: what stands in the place of each set and range.
    """

    text: str
    values: tuple[str, ...] = ()

    def named(self, name: str) -> str:
        """Return a file's name with each `#1` replaced by the value of that set or range."""
        return re.sub(r"#([0-9]{1,3})", self._value, name)

    def _value(self, found: re.Match[str]) -> str:
        number = int(found[1])
        return self.values[number - 1] if 0 < number <= len(self.values) else found[0]


def expanded(text: str) -> list[Globbed]:
    """Return the URLs that a pattern stands for; the last set or range varies first.

    Raises:
        Failure: a set or a range can't be understood, or they stand for too many.
    """
    parts = list(_parts(text))
    total = 1
    for values, _ in parts:
        total *= len(values)
    if total > _MOST:
        raise _bad(text, f"it stands for {total} URLs")
    globs = [at for at, (_, glob) in enumerate(parts) if glob]
    return [
        Globbed("".join(chosen), tuple(chosen[at] for at in globs))
        for chosen in product(*(values for values, _ in parts))
    ]


def _parts(text: str) -> Iterator[tuple[list[str], bool]]:
    """Yield what can stand at each place, and whether it is a set or a range."""
    at = 0
    while at < len(text):
        for pattern, read, glob in _KINDS:
            if found := pattern.match(text, at):
                values = read(found)
                if not values:
                    raise _bad(text, f"{found[0]} is empty")
                yield values, glob
                at = found.end()
                break
        else:
            raise _bad(text, f"what begins with {text[at : at + 20]!r} is neither set nor range")


def _plain(found: re.Match[str]) -> list[str]:
    return [re.sub(r"\\([{}\[\]])", r"\1", found[0])]


def _as_it_is(found: re.Match[str]) -> list[str]:
    return [found[0]]


def _set(found: re.Match[str]) -> list[str]:
    if not found[1]:
        return []
    return [re.sub(r"\\(.)", r"\1", item) for item in re.split(r"(?<!\\),", found[1])]


def _numbers(found: re.Match[str]) -> list[str]:
    first, last, step = int(found[1]), int(found[2]), int(found[3] or 1)
    # A zero in front asks for that many digits.
    width = len(found[1]) if found[1].startswith("0") else 1
    return _stepped(first, last, step, lambda number: f"{number:0{width}}")


def _letters(found: re.Match[str]) -> list[str]:
    first, last = ord(found[1]), ord(found[2])
    if found[1].islower() != found[2].islower():
        return []
    return _stepped(first, last, int(found[3] or 1), chr)


def _stepped(first: int, last: int, step: int, write: Callable[[int], str]) -> list[str]:
    found = range(first, last + 1, step) if step else range(0)
    if len(found) > _MOST:
        raise Failure(ExitCode.URL, f"a range stands for {len(found)} URLs", _HINT)
    return list(map(write, found))


_HINT = "with -g, braces and brackets are letters like others"
_KINDS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], list[str]], bool], ...] = (
    (_PLAIN, _plain, False),
    (_ADDRESS, _as_it_is, False),
    (_NUMBERS, _numbers, True),
    (_LETTERS, _letters, True),
    (_SET, _set, True),
)


def _bad(text: str, why: str) -> Failure:
    return Failure(ExitCode.URL, f"{without_userinfo(text)!r} is no pattern of URLs: {why}", _HINT)
