"""What all tests share: the lab, which tests marked `lab` run inside of."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from mphttp.lab import LabClient, inside, names

_OUTSIDE = "needs two real paths: mphttp lab run -- pytest tests/lab"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the lab, with the command that gives it one."""
    if names.INSIDE in os.environ:
        return
    for item in items:
        if item.get_closest_marker("lab"):
            item.add_marker(pytest.mark.skip(reason=_OUTSIDE))


@pytest.fixture
def lab() -> Iterator[LabClient]:
    """The lab around this test, with links as `mphttp lab run` made them and counters at 0."""
    client = inside()
    client.reset()
    yield client
    client.reset()
    client.close()
