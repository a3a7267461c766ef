"""Header sections of HTTP/2 (RFC 9113, section 8): what may be said in them, and is to be heard."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from hpack import HeaderTuple, NeverIndexedHeaderTuple

from mphttp.network.framing import fault_of_framing

from .http2_errors import Malformed, Unsendable

Headers = list[tuple[bytes, bytes]]

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
"""A field's name (RFC 9110, section 5.6.2), in lower case."""
_NO_VALUE = re.compile(rb"[\0\r\n]|^[ \t]|[ \t]\Z")
"""What no value may contain, or begin or end with (RFC 9113, section 8.2.1)."""
_NO_TARGET = re.compile(rb"[\0- \x7f]|^\Z")
_NUMBER = re.compile(rb"[0-9]{1,18}")
_STATUS = re.compile(rb"[1-9][0-9]{2}")
_CONNECTION = {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
"""Fields of HTTP/1.1 that mean nothing here (RFC 9113, section 8.2.2)."""
_SECRETS = {b"authorization", b"proxy-authorization"}
_SHORT_COOKIE = 20
"""Bytes below which a cookie's value can be guessed by what compresses well (RFC 7541, 7.1.3)."""


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a response.

    Args:
        status: its code.
        headers: its fields.
        length: bytes of the body that it promises, or None.
    """

    status: int
    headers: Headers
    length: int | None

    @property
    def interim(self) -> bool:
        """Whether the response is still to come (RFC 9110, section 15.2)."""
        return self.status < 200


def request_fields(
    method: bytes, scheme: bytes, target: bytes, headers: Iterable[tuple[bytes, bytes]]
) -> list[HeaderTuple]:
    """Return what a request's header section says.

    Raises:
        Unsendable: there is something in it that a server could take for something else.
    """
    fields = [(name.lower(), value.strip(b" \t")) for name, value in headers]
    if _TOKEN.fullmatch(method.lower()) is None or _NO_TARGET.search(target):
        raise Unsendable(f"no request line: {method!r} {target!r}")
    if (fault := fault_of_framing(fields)) is not None:
        raise Unsendable(fault)
    for name, value in fields:
        if _TOKEN.fullmatch(name) is None or _NO_VALUE.search(value):
            raise Unsendable(f"no header field: {name!r}: {value!r}")
    pseudo = [(b":method", method), (b":scheme", scheme), (b":path", target)]
    pseudo += [(b":authority", value) for name, value in fields if name == b"host"][:1]
    return [_protected(*field) for field in (*pseudo, *fields) if _sent(*field)]


def _sent(name: bytes, value: bytes) -> bool:
    if name == b"te":
        return value.lower() == b"trailers"
    return name != b"host" and name not in _CONNECTION


def _protected(name: bytes, value: bytes) -> HeaderTuple:
    """Keep secrets out of the table that compresses, whose sizes tell of them."""
    short = name == b"cookie" and len(value) < _SHORT_COOKIE
    kind = NeverIndexedHeaderTuple if short or name in _SECRETS else HeaderTuple
    return kind(name, value)


def request_length(fields: Iterable[tuple[bytes, bytes]]) -> int | None:
    """Return the bytes of the body that a request's fields promise, or None."""
    return next((int(value) for name, value in fields if name == b"content-length"), None)


def has_body(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Tell by a request's header fields whether it has a body."""
    return any(name.lower() in (b"content-length", b"transfer-encoding") for name, _ in headers)


def response_head(method: bytes, fields: Iterable[tuple[bytes, bytes]]) -> Head:
    """Read the head of a response, or of an interim one.

    Args:
        method: of the request.
        fields: as they were decompressed.

    Raises:
        Malformed: it isn't one.
    """
    status: int | None = None
    headers: Headers = []
    for name, value in fields:
        if name == b":status" and status is None and not headers:
            status = _status(value)
        else:
            _check(name, value)
            headers.append((name, value))
    if status is None:
        raise Malformed("its head has no :status")
    length = _content_length(headers)
    if length is not None:
        headers = _said_once(headers, length)
    if method == b"HEAD" or status in (204, 304):
        length = 0
    return Head(status, headers, length)


def check_trailers(fields: Iterable[tuple[bytes, bytes]]) -> None:
    """Check fields that come after a body.

    Raises:
        Malformed: they can't.
    """
    for name, value in fields:
        _check(name, value)


def _status(value: bytes) -> int:
    if _STATUS.fullmatch(value) is None or value == b"101":  # which HTTP/2 hasn't (section 8.6)
        raise Malformed(f"its :status is {value[:20]!r}")
    return int(value)


def _check(name: bytes, value: bytes) -> None:
    if _TOKEN.fullmatch(name) is None:
        raise Malformed(f"a field has the name {name[:40]!r}")
    if name in _CONNECTION or (name == b"te" and value != b"trailers"):
        raise Malformed(f"the field {name.decode()} belongs to HTTP/1.1")
    if _NO_VALUE.search(value):
        raise Malformed(f"the field {name.decode()} has a value that is none")


def _said_once(headers: Headers, length: int) -> Headers:
    """Return the fields with one Content-Length, however often it was said (RFC 9110, 8.6)."""
    first = next(at for at, field in enumerate(headers) if field[0] == b"content-length")
    others = [field for field in headers[first:] if field[0] != b"content-length"]
    return [*headers[:first], (b"content-length", b"%d" % length), *others]


def _content_length(headers: Headers) -> int | None:
    """Return the number that all Content-Length fields agree on, or None."""
    told = b",".join(value for name, value in headers if name == b"content-length")
    values = {part.strip(b" \t") for part in told.split(b",")}
    if values == {b""}:
        if any(name == b"content-length" for name, _ in headers):
            raise Malformed("its Content-Length is empty")
        return None
    if len(values) > 1 or _NUMBER.fullmatch(told := values.pop()) is None:
        raise Malformed("its Content-Length is no number")
    return int(told)
