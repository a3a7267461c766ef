"""A strategy can only help: whatever it does wrong, the body comes whole and the report says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from mphttp import FullMesh
from mphttp.lab import LabClient, names
from mphttp.strategies import Path

from . import strategies
from .downloads import download, fetch, make_client, url
from .strategies import Scripted, StartsOn

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

SIZE = 300_000

WRONG = {
    strategies.raises_at_once: "ended with RuntimeError: at once",
    strategies.raises_midway: "ended with RuntimeError: midway",
    strategies.exits: "ended with SystemExit: 3",
    strategies.raises_in_finally: "ended with RuntimeError: in finally",
    strategies.catches_nothing: "no path 'nope' reaches the server",
    strategies.tries_for_ever: "100 commands without waiting",
    strategies.never_waits: "steps without waiting",
    strategies.yields_a_word: "not 'open lte'",
    strategies.opens_a_word: "transfer.paths[0], not 'lte'",
    strategies.closes_what_never_was: "subflow 4711 is closed already",
    strategies.pauses_what_never_was: "subflow 4711 is closed already",
    strategies.closes_the_last: "the last subflow that works can't be closed",
    strategies.sets_an_option_that_no_subflow_has: "option",
    strategies.waits_for_nothing: "ended with ValueError: Until() would never resume",
    strategies.is_no_generator: "ended with AttributeError",
}


@pytest.mark.parametrize("script", WRONG, ids=lambda script: script.__name__)
def test_a_wrong_strategy(lab: LabClient, script: Callable[..., Any]) -> None:
    report = download(Scripted(script), url(SIZE))
    assert any(WRONG[script] in problem.what for problem in report.problems), report.problems


@pytest.mark.more
@pytest.mark.parametrize("script", WRONG, ids=lambda script: script.__name__)
def test_a_wrong_strategy_over_plain_tcp(lab: LabClient, script: Callable[..., Any]) -> None:
    """Where every command fails at once, too."""
    report = download(Scripted(script), url(SIZE, origin=names.ORIGIN_PLAIN), multipath="mptcp")
    assert report.problems


@pytest.mark.parametrize(
    "script",
    # A TCP socket has the option.
    [one for one in WRONG if one is not strategies.sets_an_option_that_no_subflow_has],
    ids=lambda script: script.__name__,
)
def test_a_wrong_strategy_by_ranges(lab: LabClient, script: Callable[..., Any]) -> None:
    report = download(Scripted(script), url(SIZE, origin=names.ORIGIN_PLAIN))
    assert report.mechanism == "ranges"
    assert report.problems


def raises(_: Sequence[Path]) -> None:
    raise RuntimeError("in connect_on")


@pytest.mark.parametrize(
    ("choose", "told"),
    [
        (raises, "ended with RuntimeError: in connect_on"),
        (lambda _: "lte", "ended with AttributeError"),
        (lambda _: Path("nope"), "could not start on nope"),
    ],
    ids=["raises", "word", "unknown"],
)
def test_a_wrong_choice_of_the_first_path(
    lab: LabClient, choose: Callable[..., Any], told: str
) -> None:
    """The system's choice takes its place."""
    report = download(StartsOn(choose), url(SIZE))
    assert [subflow.path for subflow in report.subflows] == ["wifi"]
    assert any(told in problem.what for problem in report.problems), report.problems


def test_a_wrong_strategy_hurts_no_other(lab: LabClient) -> None:
    """Not on the same connection, and not on the same engine."""
    with make_client(Scripted(strategies.tries_for_ever)) as client:
        fetch(client, url(SIZE))
        report = fetch(client, url(SIZE), extensions={"strategy": FullMesh()})
    assert [subflow.path for subflow in report.subflows] == ["wifi", "lte"]
    assert report.problems == ()
