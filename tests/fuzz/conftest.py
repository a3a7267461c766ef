"""Fuzzers: bytes that no kernel and no broker would send, for a stated time.

    make fuzz                                      a minute in all
    pytest tests/fuzz --fuzz-seconds=600           ten minutes

Without a time, each gets a hundred inputs, as any other test of properties. To join, write a test
here that asks for `fuzz` and calls it once, with a strategy and a check.
"""

from __future__ import annotations

import base64
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis.strategies import SearchStrategy

from .hang import no_longer_than
from .mutations import mutated

_Input = TypeVar("_Input")
_ROUND = 100  # examples between two looks at the clock, where they take milliseconds
_MUTATIONS = 300  # of each example that is bytes: they cost much less than an example does
_HANGS = 5.0  # seconds of processor time for an example and its mutations, which take milliseconds
_counts = pytest.StashKey[dict[str, int]]()


class Fuzz(Protocol[_Input]):
    """Gives a check inputs of a strategy, as many as there is time for, and a round at least."""

    def __call__(
        self,
        strategy: SearchStrategy[_Input],
        check: Callable[[_Input], object],
        /,
        *,
        examples: int = _ROUND,
    ) -> None: ...


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fuzz-seconds", type=float, default=0.0, help="for all fuzzers together")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    fuzzers = [item for item in items if "fuzz" in getattr(item, "fixturenames", ())]
    for item in fuzzers:
        share = _seconds(config) / len(fuzzers)
        item.user_properties.append(("share", share))
        item.add_marker(pytest.mark.timeout(share + 60))
        item.add_marker(pytest.mark.slow)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts = terminalreporter.config.stash.get(_counts, {})
    if _seconds(terminalreporter.config):
        for name, count in counts.items():
            terminalreporter.write_line(f"{count:>10,} inputs: {name}")
        terminalreporter.write_line(f"{sum(counts.values()):>10,} inputs in all")


@pytest.fixture
def fuzz(request: pytest.FixtureRequest) -> Iterator[Fuzz]:
    """Give a check inputs of a strategy for this fuzzer's share of the time."""
    share = dict(request.node.user_properties)["share"]
    count = 0

    def run(
        strategy: SearchStrategy[_Input],
        check: Callable[[_Input], object],
        /,
        *,
        examples: int = _ROUND,
    ) -> None:
        ends = time.monotonic() + share

        def counted(example: _Input) -> None:
            nonlocal count
            with no_longer_than(_HANGS):
                for value in mutated(example, _MUTATIONS if share else 0):
                    if count and time.monotonic() >= ends and share:
                        return  # inputs that take long make a round longer than its time
                    count += 1
                    try:
                        check(value)
                    except BaseException as failure:
                        failure.add_note(f"input: {_written(value)}")
                        raise

        while True:
            _examine(counted, strategy, examples, number=time.time_ns())
            if time.monotonic() >= ends:
                break

    yield run
    assert count
    request.config.stash.setdefault(_counts, {})[request.node.name] = count


def _examine(
    check: Callable[[_Input], None], strategy: SearchStrategy[_Input], examples: int, number: int
) -> None:
    """Let hypothesis look for an input that fails; it shows the smallest that it finds."""
    limits = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    seed(number)(limits(given(strategy)(check)))()


def _written(value: object) -> str:
    """Write an input so that it can be pasted, and not longer than need be."""
    if not isinstance(value, bytes) or len(value) < 200:
        return repr(value)
    return f"zlib.decompress(base64.b85decode({base64.b85encode(zlib.compress(value))!r}))"


def _seconds(config: pytest.Config) -> float:
    # Not known where these tests are run along with all others.
    return float(config.getoption("--fuzz-seconds", 0.0))
