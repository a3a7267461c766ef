"""Heads, put together from the lines that libcurl hands out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.curl.head import Head, HeadReader


def read(*lines: bytes) -> list[Head]:
    reader = HeadReader()
    heads = [reader.line(line) for line in lines]
    return [head for head in heads if head is not None]


def test_a_head_has_a_status_and_fields() -> None:
    (head,) = read(b"HTTP/1.1 200 All is well\r\n", b"X-One:  1 \r\n", b"x-one:2\r\n", b"\r\n")
    assert (head.version, head.status, head.reason) == ("HTTP/1.1", 200, "All is well")
    assert head.fields == [(b"X-One", b"1"), (b"x-one", b"2")]
    assert head.value(b"x-one") == b"2"
    assert head.value(b"x-two") is None


def test_http2_has_no_reason() -> None:
    (head,) = read(b"HTTP/2 404 \r\n", b"\r\n")
    assert (head.version, head.status, head.reason) == ("HTTP/2", 404, "")


def test_a_field_that_goes_on_in_the_next_line() -> None:
    (head,) = read(b"HTTP/1.1 200 OK\r\n", b"X: 1\r\n", b"\t2\r\n", b"\r\n")
    assert head.fields == [(b"X", b"1 2")]


def test_trailers_are_no_head() -> None:
    heads = read(b"HTTP/1.1 200 OK\r\n", b"\r\n", b"Digest: abc\r\n", b"\r\n")
    assert [head.fields for head in heads] == [[]]


def test_one_head_follows_another() -> None:
    first, second = read(b"HTTP/1.1 103 \r\n", b"\r\n", b"HTTP/1.1 200 \r\n", b"\r\n")
    assert (first.interim, second.interim) == (True, False)


@pytest.mark.parametrize(("status", "redirects"), [(200, False), (301, True), (308, True)])
def test_what_points_elsewhere(status: int, redirects: bool) -> None:
    assert Head("", status, fields=[(b"Location", b"/")]).redirects is redirects
    assert not Head("", status).redirects


@pytest.mark.parametrize(
    ("method", "status", "length"),
    [("GET", 200, 5), ("HEAD", 200, 0), ("GET", 204, 0), ("GET", 304, 0), ("POST", 404, 5)],
)
def test_the_length_of_the_body(method: str, status: int, length: int) -> None:
    assert Head("", status, fields=[(b"content-length", b"5")]).length(method) == length


def test_chunks_hide_the_length() -> None:
    fields = [(b"Content-Length", b"5"), (b"Transfer-Encoding", b"chunked")]
    assert Head("", 200, fields=fields).length("GET") is None
    assert Head("", 200).length("GET") is None


WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=":"))
FIELDS = st.lists(st.tuples(WORDS.filter(bool), WORDS))


@given(FIELDS)
def test_every_field_comes_through(fields: list[tuple[str, str]]) -> None:
    """In order, and with its name and value as they were sent."""
    sent = [(name.encode(), value.encode()) for name, value in fields]
    lines = [b"%b: %b\r\n" % pair for pair in sent]
    (head,) = read(b"HTTP/1.1 200 OK\r\n", *lines, b"\r\n")
    assert head.fields == sent


def test_a_field_with_the_protocols_name_begins_no_head() -> None:
    (head,) = read(b"HTTP/1.1 200 OK\r\n", b"HTTP/: 0\r\n", b"\r\n", b"HTTP/: 1\r\n", b"\r\n")
    assert head.fields == [(b"HTTP/", b"0")]
