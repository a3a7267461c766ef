"""What an answer means for the bytes that are here already (RFC 9110, sections 13.1.5 and 14).

The rule of this file: bytes of two versions of an object never meet in one body. Only a strong
validator shows that two answers are of the same version; where there is none, nothing is appended
unless the user vouches for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mphttp.ranges.fields import content_range, strong_validator, told_validator

_UNSATISFIED = re.compile(r"bytes \*/(\d+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Version:
    """Which version of which object some bytes belong to.

    Args:
        source: the URL that answered, without its query: an entity tag means nothing elsewhere.
        validator: a strong entity tag, or a date that is as good; what If-Range takes.
        length: bytes of the whole object, or None.
    """

    source: str
    validator: str
    length: int | None


@dataclass(frozen=True, slots=True)
class Held:
    """What is here of a body: its first bytes.

    Args:
        size: how many.
        version: of which version they are, or None if that isn't known.
        found: whether they were there before this run, and the user wants them continued.
        vouched: whether the user has said that they are right, too (`-C OFFSET`).
        rewindable: whether they can be taken back, as those in a pipe can't.
    """

    size: int
    version: Version | None = None
    found: bool = False
    vouched: bool = False
    rewindable: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an answer.

    Args:
        status: its status code.
        headers: by names in lower case.
        source: the URL that gave it, without its query.
    """

    status: int
    headers: Mapping[str, str]
    source: str


@dataclass(frozen=True, slots=True)
class Append:
    """Write this body after what is here.

    Args:
        stop: how many bytes there will be then.
        length: bytes of the whole object, or None.
    """

    stop: int
    length: int | None


@dataclass(frozen=True, slots=True)
class StartOver:
    """Take back what is here and write this body from its beginning."""

    why: str = ""


@dataclass(frozen=True, slots=True)
class Skip:
    """Drop as many bytes of this body as are here, and write the rest after them."""

    count: int
    why: str


@dataclass(frozen=True, slots=True)
class Whole:
    """Everything is here already."""


@dataclass(frozen=True, slots=True)
class AskAgain:
    """This answer is of no use: ask for the whole object."""

    why: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """Neither this answer nor another one can go on from what is here.

    Args:
        why: one sentence.
        status: whether it is the answer's status that says no.
    """

    why: str
    status: bool = False


Decision = Append | StartOver | Skip | Whole | AskAgain | Refuse

_CHANGED = "the object has changed"
_UNKNOWN = "nothing shows that the bytes here are of the same version"


def range_fields(held: Held) -> dict[str, str]:
    """Return the header fields that ask for the rest of an object."""
    fields = {"Range": f"bytes={held.size}-"}
    if held.version is not None:
        fields["If-Range"] = held.version.validator
    return fields


def version_of(answer: Answer) -> Version | None:
    """Return the version that an answer with status 200 or 206 is of, None without strong proof."""
    validator = strong_validator(answer.headers)
    return None if validator is None else Version(answer.source, validator, _length(answer))


def decide(held: Held, answer: Answer) -> Decision:
    """Decide what to do with the answer to a request that had `range_fields(held)`.

    Args:
        held: what is here, at least one byte.
        answer: the head of what came.
    """
    decision = _unbound(held, answer)
    if isinstance(decision, AskAgain | StartOver) and not held.rewindable:
        return Refuse(f"{decision.why}, and what was written can't be taken back")
    return decision


def _unbound(held: Held, answer: Answer) -> Decision:
    """Decide as if all that is here could be taken back."""
    match answer.status:
        case 206:
            return _on_part(held, answer)
        case 416:
            return _on_unsatisfiable(held, answer)
        case 200:
            return _on_whole(held, answer)
        case status:
            return Refuse(f"the server answered {status}", status=True)


def _on_part(held: Held, answer: Answer) -> Append | AskAgain:
    told = content_range(answer.headers.get("content-range"))
    if told is None:
        return AskAgain("the server didn't say which part it sent")
    first, last, length = told
    if first != held.size or not _sized(answer, last - first + 1):
        return AskAgain("the server sent another part than it was asked for")
    if held.version is None:
        return Append(last + 1, length) if held.vouched else AskAgain(_UNKNOWN)
    if not _same(held.version, answer, length):
        return AskAgain(_CHANGED)
    return Append(last + 1, length)


def _on_unsatisfiable(held: Held, answer: Answer) -> Whole | AskAgain:
    match = _UNSATISFIED.fullmatch(answer.headers.get("content-range", ""))
    known = held.version.length if held.version else None
    # A file that was there is taken for whole, as curl does; nothing is added to it.
    trusted = held.found or held.version is not None
    if match is None and held.vouched:
        return Whole()
    if match and int(match[1]) == held.size and known in (None, held.size) and trusted:
        return Whole()
    return AskAgain(f"the object isn't {held.size} bytes long" if match else _UNKNOWN)


def _on_whole(held: Held, answer: Answer) -> StartOver | Skip:
    same = held.version is not None and held.version == version_of(answer)
    why = _CHANGED if held.version is not None and not same else "the server doesn't send parts"
    if (same or held.vouched) and not held.rewindable:
        return Skip(held.size, why)
    return StartOver(why)


def _same(version: Version, answer: Answer, length: int | None) -> bool:
    """Whether a part is of this version: If-Range says so, unless the answer contradicts itself."""
    told = told_validator(answer.headers, version.validator)
    return (
        answer.source == version.source
        and told in (None, version.validator)
        and (None in (length, version.length) or length == version.length)
    )


def _sized(answer: Answer, count: int) -> bool:
    return answer.headers.get("content-length", str(count)) == str(count)


def _length(answer: Answer) -> int | None:
    if answer.status == 206:
        part = content_range(answer.headers.get("content-range"))
        return part.total if part else None
    told = answer.headers.get("content-length", "")
    chunked = "transfer-encoding" in answer.headers
    return int(told) if re.fullmatch(r"[0-9]+", told) and not chunked else None
