"""What tests inside the lab share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mphttp.engine import engine
from mphttp.kernel import KernelError
from mphttp.kernel.bpf import program
from mphttp.lab import LabClient

from .leaks import Opened, eventually

_CLOSE_TIMEOUT = Path("/proc/sys/net/mptcp/close_timeout")


@pytest.fixture(scope="session")
def _short_goodbye() -> Iterator[None]:
    """Let the kernel wait for a peer that has fallen silent for 1 s, not 60, at the end."""
    before = _CLOSE_TIMEOUT.read_text() if _CLOSE_TIMEOUT.exists() else "1"
    if before.strip() == "1":  # as who gave up the privilege to set it may have left it
        yield
        return
    _CLOSE_TIMEOUT.write_text("1")
    yield
    _CLOSE_TIMEOUT.write_text(before)


@pytest.fixture
def opened(lab: LabClient, _short_goodbye: None) -> Iterator[Opened]:
    """Watch what the test opens, and check that nothing of it is left after it."""
    engine.start()  # its thread and its descriptors are the process's, for good
    with suppress(KernelError):  # only the initial user namespace's root may
        program.check()  # as above
    opened = Opened()
    yield opened
    for link in lab.counters():
        lab.restore(link)  # so that both sides of what fell silent hear of the end
    eventually(opened.everything, {"descriptors": 0, "threads": 0, "subflows": 0})


@pytest.fixture
def fast(lab: LabClient, opened: Opened) -> None:
    """Make both links fast, so that tests are, too; nothing may be left."""
    lab.change("wifi", rate="20mbit", delay="5ms")
    lab.change("lte", rate="20mbit", delay="10ms")
