"""Lists in files: URLs, as aria2 and wget read them, and digests, as sha256sum writes them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence

from ..environment import Environment
from ..exits import usage
from ..url import basename
from .content import read_file
from .settings import Settings

_DIGEST = re.compile(r"\\?([0-9A-Fa-f]{64}) [ *](.+)")
_BSD = re.compile(r"SHA256 \((.+)\) = ([0-9A-Fa-f]{64})")


def listed_urls(settings: Settings, environment: Environment) -> list[str]:
    """Return the URLs of --input-file: one a line; empty lines, and those with a # first, are none.

    Raises:
        Failure: a file can't be read, or a line has something else.
    """
    return [url for name in settings.input_file for url in _urls(name, environment)]


def _urls(name: str, environment: Environment) -> Iterator[str]:
    lines = os.fsdecode(read_file(name, environment)).splitlines()
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        if len(line.split()) > 1 or line[0].isspace():
            what = f"line {number} of {name} isn't a URL alone: {line[:60]!r}"
            raise usage(what, "one URL a line; options stand on the command line")
        yield line.strip()


def digests(
    given: Sequence[str], outputs: Sequence[str], urls: Sequence[str], environment: Environment
) -> list[str | None]:
    """Return the digest of each body, as --sha256 says it; None if it doesn't.

    Args:
        given: each --sha256.
        outputs: where bodies go; a list has digests by these names, or else by those of the URLs.
        urls: in the same order.
        environment: where files are.

    Raises:
        Failure: there isn't one for each.
    """
    listed = _listed(given, environment)
    if listed is not None:
        return [_found(listed, *pair) for pair in zip(outputs, urls, strict=True)]
    if not given:
        return [None] * len(urls)
    if len(given) != len(urls):
        what = f"--sha256 is there {len(given)} times, for {len(urls)} URL"
        hint = "give one for each URL, in the same order, or --sha256 @SHA256SUMS"
        raise usage(what if len(urls) == 1 else f"{what}s", hint)
    return list(given)


def _found(listed: Mapping[str, str], output: str, url: str) -> str:
    names = [os.path.basename(output), basename(re.split("[?#]", url, maxsplit=1)[0])]
    for name in names:
        if name in listed:
            return listed[name]
    raise usage(f"the list of digests has none for {names[0]!r}", "sha256sum names each file")


def _listed(given: Sequence[str], environment: Environment) -> Mapping[str, str] | None:
    """Return the digests of a list by the names of files; None if there is none.

    Raises:
        Failure: the file can't be read, or is no such list.
    """
    name = _list_of(given)
    if name is None:
        return None
    text = os.fsdecode(read_file(name, environment))
    found = dict(filter(None, map(_digest, text.splitlines())))
    if not found:
        what = f"{name} has no line with a SHA-256 digest and a name"
        raise usage(what, "sha256sum FILE... writes such a list")
    return found


def _list_of(given: Sequence[str]) -> str | None:
    lists = [text[1:] for text in given if text.startswith("@")]
    if lists and len(given) > 1:
        what = "--sha256 @FILE is for all URLs, and another --sha256 for one"
        raise usage(what, "give one of them")
    return lists[0] if lists else None


def _digest(line: str) -> tuple[str, str] | None:
    if found := _DIGEST.fullmatch(line.rstrip("\r")):
        return os.path.basename(found[2]), found[1].lower()
    if found := _BSD.fullmatch(line.rstrip("\r")):
        return os.path.basename(found[1]), found[2].lower()
    return None
