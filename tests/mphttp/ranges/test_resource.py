"""Which responses can be fetched in parts, and which answers are the part that was asked for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.ranges.resource import (
    NotInParts,
    Refusal,
    Resource,
    by_name,
    refusal_of,
    resource_of,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WHOLE = {"content-length": "1000", "accept-ranges": "bytes", "etag": '"a"'}
PART = {"content-length": "100", "content-range": "bytes 50-149/1000", "etag": '"a"'}
ASKED = [(b"Host", b"example.org"), (b"Range", b"bytes=50-149")]


def without(headers: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in headers.items() if key != name}


def test_a_whole_object() -> None:
    asked = [(b"Host", b"h"), (b"Accept", b"*/*"), (b"Connection", b"x"), (b"IF-MATCH", b'"a"')]
    resource = resource_of(b"GET", asked, 200, WHOLE)
    assert resource == Resource(0, 1000, 1000, '"a"', "", asked[:2])
    assert resource.request_headers(0, 10) == [
        *asked[:2],
        (b"Range", b"bytes=0-9"),
        (b"If-Range", b'"a"'),
    ]


def test_a_part_of_an_object() -> None:
    """Parts of it are counted from its beginning, and asked for by their place in the object."""
    resource = resource_of(b"GET", ASKED, 206, PART)
    assert resource == Resource(50, 100, 1000, '"a"', "", [(b"Host", b"example.org")])
    assert (b"Range", b"bytes=60-149") in resource.request_headers(10, 100)


@pytest.mark.parametrize(
    ("method", "status", "told", "why"),
    [
        (b"HEAD", 200, WHOLE, "only a GET"),
        (b"POST", 200, WHOLE, "only a GET"),
        (b"GET", 200, WHOLE | {"transfer-encoding": "chunked"}, "its length"),
        (b"GET", 200, without(WHOLE, "content-length"), "its length"),
        (b"GET", 200, WHOLE | {"content-length": "0"}, "its length"),
        (b"GET", 200, WHOLE | {"content-length": "9, 9"}, "its length"),
        (b"GET", 200, WHOLE | {"content-length": "-9"}, "its length"),
        (b"GET", 200, WHOLE | {"content-length": "٩"}, "its length"),
        (b"GET", 200, without(WHOLE, "accept-ranges"), "offers no ranges"),
        (b"GET", 200, WHOLE | {"accept-ranges": "none"}, "offers no ranges"),
        (b"GET", 200, without(WHOLE, "etag"), "no strong validator"),
        (b"GET", 200, WHOLE | {"etag": 'W/"a"'}, "no strong validator"),
        (b"GET", 404, WHOLE, "a response with status 404"),
        (b"GET", 302, WHOLE, "a response with status 302"),
        (b"GET", 203, WHOLE, "a response with status 203"),
        (b"GET", 206, PART | {"content-length": "99"}, "a response with status 206"),
        (b"GET", 206, without(PART, "content-range"), "a response with status 206"),
        (b"GET", 206, PART | {"content-range": "bytes 50-149/*"}, "how long the whole object is"),
    ],
)
def test_what_is_not_fetched_in_parts(
    method: bytes, status: int, told: dict[str, str], why: str
) -> None:
    verdict = resource_of(method, ASKED, status, told)
    assert isinstance(verdict, NotInParts)
    assert why in verdict.why


def test_a_get_with_a_body_is_not_asked_again() -> None:
    for name in (b"content-length", b"Transfer-Encoding"):
        assert isinstance(resource_of(b"GET", [(name, b"3")], 200, WHOLE), NotInParts)


def test_a_206_that_nobody_asked_for_has_no_parts() -> None:
    assert isinstance(resource_of(b"GET", ASKED[:1], 206, PART), NotInParts)


RESOURCE = Resource(50, 500, 1000, '"a"', "", [])
ANSWER = {"content-length": "100", "content-range": "bytes 60-159/1000", "etag": '"a"'}


def verdict(status: int, told: dict[str, str]) -> Refusal | None:
    return refusal_of(RESOURCE, (10, 110), status, told, NOW)


@pytest.mark.parametrize("told", [ANSWER, ANSWER | {"content-range": "bytes 60-159/*"}])
def test_the_part_that_was_asked_for(told: dict[str, str]) -> None:
    assert verdict(206, told) is None


@pytest.mark.parametrize(
    ("status", "told", "what"),
    [
        (206, ANSWER | {"content-range": "bytes 61-160/1000"}, "another part"),
        (206, ANSWER | {"content-range": "bytes 60-158/1000"}, "another part"),
        (206, ANSWER | {"content-length": "99"}, "another part"),
        (206, without(ANSWER, "content-length"), "another part"),
        (206, ANSWER | {"content-range": "bytes 60-159/1001"}, "has changed"),
        (206, ANSWER | {"etag": '"b"'}, "has changed"),
        (206, ANSWER | {"etag": 'W/"a"'}, "has changed"),
        (206, without(ANSWER, "etag"), "has changed"),
        (206, ANSWER | {"content-encoding": "gzip"}, "another content coding"),
        (206, without(ANSWER, "content-range"), "didn't say which part"),
        (206, ANSWER | {"content-range": "bytes 60-159"}, "didn't say which part"),
        (206, ANSWER | {"transfer-encoding": "chunked"}, "didn't say which part"),
        (206, ANSWER | {"content-type": "Multipart/ByteRanges; boundary=x"}, "a multipart answer"),
        (200, {"etag": '"a"'}, "offers ranges and then ignores them"),
        (200, {"etag": '"b"'}, "has changed"),
        (200, {}, "has changed"),
        (412, {}, "has changed"),
        (416, {}, "has changed"),
        (301, {}, "answered 301"),
        (304, {}, "answered 304"),
        (401, {}, "answered 401"),
        (500, {}, "answered 500"),
    ],
)
def test_an_answer_that_is_not_the_part(status: int, told: dict[str, str], what: str) -> None:
    refusal = verdict(status, told)
    assert refusal
    assert what in refusal.what
    assert refusal.wait is None


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("told", "wait"), [({"retry-after": "5"}, 5.0), ({}, None)])
def test_a_busy_server(status: int, told: dict[str, str], wait: float | None) -> None:
    refusal = verdict(status, told)
    assert refusal
    assert refusal.wait == wait
    assert str(status) in refusal.what


def test_a_part_in_the_first_responses_own_coding() -> None:
    """A stored gzip file has parts, too."""
    resource = Resource(0, 500, 500, '"a"', "gzip", [])
    told = {"content-length": "5", "content-range": "bytes 0-4/500", "etag": '"a"'}
    assert refusal_of(resource, (0, 5), 206, told, NOW)
    assert not refusal_of(resource, (0, 5), 206, told | {"content-encoding": "gzip"}, NOW)


NAMES = st.sampled_from(["etag", "content-range", "content-length", "content-encoding", "x"])


@given(st.integers(100, 599), st.dictionaries(NAMES, st.sampled_from(["", "0", *ANSWER.values()])))
def test_only_what_shows_all_is_taken(status: int, told: dict[str, str]) -> None:
    if verdict(status, told) is None:
        assert status == 206
        assert {name: told[name] for name in ANSWER} == ANSWER
        assert not told.get("content-encoding")


def test_repeated_fields_are_one() -> None:
    assert by_name([(b"A", b"1"), (b"a", b"2"), (b"B", b"\xff")]) == {"a": "1, 2", "b": "ÿ"}
