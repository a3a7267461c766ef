"""A test that asks for `net` or `root_net` runs in network namespaces of its own."""

from __future__ import annotations

import pytest

from mphttp.kernel.broker import channel
from tests.kernel.conftest import bpf_works, namespaces_work, net, pytest_pyfunc_call, root_net

__all__ = ["bpf_works", "namespaces_work", "net", "pytest_pyfunc_call", "root_net"]


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a broker that works for longer than it takes on the busiest machine."""
    monkeypatch.setattr(channel, "_TIMEOUT", 30)
