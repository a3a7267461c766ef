"""What tests of ranges over loopback share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.leaks import Opened, eventually, start
from tests.mphttp.transports.doors import DOORS, Door


@pytest.fixture(params=["httpx", "httpx-asyncio", "httpx-trio"])
def door(request: pytest.FixtureRequest) -> Door:
    """A door of each kind."""
    return DOORS[request.param]


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """Check that no thread, socket or temporary file outlives the test."""
    start()
    opened = Opened()
    yield
    eventually(opened.own, {"descriptors": 0, "threads": 0})
