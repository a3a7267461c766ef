from hypothesis import given
from hypothesis import strategies as st

from mphttp.cli.get.bars import Bars
from mphttp.report import SubflowReport

WIFI, LTE = ("10.0.0.2", 40000), ("10.0.1.2", 40001)


def subflow(
    path: str, received: int, *, closed: bool = False, backup: bool = False
) -> SubflowReport:
    return SubflowReport(
        id=1,
        path=path,
        local=WIFI,
        remote=LTE,
        opened_at=0.0,
        closed_at=1.0 if closed else None,
        bytes_received=received,
        initial=False,
        backup=backup,
    )


def states(*subflows: SubflowReport) -> dict[str, str]:
    return {bar.path: bar.state for bar in Bars().step(["wifi", "lte"], subflows, 0.0)}


def test_a_path_without_a_subflow_is_unused() -> None:
    assert states() == {"wifi": "unused", "lte": "unused"}


def test_one_live_subflow_makes_a_path_open() -> None:
    """A path where one subflow replaced another is open, though one of them is closed."""
    told = states(
        subflow("wifi", 1, closed=True), subflow("wifi", 1), subflow("lte", 1, closed=True)
    )
    assert told == {"wifi": "open", "lte": "closed"}


def test_a_path_of_backup_subflows_alone_is_backup() -> None:
    assert states(subflow("wifi", 1), subflow("lte", 1, backup=True))["lte"] == "backup"
    assert states(subflow("lte", 1), subflow("lte", 1, backup=True))["lte"] == "open"


def test_paths_keep_their_order_and_unknown_ones_come_last() -> None:
    bars = Bars().step(["wifi", "lte"], [subflow("eth0", 1), subflow("lte", 1)], 0.0)
    assert [bar.path for bar in bars] == ["wifi", "lte", "eth0"]


def test_the_bytes_of_a_path_are_those_of_all_its_subflows() -> None:
    (bar,) = Bars().step([], [subflow("wifi", 100, closed=True), subflow("wifi", 50)], 0.0)
    assert bar.received == 150


def test_a_steady_rate_is_shown_after_a_few_seconds() -> None:
    bars = Bars()
    for tick in range(81):
        (bar,) = bars.step([], [subflow("wifi", tick * 125_000)], tick / 8)
    assert abs(bar.rate - 1_000_000) < 1000


def test_the_rate_falls_when_nothing_comes() -> None:
    bars = Bars()
    bars.step([], [subflow("wifi", 0)], 0.0)
    (before,) = bars.step([], [subflow("wifi", 10**6)], 1.0)
    (after,) = bars.step([], [subflow("wifi", 10**6)], 6.0)
    assert after.rate < before.rate / 100


@given(st.lists(st.tuples(st.integers(0, 10**9), st.floats(0, 10)), max_size=20))
def test_no_rate_is_negative_and_none_above_the_fastest_moment(
    steps: list[tuple[int, float]],
) -> None:
    """Whatever the times, even two looks at one moment, a rate is one that could be."""
    bars, now, received, fastest = Bars(), 0.0, 0, 0.0
    then, before = 0.0, 0  # what comes at a moment counts until time has passed
    for more, passed in steps:
        now, received = now + passed, received + more
        if now > then:
            fastest = max(fastest, (received - before) / (now - then))
            then, before = now, received
        (bar,) = bars.step([], [subflow("wifi", received)], now)
        assert 0 <= bar.rate <= fastest * (1 + 1e-9)
