"""The decisions of the built-in strategies, with made-up times and bytes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.strategies import (
    Close,
    Deadline,
    DelayedByContentLength,
    Event,
    FullMesh,
    Open,
    Path,
    Refresh,
    SinglePath,
    Strategy,
)
from mphttp.testing import LTE, WIFI, Replay


def opened(replay: Replay) -> list[str]:
    return [c.path.name for c in replay.commands if isinstance(c, Open)]


def test_single_path_never_asks_for_anything() -> None:
    replay = Replay(SinglePath())
    replay.at(100.0, 1000)
    assert replay.commands == []
    assert replay.run.done


def test_single_path_starts_where_it_is_told() -> None:
    assert SinglePath("lte").connect_on([WIFI, LTE]) == LTE
    assert SinglePath("eth7").connect_on([WIFI, LTE]) == Path("eth7")  # the engine says it's absent
    assert SinglePath().connect_on([WIFI, LTE]) is None


def test_full_mesh_opens_every_path_but_the_one_in_use() -> None:
    assert opened(Replay(FullMesh())) == ["lte"]


def test_full_mesh_goes_on_after_a_path_that_fails() -> None:
    eth = type(WIFI)("eth")
    replay = Replay(FullMesh(), all_paths=(WIFI, LTE, eth), broken=frozenset({LTE}))
    assert opened(replay) == ["lte", "eth"]
    assert [s.path for s in replay.live] == [WIFI, eth]


def test_refresh_makes_before_it_breaks() -> None:
    replay = Replay(Refresh(100))
    assert replay.at(1.0, 99) == []
    new, old = replay.at(1.1, 100)
    assert isinstance(new, Open)
    assert isinstance(old, Close)
    assert (new.path, old.subflow.id) == (WIFI, 0)
    assert [s.id for s in replay.live] == [1]


def test_refresh_catches_up_after_a_large_read() -> None:
    replay = Replay(Refresh(100))
    replay.at(1.0, 350)
    assert opened(replay) == ["wifi"] * 3
    assert len(replay.live) == 1


def test_refresh_keeps_the_old_subflow_when_the_new_one_fails() -> None:
    replay = Replay(Refresh(100), broken=frozenset({WIFI}))
    replay.at(1.0, 100)
    assert [s.id for s in replay.live] == [0]
    replay.broken = frozenset()
    replay.at(2.0, 200)
    assert [s.id for s in replay.live] == [1]


@pytest.mark.parametrize(("length", "wanted"), [(1000, []), (1001, ["lte"])])
def test_delayed_opens_only_above_its_size(length: int, wanted: list[str]) -> None:
    assert opened(Replay(DelayedByContentLength(1000), length=length)) == wanted


def test_delayed_counts_when_the_length_is_unknown() -> None:
    replay = Replay(DelayedByContentLength(1000), length=None)
    replay.at(1.0, 1000)
    assert opened(replay) == []
    replay.at(1.1, 1001)
    assert opened(replay) == ["lte"]


@pytest.mark.parametrize(("came", "wanted"), [(499, ["lte"]), (500, [])])
def test_half_rule_looks_at_half_time(came: int, wanted: list[str]) -> None:
    replay = Replay(Deadline(10, rule="half"))
    replay.at(4.999, came)
    assert opened(replay) == []
    replay.at(5.0, came)
    assert opened(replay) == wanted


def test_rate_rule_waits_for_its_grace_then_opens_when_too_slow() -> None:
    replay = Replay(Deadline(10, "rate", grace=2.0))
    replay.at(1.9, 0)
    assert opened(replay) == []
    replay.at(2.0, 199)
    assert opened(replay) == ["lte"]


def test_rate_rule_looks_again_just_when_what_came_would_no_longer_do() -> None:
    replay = Replay(Deadline(10, "rate", grace=1.0))
    replay.at(1.0, 300)
    assert replay.run.waiting is not None
    assert replay.run.waiting.elapsed == pytest.approx(3.0)
    replay.at(3.0, 310)
    assert opened(replay) == []
    replay.at(3.2, 310)
    assert opened(replay) == ["lte"]


def test_rate_rule_is_done_when_all_is_delivered() -> None:
    replay = Replay(Deadline(10, "rate", grace=1.0))
    replay.at(1.0, 0, delivered=1000)
    replay.at(20.0, 0, delivered=1000)
    assert opened(replay) == []


@pytest.mark.parametrize("rule", ["forecast", "half", "rate"])
def test_a_slow_reader_opens_no_path(rule: str) -> None:
    big = 10_000_000
    replay = Replay(Deadline(10, rule=rule, grace=5.0), length=big)  # type: ignore[arg-type]
    replay.at(5.0, 1_000_000, delivered=4_000_000)
    assert opened(replay) == []


@pytest.mark.parametrize("rule", ["forecast", "half", "rate"])
def test_unknown_length_opens_at_half_time(rule: str) -> None:
    replay = Replay(Deadline(10, rule=rule), length=None)  # type: ignore[arg-type]
    replay.at(4.9, 10**9)
    assert opened(replay) == []
    replay.at(5.0, 10**9)
    assert opened(replay) == ["lte"]


def test_deadline_takes_the_next_path_when_one_fails() -> None:
    eth = type(WIFI)("eth")
    paths = (WIFI, LTE, eth)
    replay = Replay(Deadline(10, rule="half"), all_paths=paths, broken=frozenset({LTE}))
    replay.at(5.0, 0)
    assert opened(replay) == ["lte", "eth"]


@given(
    d=st.floats(0.1, 100),
    steps=st.lists(st.tuples(st.floats(0, 5), st.integers(0, 400_000)), max_size=40),
)
def test_rate_rule_opens_if_and_only_if_the_rate_was_seen_too_low(
    d: float, steps: list[tuple[float, int]]
) -> None:
    length = 1_000_000
    replay = Replay(Deadline(d, "rate"), length=length)
    elapsed, came, too_slow = 0.0, 0, False
    for wait, more in steps:
        elapsed, came = elapsed + wait, min(length, came + more)
        looked = replay.run.waiting is not None and elapsed >= (replay.run.waiting.elapsed or 0)
        too_slow = too_slow or (looked and came < length and elapsed > d * came / length)
        replay.at(elapsed, came)
    assert bool(opened(replay)) == too_slow


@pytest.mark.parametrize("bad", [0, -1, math.nan, math.inf, "10", None, True, [], 2.5])
def test_bad_byte_counts_say_what_is_allowed(bad: object) -> None:
    for make in (Refresh, DelayedByContentLength):
        with pytest.raises(ValueError, match="positive whole number of bytes"):
            make(bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [0, -1, math.nan, math.inf, -math.inf, "10", None, True, []])
def test_bad_seconds_say_what_is_allowed(bad: object) -> None:
    with pytest.raises(ValueError, match="d must be a positive, finite number of seconds"):
        Deadline(bad)  # type: ignore[arg-type]
    if bad is not None:
        with pytest.raises(ValueError, match="grace must be"):
            Deadline(5, grace=bad)  # type: ignore[arg-type]


def test_other_bad_parameters_say_what_is_allowed() -> None:
    with pytest.raises(ValueError, match="'forecast', 'rate', 'half'"):
        Deadline(5, rule="both")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="name of an interface"):
        SinglePath(7)  # type: ignore[arg-type]


@given(
    strategy=st.one_of(
        st.builds(Refresh, st.integers(1, 500)),
        st.builds(DelayedByContentLength, st.integers(1, 2000)),
        st.builds(Deadline, st.floats(0.01, 20), st.sampled_from(["forecast", "rate", "half"])),
        st.just(FullMesh()),
        st.just(SinglePath()),
    ),
    length=st.one_of(st.none(), st.integers(0, 2000)),
    broken=st.frozensets(st.sampled_from([WIFI, LTE])),
    steps=st.lists(
        st.tuples(
            st.floats(0, 5),
            st.integers(0, 500),
            st.integers(0, 500),
            st.booleans(),
        ),
        max_size=30,
    ),
)
def test_no_order_of_what_happens_breaks_a_strategy(
    strategy: Strategy,
    length: int | None,
    broken: frozenset[Path],
    steps: list[tuple[float, int, int, bool]],
) -> None:
    """Whatever comes in whatever order: no crash, and never a transfer without a subflow."""
    replay = Replay(strategy, length=length, broken=broken)
    elapsed, received = 0.0, 0
    for wait, more, ahead, event in steps:
        elapsed, received = elapsed + wait, received + more
        events = (Event(elapsed, "subflow_closed", 1, "lte"),) if event else ()
        replay.at(elapsed, received, delivered=received + ahead, events=events)
        assert replay.run.crash is None
        assert replay.live
