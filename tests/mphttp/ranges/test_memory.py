"""A body of 1 GiB and a slow reader: memory has its bound, and the disk is given back."""

from __future__ import annotations

import json
import resource
import subprocess
import sys

import httpx
import pytest

from mphttp import MultipathTransport
from mphttp.lab.content import blocks, sha256_of
from mphttp.ranges.store import MEMORY
from mphttp.strategies import NDiffPorts
from tests.kernel.namespaces import in_child
from tests.lab.leaks import eventually

from .origins import TAG, Answer, Asked, Origin, Peer
from .reading import wait_for_the_first

GIB = 1 << 30
BEGINNING = 1 << 20
BUFFERS = 8 << 20
"""Bytes for what is on its way: chunks, sockets' own memory isn't the process's."""


def of(size: int, *, waits: bool) -> tuple[Answer, Answer]:
    """Make answers to requests for a body, and for its parts.

    Args:
        size: of the body, in bytes.
        waits: whether the first response comes no further than 1 MiB until the test lets it.
    """

    def send(peer: Peer, part: range) -> None:
        for block in blocks(size, part.start, part.stop):
            peer.sock.sendall(block)

    def first(peer: Peer, asked: Asked) -> None:
        if asked.target.endswith("small"):
            peer.head(200, "Content-Length: 1")
            peer.sock.sendall(b"x")
            return
        peer.head(200, f"Content-Length: {size}", f"ETag: {TAG}", "Accept-Ranges: bytes")
        send(peer, range(BEGINNING))
        if waits:
            peer.wait()
        send(peer, range(BEGINNING, size))

    def part(peer: Peer, asked: Asked) -> None:
        told = f"Content-Range: bytes {asked.part.start}-{asked.part.stop - 1}/{size}"
        peer.head(206, f"ETag: {TAG}", told, f"Content-Length: {len(asked.part)}")
        send(peer, asked.part)

    return first, part


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("waits", [True, False], ids=["the first waits", "both come"])
def test_memory_has_its_bound(waits: bool) -> None:
    """What comes early is on disk, however much of it there is."""
    with Origin(*of(GIB, waits=waits)) as origin:
        command = [sys.executable, "-m", "tests.mphttp.ranges.reading", origin.url]
        told = json.loads(subprocess.check_output(command, timeout=250))
    print(told)
    assert told["sha256"] == sha256_of(GIB).hex()
    assert told["most"] - told["before"] < MEMORY + BUFFERS
    assert told["left"] == 0
    if waits:
        assert told["file"] > 2 * MEMORY
        assert told["carried"][1] > GIB - 2 * BEGINNING


@pytest.mark.slow
def test_where_nothing_can_be_written_the_first_response_goes_on_alone() -> None:
    """Its reader gets all of it, and is told why nobody helped."""
    size = 24 << 20

    def small_disk() -> None:
        wait_for_the_first()
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        transport = MultipathTransport(NDiffPorts(2), multipath="ranges", verify=False)
        with Origin(*of(size, waits=True)) as origin, httpx.Client(transport=transport) as client:
            with client.stream("GET", origin.url) as response:
                report = response.extensions["multipath"]
                body = b""
                for chunk in response.iter_raw():
                    body += chunk
                    if len(body) >= BEGINNING and not origin.gate.is_set():
                        # Without a first response to wait for, nothing would come early.
                        eventually(lambda: bool(report.problems), True)
                        origin.gate.set()
            assert body == b"".join(blocks(size))
        assert "what comes early can't be kept: File too large" in str(report.problems)

    in_child(small_disk)
