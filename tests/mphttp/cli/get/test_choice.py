from typing import Any

import pytest

from mphttp.cli.exits import ExitCode, Failure
from mphttp.cli.get.choice import absent, chosen_strategy, hurried
from mphttp.cli.get.options import read
from mphttp.strategies import (
    Background,
    CheapestFirst,
    Deadline,
    DelayedByContentLength,
    DropSlow,
    FullMesh,
    Handover,
    HandshakeOn,
    Mark,
    NDiffPorts,
    Refresh,
    SinglePath,
    for_intent,
)


def choose(*options: str) -> Any:
    return chosen_strategy(read([*options, "http://a"])[0])


@pytest.mark.slow
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
        ("--strategy handover", Handover()),
        ("--within 2s --standby", Handover(2.0, standby=True)),
        ("--threshold 1MB --every 5s --rotate", Refresh(1_000_000, 5.0, rotate=True)),
        ("--rotate", Refresh(rotate=True)),
        ("--strategy handshake", HandshakeOn()),
        ("--strategy cheapest", CheapestFirst()),
        ("--strategy background", Background()),
        ("--strategy dropslow", DropSlow()),
        ("--subflows 3", NDiffPorts(3)),
        ("--dscp ef", Mark("ef")),
        ("--strategy mark --dscp lte=ef,wifi=8", Mark({"lte": "ef", "wifi": 8})),
        ("--strategy deadline+mark --dscp lte=46", Deadline() & Mark({"lte": 46})),
        ("--strategy deadline+handover --deadline 5s", Deadline(5.0) & Handover()),
        ("--intent aggregate", FullMesh()),
        ("--intent interactive", for_intent("interactive")),
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
        ("--strategy mark", "strategy 'mark' needs --dscp"),
        ("--dscp gold", "a DSCP is 0 to 63 or a name"),
        ("--subflows 0", "n must be a whole number of 1 or more"),
        ("--strategy deadline+handover --size 1MB", "--size is no parameter of strategy"),
        ("--intent handover --within 1s", "--intent chooses a strategy itself"),
        ("--strategy deadline+", "there is no strategy ''"),
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


def test_an_interface_that_is_absent_is_told_with_the_list() -> None:
    """It is no error: a modem may be plugged in later."""
    (told,) = absent(["lo", "wlan99"])
    assert told.startswith("warning: there is no interface 'wlan99' now\nhint: ")
    assert "lo" in told


def test_a_later_attempt_has_less_time_also_beside_another_strategy() -> None:
    assert hurried(Deadline(10) & Handover(), 4) == Deadline(6) & Handover()


@pytest.mark.parametrize("text", ["lte=ef,8", "ef,8", "lte=1,lte=2"])
def test_a_dscp_is_one_or_one_for_each_interface(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises((Failure, SystemExit)) as caught:
        choose("--dscp", text)
    assert "neither one DSCP nor one for each" in str(caught.value) + capsys.readouterr().err


def test_what_an_attempt_has_left_of_a_deadline() -> None:
    assert hurried(Deadline(10.0, rule="half"), 4.0) == Deadline(6.0, rule="half")
    assert 0 < hurried(Deadline(10.0), 11.0).d < 0.1  # type: ignore[attr-defined]
    assert hurried(Refresh(1000), 4.0) == Refresh(1000)
