from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.cli.exits import ExitCode, Failure
from mphttp.cli.get.retry import Busy, Retry
from mphttp.ranges.fields import retry_after

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
LATE = Failure(ExitCode.TIMEOUT, "late")

failures = st.one_of(
    st.builds(lambda after: Busy("busy", after), st.none() | st.floats(0, 1e8)),
    st.builds(lambda code: Failure(code, "x"), st.sampled_from(ExitCode)),
)
retries = st.builds(
    Retry,
    times=st.integers(0, 2000),
    delay=st.none() | st.floats(0, 1e6),
    max_time=st.none() | st.floats(0, 1e6),
    all_errors=st.booleans(),
    patience=st.none() | st.floats(0, 1e6),
)


def test_waits_double_from_one_second_to_ten_minutes() -> None:
    waits = [Retry(2000).wait(LATE, tried, 0.0) for tried in range(1500)]
    assert waits[:11] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600]
    assert set(waits[11:]) == {600}


def test_without_retry_there_is_one_attempt() -> None:
    assert Retry().wait(LATE, 0, 0.0) is None


@given(retries, failures, st.integers(0, 2000), st.floats(0, 1e6))
def test_no_attempt_is_too_many_too_early_or_too_late(
    retry: Retry, failure: Failure, tried: int, elapsed: float
) -> None:
    wait = retry.wait(failure, tried, elapsed)
    if wait is None:
        return
    assert tried < retry.times
    assert wait >= (1.0 if retry.delay is None else retry.delay)
    assert retry.max_time is None or elapsed + wait <= retry.max_time
    if isinstance(failure, Busy) and failure.after is not None:
        assert wait >= min(failure.after, 6 * 3600)
        assert retry.patience is None or min(failure.after, 6 * 3600) <= retry.patience


@pytest.mark.parametrize(
    ("code", "plain", "all_errors"),
    [
        (ExitCode.CONNECT, True, True),
        (ExitCode.TIMEOUT, True, True),
        (ExitCode.TRUNCATED, True, True),
        (ExitCode.RECEIVE, True, True),
        (ExitCode.HTTP, False, True),
        (ExitCode.CERTIFICATE, False, True),
        (ExitCode.WRITE, False, False),
        (ExitCode.DIGEST, False, False),
        (ExitCode.USAGE, False, False),
    ],
)
def test_what_is_worth_another_attempt(code: ExitCode, plain: bool, all_errors: bool) -> None:
    failure = Failure(code, "x")
    assert (Retry(1).wait(failure, 0, 0.0) is not None) == plain
    assert (Retry(1, all_errors=True).wait(failure, 0, 0.0) is not None) == all_errors


def test_the_server_may_ask_for_a_longer_wait_but_not_for_a_shorter_one() -> None:
    assert Retry(1).wait(Busy("busy", 30.0), 0, 0.0) == 30.0
    assert Retry(1, delay=5.0).wait(Busy("busy", 2.0), 0, 0.0) == 5.0
    assert Retry(1, max_time=20.0).wait(Busy("busy", 30.0), 0, 0.0) is None
    assert Retry(1, patience=20.0).wait(Busy("busy", 30.0), 0, 0.0) is None
    assert Retry(1).wait(Busy("busy", 1e8), 0, 0.0) == 6 * 3600


def test_retry_after_is_a_number_or_a_date() -> None:
    assert retry_after("120", NOW) == 120.0
    assert retry_after(format_datetime(NOW + timedelta(seconds=90), usegmt=True), NOW) == 90.0
    assert retry_after(format_datetime(NOW - timedelta(days=1), usegmt=True), NOW) == 0.0
    assert retry_after("9" * 5000, NOW) == 1e8


@pytest.mark.parametrize("value", [None, "", "soon", "-1", "1.5", "٣", "Mon, 99 Nov"])
def test_a_retry_after_that_says_nothing(value: str | None) -> None:
    assert retry_after(value, NOW) is None


@given(st.text())
def test_no_retry_after_is_a_bug(value: str) -> None:
    wait = retry_after(value, NOW)
    assert wait is None or 0 <= wait <= 1e8
