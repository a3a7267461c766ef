"""Reading words as curl reads them, before argparse checks the values.

argparse would take the words after -o, -d or -H for options where they begin with "-", and the
first row of URLs for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from ...exits import Failure, usage
from .option import Option, opposite

_DEPTH = 10
HELP = "mphttp get --help lists them all"


_INSTEAD = {
    "--negotiate": "-u sends Basic, or Digest with --digest",
    "--ntlm": "-u sends Basic, or Digest with --digest",
    "--trace": "-v tells heads and events",
    "--trace-ascii": "-v tells heads and events",
    "--path-as-is": "dot segments are taken out of URLs (RFC 3986, 5.2.4)",
    "--stderr": "2>FILE",
    "--libcurl": "there is mphttp.curl for programs",
    "--raw": "without --compressed, bodies come as they are; chunks are undone",
}
"""For options of curl's that aren't here."""

NEXT = "--next"
_ASKS = ("--url=", "--input-file=")
CONFIG = "--config="


def canonical(
    words: Iterable[str],
    options: Mapping[str, Option[object]],
    read: Callable[[str], Iterable[str]],
    depth: int = 0,
) -> Iterator[str]:
    """Yield words that argparse can read in one way only: `--name=value`, `--name`.

    A short option may have its value behind it (-ofile), or others that have none (-sSL). A value
    may begin with "-". What is no option is a URL; after "--" everything is. The words of a file
    (-K) stand in its place.

    Args:
        words: the command line.
        options: by each of their names.
        read: returns the words of a file.
        depth: how many files name each other already.

    Raises:
        Failure: there is no such option, or its value is missing.
    """
    for word in _words(words, options):
        if not word.startswith(CONFIG):
            yield word
            continue
        name = word.removeprefix(CONFIG)
        if depth > _DEPTH:
            raise usage(f"-K: the files name each other without end, as {name}", HELP)
        yield from canonical(read(name), options, read, depth + 1)


def _words(words: Iterable[str], options: Mapping[str, Option[object]]) -> Iterator[str]:
    rest = iter(words)
    for word in rest:
        if word == "--":
            yield from (f"--url={text}" for text in rest)
        elif word.startswith("--"):
            yield _long(word, rest, options)
        elif word.startswith("-"):
            yield from _short(word, rest, options)
        else:
            yield f"--url={word}"


def split(words: Iterable[str]) -> list[list[str]]:
    """Split words at each --next with a URL before it; another one begins nothing, as in curl."""
    groups: list[list[str]] = [[]]
    for word in words:
        if word != NEXT:
            groups[-1].append(word)
        elif any(given.startswith(_ASKS) for given in groups[-1]):
            groups.append([])
    return [group for group in groups if group] or [[]]


def by_name(options: Sequence[Option[object]]) -> dict[str, Option[object]]:
    """Return options by each of their names, and switches by the names that take them back."""
    named = {name: one for one in options for name in one.names}
    backs = {opposite(one): one for one in options if one.constant is True}
    return backs | named


def _long(word: str, rest: Iterator[str], options: Mapping[str, Option[object]]) -> str:
    name, equals, given = word.partition("=")
    one = options.get(name)
    if one is None:
        raise unknown(name, list(options))
    if one.parse is None or name == opposite(one):
        if equals:
            raise usage(f"{name} takes no value", HELP)
        return name
    return f"{name}={given if equals else _value(name, one, rest)}"


def _short(word: str, rest: Iterator[str], options: Mapping[str, Option[object]]) -> Iterator[str]:
    for at, letter in enumerate(word[1:], 2):
        name = f"-{letter}"
        one = options.get(name)
        if one is None:
            raise unknown(name if len(word) > 2 else word, list(options))
        if one.parse is not None:
            yield f"{one.name}={word[at:] or _value(name, one, rest)}"
            return
        yield one.name


def _value(name: str, one: Option[object], rest: Iterator[str]) -> str:
    given = next(rest, None)
    if given is None:
        what = one.metavar or "a value"
        raise usage(f"{name} needs {what}, and nothing follows it", HELP)
    return given


def unknown(name: str, known: Sequence[str]) -> Failure:
    """Return the failure for an option that there isn't, with the one that was meant."""
    if name in _INSTEAD:
        return usage(f"there is no option {name}", f"{_INSTEAD[name]}; {HELP}")
    import difflib

    close = difflib.get_close_matches(name, known, 1, 0.75) if name.startswith("--") else []
    guess = f"did you mean {close[0]}? " if close else ""
    return usage(f"there is no option {name}", f"{guess}{HELP}")
