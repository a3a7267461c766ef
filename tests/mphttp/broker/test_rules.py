"""So many a second, and no more."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.broker.__main__ import _parser
from mphttp.broker.rules import Rules, TokenBucket
from mphttp.broker.users import Users


@given(st.integers(1, 100), st.lists(st.floats(0, 0.5, allow_nan=False), min_size=1, max_size=200))
def test_no_more_than_the_rate_and_one_burst(rate: int, gaps: list[float]) -> None:
    now, bucket, taken = 100.0, TokenBucket(rate, 100.0), 0
    for gap in gaps:
        now += gap
        taken += bucket.take(now)
    assert taken <= rate + rate * (now - 100.0) + 1e-6


@given(st.integers(1, 1000), st.integers(0, 2000))
def test_who_waits_as_told_gets_one(rate: int, asked: int) -> None:
    bucket = TokenBucket(rate, 0.0)
    for _ in range(asked):
        bucket.take(0.0)
    when = bucket.next_time(0.0)
    assert when <= 1 / rate
    assert bucket.take(when + 1e-9)


def test_it_is_full_again_after_a_second() -> None:
    bucket = TokenBucket(10, 0.0)
    assert bucket.full(0.0)
    assert bucket.take(0.0)
    assert not bucket.full(0.05)
    assert bucket.full(1.0)


def test_who_comes_back_has_no_new_share() -> None:
    users = Users(Rules(requests_per_second=2))
    assert [users.find(7, 0.0).requests.take(0.0) for _ in range(3)] == [True, True, False]
    for other in range(10_000, 20_000):  # many others come and go
        users.find(other, 0.0)
    assert not users.find(7, 0.0).requests.take(0.0)


def test_users_that_are_gone_are_forgotten_in_time() -> None:
    users = Users(Rules())
    for number in range(5000):
        users.find(number, float(number))
    assert len(users._users) <= 1025


def test_every_limit_is_at_least_one() -> None:
    with pytest.raises(SystemExit):
        _parser().parse_args(["--clients", "0"])


def test_the_documentation_has_every_limit_with_its_default() -> None:
    text = Path(__file__).parents[3].joinpath("docs", "broker.md").read_text()
    documented = dict(re.findall(r"^\| `--([a-z-]+)` \| (\d+) \|", text, re.MULTILINE))
    limits = {field.name: field.default for field in fields(Rules) if field.metadata}
    assert documented == {name.replace("_", "-"): str(value) for name, value in limits.items()}


def test_the_documentation_has_every_option() -> None:
    text = Path(__file__).parents[3].joinpath("docs", "broker.md").read_text()
    options = {option for action in _parser()._actions for option in action.option_strings}
    assert all(f"`{option}" in text for option in options - {"-h", "--help"})
