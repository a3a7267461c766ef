"""What header fields say, and what they only seem to say."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.ranges.fields import (
    ContentRange,
    content_range,
    retry_after,
    strong_validator,
    told_validator,
)

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
DATE = "Thu, 01 Jan 2026 12:00:00 GMT"
MINUTE_BEFORE = "Thu, 01 Jan 2026 11:59:00 GMT"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("bytes 0-0/1", (0, 0, 1)),
        ("bytes 10-19/100", (10, 19, 100)),
        ("bytes 10-19/*", (10, 19, None)),
        ("bytes 90-99/100", (90, 99, 100)),
    ],
)
def test_a_content_range(value: str, told: tuple[int, int, int | None]) -> None:
    assert content_range(value) == ContentRange(*told)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "bytes */100",
        "bytes 10-9/100",
        "bytes 90-100/100",
        "bytes -5-9/100",
        "bytes 0-9",
        "bytes=0-9/100",
        "octets 0-9/100",
        "bytes 0-9/100, bytes 20-29/100",
        "bytes 0-9/100 ",
        "bytes 0-9/" + "9" * 5000,
        "bytes \u0660-\u0669/100",  # digits, but not these
    ],
)
def test_what_makes_no_sense_is_no_content_range(value: str | None) -> None:
    assert content_range(value) is None


@given(st.text())
def test_no_text_breaks_the_reading(text: str) -> None:
    """Whatever a server sends is a value or none."""
    content_range(text)
    wait = retry_after(text, NOW)
    assert wait is None or wait >= 0
    validator = strong_validator({"etag": text})
    assert validator in (None, text)
    strong_validator({"last-modified": text, "date": text})


@pytest.mark.parametrize(
    ("headers", "validator"),
    [
        ({"etag": '"a"'}, '"a"'),
        ({"etag": '""'}, '""'),
        ({"etag": '"a"', "last-modified": MINUTE_BEFORE, "date": DATE}, '"a"'),
        ({"etag": 'W/"a"'}, None),
        ({"etag": "a"}, None),
        ({"etag": '"a", "b"'}, None),
        ({"etag": '"a b"'}, None),
        ({"etag": '"a"b"'}, None),
        ({"etag": 'W/"a"', "last-modified": MINUTE_BEFORE, "date": DATE}, None),
        ({"last-modified": MINUTE_BEFORE, "date": DATE}, MINUTE_BEFORE),
        ({"last-modified": "Thu, 01 Jan 2026 11:59:01 GMT", "date": DATE}, None),
        ({"last-modified": DATE, "date": MINUTE_BEFORE}, None),
        ({"last-modified": MINUTE_BEFORE}, None),
        ({"last-modified": "yesterday", "date": DATE}, None),
        ({"last-modified": f"Thu, 01 Jan {'9' * 20} 12:00:00 GMT", "date": DATE}, None),
        ({"date": DATE}, None),
        ({}, None),
    ],
)
def test_what_if_range_takes(headers: dict[str, str], validator: str | None) -> None:
    """A strong tag, or a date a minute before the response (RFC 9110, 13.1.5 and 8.8.2.2)."""
    assert strong_validator(headers) == validator


def test_a_validator_is_looked_for_where_it_came_from() -> None:
    told = {"etag": '"a"', "last-modified": DATE}
    assert told_validator(told, '"b"') == '"a"'
    assert told_validator(told, MINUTE_BEFORE) == DATE
    assert told_validator({}, '"b"') is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("9" * 5000, 1e8),
        (DATE, 0.0),
        (MINUTE_BEFORE, 0.0),
        ("Thu, 01 Jan 2026 12:01:30 GMT", 90.0),
        ("Thu, 01 Jan 9999 12:01:30 GMT", 1e8),
        (f"Thu, 01 Jan 2026 12:00:00 +{'9' * 20}", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_how_long_a_server_wants_to_be_left_alone(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds
