"""Tests of the paper's kernel run inside of it, in a lab, without a capability."""

from __future__ import annotations

import pytest

from mphttp.kernel import KernelError
from mphttp.kernel.sockopt.mechanism import SockoptMechanism
from tests.lab.conftest import _short_goodbye, fast, opened

__all__ = ["_short_goodbye", "fast", "opened"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the paper's kernel, with the command that gives it."""
    try:
        SockoptMechanism().close()
    except KernelError as error:
        for item in items:
            if item.get_closest_marker("guest"):
                item.add_marker(pytest.mark.skip(reason=f"{error}: make test-kernel"))
