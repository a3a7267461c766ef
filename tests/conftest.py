"""What all tests share: the lab, which tests marked `lab` run inside of."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import hypothesis
import pytest

from mphttp.lab import LabClient, inside, names

# How long an example takes is the machine's affair; what hangs, pytest-timeout ends.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

_OUTSIDE = "needs two real paths: mphttp lab run -- pytest tests/lab"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--share", metavar="N/M", help="run the N-th of M shares of the files: scripts/lab_tests"
    )


@pytest.hookimpl(trylast=True)  # when marks have made their choice
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take one share, and skip what needs the lab, with the command that gives it one."""
    share = config.getoption("--share")
    if share is not None and not config.getoption("lf"):  # those that failed are of this share
        number, _, shares = share.partition("/")
        config.hook.pytest_deselected(items=_keep_share(items, int(number) - 1, int(shares)))
    if names.INSIDE in os.environ:
        return
    for item in items:
        if item.get_closest_marker("lab"):
            item.add_marker(pytest.mark.skip(reason=_OUTSIDE))


def _keep_share(items: list[pytest.Item], number: int, shares: int) -> list[pytest.Item]:
    """Keep a share of the files, with as many tests as each other share; return the rest."""
    loads = [0] * shares
    share_of = dict[str, int]()
    for file, tests in Counter(str(item.path) for item in items).most_common():
        share_of[file] = loads.index(min(loads))
        loads[share_of[file]] += tests
    rest = [item for item in items if share_of[str(item.path)] != number]
    items[:] = [item for item in items if share_of[str(item.path)] == number]
    return rest


@pytest.fixture
def lab() -> Iterator[LabClient]:
    """The lab around this test, with links as `mphttp lab run` made them and counters at 0."""
    client = inside()
    client.reset()
    yield client
    client.reset()
    client.close()
