from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.cli.get.writeout import VARIABLES, Format

FACTS = {
    "http_code": 200,
    "time_total": 1.5,
    "size_download": 1000,
    "exitcode": 0,
    "deadline_met": True,
    "content_type": None,
    "subflows": 2,
    "headers": {"etag": '"x"'},
    "report": {"url": "http://a"},
}


def written(text: str, facts: dict[str, Any] | None = None) -> str:
    return "".join(piece.text for piece in Format(text).written(facts or FACTS))


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ("%{http_code} %{size_download}\\n", "200 1000\n"),
        ("%{time_total}", "1.500000"),
        ("\\t\\r\\q\\", "\t\r\\q\\"),
        ("100%% %", "100% %"),
        ("%{deadline_met},%{content_type},%{mechanism}", "true,,"),
        ("%header{ETag}|%header{x-none}", '"x"|'),
        ("%{subflows}", "2"),
        ("", ""),
    ],
)
def test_formats(text: str, out: str) -> None:
    assert written(text) == out


def test_a_status_that_never_came_is_000() -> None:
    assert written("%{http_code}", {"http_code": 0}) == "000"


def test_json_has_all_but_the_header_fields() -> None:
    told = json.loads(written("%{json}"))
    assert told == {name: value for name, value in FACTS.items() if name != "headers"}


def test_the_stream_can_be_changed() -> None:
    pieces = Format("a%{stderr}b%{stdout}c").written(FACTS)
    assert [piece[:2] for piece in pieces if piece.text] == [
        ("stdout", "a"),
        ("stderr", "b"),
        ("stdout", "c"),
    ]


def test_what_follows_onerror_is_for_errors() -> None:
    assert written("a%{onerror}b") == "a"
    assert written("a%{onerror}b", FACTS | {"exitcode": 7}) == "ab"


def test_an_unknown_variable_is_told_with_the_one_that_was_meant() -> None:
    made = Format("%{http_cod}%{http_code}%{}%{num_certs}")
    assert [str(unknown) for unknown in made.unknown] == [
        "there is no variable %{http_cod}",
        "there is no variable %{}",
        "there is no variable %{num_certs}",
    ]
    hints = [unknown.hint for unknown in made.unknown]
    assert hints[0].startswith("did you mean %{http_code}? ")
    assert hints[1] == "mphttp get --help lists them all"
    assert hints[2].startswith("curl has it")
    assert written("%{http_cod}%{http_code}") == "200"


@given(st.text().filter(lambda text: "%" not in text and "\\" not in text))
def test_plain_text_is_written_as_it_is(text: str) -> None:
    assert written(text) == text


VALUES = st.none() | st.booleans() | st.integers(0) | st.floats(0, 1e9) | st.text()
CODES = {
    name: st.integers(0, 999) for name in ("http_code", "http_connect", "response_code", "exitcode")
}


@given(st.fixed_dictionaries({name: CODES.get(name, VALUES) for name in VARIABLES}))
def test_every_variable_can_be_written_whatever_is_known(facts: dict[str, Any]) -> None:
    one_a_line = "\x00".join(f"%{{{name}}}" for name in VARIABLES)
    assert len(written(one_a_line, facts | {"content_type": "x", "url": "y"})) >= len(VARIABLES)
    assert json.loads(written("%{json}", facts)) == facts


@given(st.text(alphabet="%{}\\ntr heador:json", max_size=40))
def test_a_format_is_understood(text: str) -> None:
    Format(text).written(FACTS)
