"""What a terminal is shown, and what is kept for files."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.cli.printable import decoded, encoded, json_text, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("b\u00fccher, 1.0 MB \u2192 x\tend\n", "b\u00fccher, 1.0 MB \u2192 x\tend\n"),
        ("\x1b[31m\x00\r\x7f", "\\x1b[31m\\x00\\x0d\\x7f"),
        ("\x9b31m\x85", "\\x9b31m\\x85"),
        ("a\u202eb\u2066\u200b\u2028\ufeff", "a\\u202eb\\u2066\\u200b\\u2028\\ufeff"),
        ("\udcff\ud800\U000e0001", "\\xff\\ud800\\U000e0001"),
        ("http://user:pass@host/x@y", "http://***@host/x@y"),
        ("http://user:pa/ss?@host/", "http://***@host/"),
        ("http://host:80/x@y http://[::1]:80/@", "http://host:80/x@y http://[::1]:80/@"),
        ("x" * 9000, "x" * 8192 + "\u2026 (808 more characters)"),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text() | st.text(alphabet="\n\x1b\u202e\udcff:/@u"))
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    shown = printable(text)
    assert all(sign.isprintable() or sign in "\n\t" for sign in shown)
    assert shown.count("\n") == text.count("\n")
    assert "\n" not in printable(text, breaks=False)


@given(st.binary())
def test_bytes_come_out_as_they_went_in(data: bytes) -> None:
    assert encoded(decoded(data)) == data


@given(st.text())
def test_json_is_ascii_without_controls(text: str) -> None:
    written = json_text({"text": text, "all": "\x7f\ud800"})
    assert written.isascii()
    assert written.isprintable()
    assert json.loads(written)["text"] == text
    assert encoded(text + "\ud800").endswith(b"?")
