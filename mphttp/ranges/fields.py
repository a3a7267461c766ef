"""Header fields that tell versions and parts of an object (RFC 9110, sections 8.8, 10.2 and 14)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import NamedTuple

_STRONG_TAG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)
_SURELY_BEFORE = timedelta(seconds=60)
"""RFC 9110, 8.8.2.2: so much that Date and Last-Modified may come from two clocks (RFC 7232)."""
_MOST_ASKED = 1e8  # seconds; time.sleep takes no number whatsoever


class ContentRange(NamedTuple):
    """Which part of an object a body is.

    Args:
        first: offset of its first byte.
        last: offset of its last byte.
        total: bytes of the whole object, or None where that isn't told.
    """

    first: int
    last: int
    total: int | None


def content_range(value: str | None) -> ContentRange | None:
    """Read a Content-Range field of a single part (section 14.4); None if it makes no sense."""
    match = _CONTENT_RANGE.fullmatch(value or "")
    if not match:
        return None
    told = ContentRange(int(match[1]), int(match[2]), None if match[3] == "*" else int(match[3]))
    bounded = told.first <= told.last and (told.total is None or told.last < told.total)
    return told if bounded else None


def strong_validator(headers: Mapping[str, str]) -> str | None:
    """Return what If-Range takes (section 13.1.5): a strong entity tag, or a date that is as good.

    Args:
        headers: of a response, by names in lower case.
    """
    tag = headers.get("etag")
    if tag is not None:  # with a weak one, a date isn't allowed either
        return tag if _STRONG_TAG.fullmatch(tag) else None
    modified, sent = headers.get("last-modified"), headers.get("date")
    if modified is None or sent is None:
        return None
    changed, told = _date(modified), _date(sent)
    surely = changed is not None and told is not None and told - changed >= _SURELY_BEFORE
    return modified if surely else None


def told_validator(headers: Mapping[str, str], validator: str) -> str | None:
    """Return what a response tells in the field that a validator came from."""
    return headers.get("etag" if validator.startswith('"') else "last-modified")


def retry_after(value: str | None, now: datetime) -> float | None:
    """Read a Retry-After field (section 10.2.3), a number of seconds or a date.

    Args:
        value: of the field, or None.
        now: with a time zone.

    Returns:
        seconds from now, or None if it doesn't tell.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        # Longer than this it is beyond any wait; int() itself refuses thousands of digits.
        return _MOST_ASKED if len(text) > 8 else float(text)
    date = _date(text)
    return None if date is None else min(max(0.0, (date - now).total_seconds()), _MOST_ASKED)


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter for years of twenty digits
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
