from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mphttp.cli.get.limited import Limited
from mphttp.strategies import Deadline, Path, Subflow, Transfer

FIRST = Subflow(0, Path("wifi"))
NETWORK: Any = SimpleNamespace(delivered=lambda: 0, subflows=lambda: (FIRST,))


@given(st.none() | st.integers(1, 10**9), st.integers(1, 10**9))
def test_a_strategy_runs_unless_its_own_reader_is_too_slow(length: int | None, rate: int) -> None:
    step = next(Limited(Deadline(10.0), rate).run(Transfer(length, NETWORK)), None)
    hopeless = length is not None and length / rate > 10.0
    assert (step is None) == hopeless


def test_a_report_tells_of_the_strategy_that_was_asked_for() -> None:
    limited = Limited(Deadline(10.0), 1)
    assert (limited.name, limited.deadline) == ("deadline", 10.0)
    assert limited.parameters() == Deadline(10.0).parameters()
