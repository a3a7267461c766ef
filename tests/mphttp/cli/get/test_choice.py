import argparse
from typing import Any

import pytest

from mphttp.cli.exits import ExitCode, Failure
from mphttp.cli.get import add_arguments
from mphttp.cli.get.choice import check_paths, chosen_strategy
from mphttp.cli.parser import Parser
from mphttp.strategies import Deadline, DelayedByContentLength, FullMesh, Refresh, SinglePath


def choose(*options: str) -> Any:
    parser = Parser(prog="mphttp get")
    add_arguments(parser)
    arguments: argparse.Namespace = parser.parse_args([*options, "http://a"])
    return chosen_strategy(arguments)


@pytest.mark.parametrize(
    ("options", "strategy"),
    [
        ("", None),
        ("--strategy deadline", Deadline(10.0)),
        ("--strategy refresh", Refresh(1 << 20)),
        ("--strategy delayed", DelayedByContentLength(1 << 20)),
        ("--strategy fullmesh", FullMesh()),
        ("--strategy single", SinglePath()),
        ("--deadline 7s", Deadline(7.0)),
        ("--threshold 64KiB", Refresh(65536)),
        ("--size 1MB", DelayedByContentLength(1_000_000)),
        ("--strategy deadline --deadline 500ms", Deadline(0.5)),
    ],
)
def test_what_the_options_choose(options: str, strategy: object) -> None:
    """A name takes the defaults that --help states, and a parameter alone implies its strategy."""
    assert choose(*options.split()) == strategy


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--strategy refresh --deadline 7s", "--deadline is no parameter of strategy 'refresh'"),
        ("--strategy single --size 1MB", "--size is no parameter of strategy 'single'"),
        ("--deadline 7s --threshold 1MB", "--deadline and --threshold belong to different"),
        ("--strategy deadlin", "there is no strategy 'deadlin'"),
        ("--deadline 0s", "d must be a positive"),
        ("--threshold 0", "threshold must be a positive"),
    ],
)
def test_what_does_not_fit_is_a_usage_error(options: str, told: str) -> None:
    with pytest.raises(Failure, match=told) as caught:
        choose(*options.split())
    assert caught.value.code == ExitCode.USAGE


def test_an_unknown_strategy_gets_a_guess_and_the_list() -> None:
    with pytest.raises(Failure) as caught:
        choose("--strategy", "deadlin")
    assert caught.value.hint.startswith("did you mean 'deadline'? known are ")


def test_an_unknown_interface_gets_the_list() -> None:
    with pytest.raises(Failure, match="there is no interface 'wlan99'") as caught:
        check_paths(["lo", "wlan99"])
    assert caught.value.code == ExitCode.USAGE
    assert "lo" in caught.value.hint


def test_known_interfaces_pass() -> None:
    check_paths(["lo"])
