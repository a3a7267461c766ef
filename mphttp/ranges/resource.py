"""Whether a response can be fetched in parts, and whether an answer is the part that was asked for.

The rule of this file: bytes of two versions of an object never meet in one body. Each part has to
show the first response's strong validator, total and coding, or not a byte of it counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from .fields import content_range, retry_after, strong_validator, told_validator

_BUSY = (429, 503)
_CONDITIONS = (b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since")
_OWN = (b"range", b"if-range", b"connection", b"expect", *_CONDITIONS)
"""Fields of the first request that a part's has not, or has otherwise."""

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Resource:
    """What a first response's body is a part of.

    Args:
        offset: where in the object the body begins, in bytes.
        length: bytes of the body.
        total: bytes of the whole object.
        validator: a strong entity tag, or a date that is as good.
        coding: value of Content-Encoding, "" for none.
        headers: fields that each request for a part has, but for its range.
    """

    offset: int
    length: int
    total: int
    validator: str
    coding: str
    headers: Headers

    def request_headers(self, start: int, stop: int) -> Headers:
        """Return the fields that ask for a part.

        Args:
            start: of the part, in bytes from the beginning of the first response's body.
            stop: its end, exclusive.
        """
        first, last = self.offset + start, self.offset + stop - 1
        return [
            *self.headers,
            (b"Range", b"bytes=%d-%d" % (first, last)),
            (b"If-Range", self.validator.encode("latin-1")),
        ]


@dataclass(frozen=True, slots=True)
class NotInParts:
    """Why a response can't be fetched in parts.

    Args:
        why: one sentence, without its end.
    """

    why: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is not the part that was asked for.

    Args:
        what: one sentence.
        wait: seconds for which the server asks to be left alone; None where it can't be trusted
            with parts at all.
    """

    what: str
    wait: float | None = None


def resource_of(
    method: bytes, asked: Iterable[tuple[bytes, bytes]], status: int, told: Mapping[str, str]
) -> Resource | NotInParts:
    """Look whether a response can be fetched in parts.

    Args:
        method: of the request.
        asked: the request's header fields.
        status: of the response.
        told: the response's header fields, by names in lower case.
    """
    asked = list(asked)
    fields = {name.lower() for name, _ in asked}
    if method != b"GET" or fields & {b"content-length", b"transfer-encoding"}:
        return NotInParts("only a GET without a body can be asked for again")
    length = told.get("content-length", "")
    if "transfer-encoding" in told or not (length.isascii() and length.isdigit()) or length == "0":
        return NotInParts("the response doesn't tell its length")
    place = _place(status, int(length), fields, told)
    if isinstance(place, NotInParts):
        return place
    validator = strong_validator(told)
    if validator is None:
        return NotInParts("no strong validator shows which version of the object it is")
    headers = [field for field in asked if field[0].lower() not in _OWN]
    offset, total = place
    return Resource(
        offset, int(length), total, validator, told.get("content-encoding", ""), headers
    )


def _place(
    status: int, length: int, fields: set[bytes], told: Mapping[str, str]
) -> tuple[int, int] | NotInParts:
    """Return where in its object a body begins, and how long that is."""
    if status == 200:
        if told.get("accept-ranges", "").strip().lower() != "bytes":
            return NotInParts("the server offers no ranges")
        return 0, length
    part = content_range(told.get("content-range")) if status == 206 else None
    if part is None or b"range" not in fields or part.last - part.first + 1 != length:
        return NotInParts(f"a response with status {status} isn't a body of which there are parts")
    if part.total is None:
        return NotInParts("the server doesn't tell how long the whole object is")
    return part.first, part.total


def refusal_of(
    resource: Resource,
    part: tuple[int, int],
    status: int,
    told: Mapping[str, str],
    now: datetime,
) -> Refusal | None:
    """Look at the head of an answer; None if its body is the part that was asked for.

    Args:
        resource: what the part is of.
        part: start and stop, as given to `Resource.request_headers`.
        status: of the answer.
        told: its header fields, by names in lower case.
        now: with a time zone.
    """
    if status == 206:
        return _mismatch(resource, part, told)
    if status in _BUSY:
        wait = retry_after(told.get("retry-after"), now)
        return Refusal(f"the server is busy: it answered {status} to a request for a part", wait)
    if status == 200 and told_validator(told, resource.validator) == resource.validator:
        return Refusal("the server offers ranges and then ignores them")
    if status in (200, 412, 416):
        return Refusal("the object has changed since the response began")
    return Refusal(f"the server answered {status} to a request for a part")


def _mismatch(resource: Resource, part: tuple[int, int], told: Mapping[str, str]) -> Refusal | None:
    if told.get("content-type", "").strip().lower().startswith("multipart/"):
        return Refusal("the server sent a multipart answer to a request for one part")
    place = content_range(told.get("content-range"))
    if place is None or "transfer-encoding" in told:
        return Refusal("the server didn't say which part it sent, or how long it is")
    # What was a length is an object's: one of another length is another version.
    if told_validator(told, resource.validator) != resource.validator or place.total not in (
        None,
        resource.total,
    ):
        return Refusal("the object has changed since the response began")
    if told.get("content-encoding", "") != resource.coding:
        return Refusal("the server sent a part in another content coding")
    wanted = (resource.offset + part[0], resource.offset + part[1] - 1)
    length = told.get("content-length")
    if (place.first, place.last) != wanted or length != str(part[1] - part[0]):
        return Refusal("the server sent another part than it was asked for")
    return None


def by_name(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return header fields by names in lower case; repeated ones are joined (section 5.2)."""
    fields: dict[str, str] = {}
    for name, value in headers:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        fields[key] = f"{fields[key]}, {text}" if key in fields else text
    return fields
