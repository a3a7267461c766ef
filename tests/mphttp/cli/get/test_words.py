"""How the words of a command line are read, as curl reads them."""

from __future__ import annotations

import dataclasses

import pytest

from mphttp.cli.exits import ExitCode, Failure
from mphttp.cli.get.options import parser, read
from mphttp.cli.get.settings import Settings, all_options
from mphttp.cli.get.settings.body import Data

URL = "http://a/"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            "-sSLofile URL",
            {"silent": True, "show_error": True, "location": True, "output": ("file",)},
        ),
        ("-d -x URL", {"data": (Data("form", "-x"),)}),
        ("-H --next:1 URL", {"header": ("--next:1",)}),
        ("-o - URL -O URL", {"output": ("-", None), "url": (URL, URL)}),
        ("URL -o a URL -o b", {"output": ("a", "b"), "url": (URL, URL)}),
        ("--url URL URL", {"url": (URL, URL)}),
        ("-s --no-silent URL", {"silent": False}),
        ("-L -- URL -x", {"url": (URL, "-x"), "location": True}),
        ("--retry=3 URL", {"retry": 3}),
        ("-m 1.5 URL", {"max_time": 1.5}),
        ("-m2 URL", {"max_time": 2.0}),
    ],
)
def test_words(words: str, expected: dict[str, object]) -> None:
    (settings,) = read([URL if word == "URL" else word for word in words.split()])
    assert {name: getattr(settings, name) for name in expected} == expected


def test_settings_are_frozen_and_hashable_values() -> None:
    (settings,) = read(["-H", "a: b", URL])
    assert hash(settings) == hash(read(["-H", "a: b", URL])[0])
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.header = ()  # type: ignore[misc]


@pytest.mark.parametrize(
    ("words", "told", "hint"),
    [
        (["--locatoin"], "there is no option --locatoin", "did you mean --location?"),
        (["--no-silence"], "there is no option --no-silence", "did you mean --no-silent?"),
        (["--ntlm"], "there is no option --ntlm", "-u sends Basic, or Digest with --digest"),
        (["-sQ"], "there is no option -Q", "mphttp get --help"),
        (["-o"], "-o needs FILE, and nothing follows it", "mphttp get --help"),
        (["--silent=yes"], "--silent takes no value", "mphttp get --help"),
        (["-s"], "there is no URL", "mphttp get https://"),
    ],
)
def test_a_word_that_cannot_be_understood(words: list[str], told: str, hint: str) -> None:
    with pytest.raises(Failure) as failure:
        read(words)
    assert (failure.value.code, failure.value.what) == (ExitCode.USAGE, told)
    assert hint in failure.value.hint


def test_each_setting_has_an_option_and_each_option_is_in_the_help() -> None:
    told = parser().format_help()
    assert {name for name, _ in all_options()} == {f.name for f in dataclasses.fields(Settings)}
    for _, option in all_options():
        for name in option.names:
            assert f"{name}" in told
