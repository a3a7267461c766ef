"""What tests inside the lab share."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mphttp.core.backoff import Backoff, Joins
from mphttp.engine import engine
from mphttp.kernel import KernelError
from mphttp.kernel.bpf import program
from mphttp.lab import LabClient, names

from .leaks import Opened, capabilities, eventually, sockets_at, start
from .middleboxes import in_server

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


@pytest.fixture(autouse=True)
def _joins_forgotten() -> None:
    """Let no test turn to ranges since in another one subflows were refused."""
    engine.joins = Joins()
    engine.harm = Backoff()


@pytest.fixture
def opened(lab: LabClient, _short_goodbye: None) -> Iterator[Opened]:
    """Watch what the test opens, and check that nothing of it is left after it."""
    start()
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


@pytest.fixture
def quiet(lab: LabClient, fast: None) -> None:
    """Wait until no side of any connection sends by LTE any more, and count from 0.

    The server's side can't be asked without privilege: that needs a lab of its own for these tests.
    """
    address = names.client_address(1)
    eventually(lambda: sockets_at(address), set(), within=60)
    if capabilities():
        eventually(lambda: servers_sockets(lab, address), b"", within=60)
    lab.reset()
    lab.change("wifi", rate="20mbit", delay="5ms")


@pytest.fixture
def no_joins(lab: LabClient) -> Iterator[None]:
    """Let the server refuse every further subflow."""
    in_server(lab, "ip", "mptcp", "limits", "set", "subflows", "0")
    yield
    in_server(lab, "ip", "mptcp", "limits", "set", "subflows", "2")


def servers_sockets(lab: LabClient, peer: str) -> bytes:
    """List the server's sockets that may still send to an address."""
    command = ["ss", "-Htn", "state", "connected", "exclude", "time-wait", "dst", peer]
    with lab.in_server(command, stdout=subprocess.PIPE) as process:
        told, _ = process.communicate()
    assert process.returncode == 0
    return bytes(told)
