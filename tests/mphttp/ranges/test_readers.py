"""Callers who stop in the middle: nothing goes on without them, and nothing is left."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from functools import partial

import anyio
import anyio.to_thread
import httpx
import pytest

from mphttp import AsyncMultipathTransport, MultipathTransport, Report
from mphttp.strategies import NDiffPorts
from tests.lab.leaks import eventually
from tests.mphttp.transports.doors import DOORS, UNFINISHED

from .origins import QUARTER, TAG, Answer, Asked, Origin, Peer, right, whole_with
from .parts import carried, closing, dribbles, stalls, status

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("nothing_left")]

OPTIONS = {"strategy": NDiffPorts(2), "multipath": "ranges", "verify": False}
CLOSING = closing()
PARTS = pytest.mark.parametrize(
    "part",
    [right, stalls, dribbles, CLOSING, status(503, "Retry-After: 600")],
    ids=["right", "stalls", "dribbles", "closing", "busy"],
)


def first_quarter(parts: Iterator[bytes]) -> None:
    """Read what the first response brings before it waits; else the reader holds all back."""
    count = 0
    while count < QUARTER:
        count += len(next(parts))


def has_begun(report: Report) -> bool:
    """Tell whether a connection for parts has brought something, or was told to wait."""
    return carried(report) > 0 or bool(report.problems)


@pytest.mark.filterwarnings(UNFINISHED)
@PARTS
@pytest.mark.parametrize("door", ["httpx", "httpx-asyncio"])  # httpx leaves trio a generator
def test_a_caller_who_closes_early(door: str, part: Answer) -> None:
    with Origin(part=part) as origin, DOORS[door].client(**OPTIONS) as client:
        with client.stream(origin.url) as answer:
            first_quarter(answer.parts())
            eventually(lambda: has_begun(answer.report), True)
        report = answer.report
        assert not [p for p in report.problems if "failed with" in p.what]
        assert all(subflow.closed_at is not None for subflow in report.subflows[1:])


def test_a_caller_who_never_closes() -> None:
    """When the response is garbage, what helps it ends."""
    with Origin() as origin, httpx.Client(transport=MultipathTransport(**OPTIONS)) as client:
        answer = client.send(client.build_request("GET", origin.url), stream=True)
        parts = answer.iter_raw()
        first_quarter(parts)
        eventually(partial(has_begun, answer.extensions["multipath"]), True)
        del answer, parts
        gc.collect()


@PARTS
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_task_that_is_cancelled(backend: str, part: Answer) -> None:
    """It waits for a first response that doesn't go on, and for parts that may come or not."""

    async def read(origin: Origin) -> None:
        transport = AsyncMultipathTransport(**OPTIONS)
        async with httpx.AsyncClient(transport=transport, timeout=30) as client:
            with anyio.move_on_after(0.5) as scope:
                async with client.stream("GET", origin.url) as answer:
                    count = 0
                    async for chunk in answer.aiter_raw():
                        count += len(chunk)
                    # Right parts meet what the first response has brought long before.
                    assert part in (right, CLOSING), count
            assert scope.cancelled_caught or part in (right, CLOSING)

    with Origin(part=part) as origin:
        anyio.run(read, origin, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_task_that_is_cancelled_while_it_waits_for_others(backend: str) -> None:
    """The first response has been ended; what would come next stalls."""
    from .test_limits import Changing

    async def read(origin: Origin) -> None:
        transport = AsyncMultipathTransport(**{**OPTIONS, "strategy": Changing(1)})
        async with httpx.AsyncClient(transport=transport, timeout=30) as client:
            with anyio.move_on_after(1) as scope:
                async with client.stream("GET", origin.url) as answer:
                    async for _ in answer.aiter_raw():
                        """What comes."""
            assert scope.cancelled_caught

    with Origin(part=stalls) as origin:
        anyio.run(read, origin, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_task_that_is_cancelled_while_another_path_is_looked_for(backend: str) -> None:
    """The first response has broken off, and nobody answers a request for the rest."""

    def answers_nothing(peer: Peer, asked: Asked) -> None:
        requests.set()
        peer.linger()

    async def read(origin: Origin) -> None:
        transport = AsyncMultipathTransport(**OPTIONS)
        async with httpx.AsyncClient(transport=transport, timeout=30) as client:
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(cancel, scope)
                    async with client.stream("GET", origin.url) as answer:
                        async for _ in answer.aiter_raw():
                            """What comes."""
            assert scope.cancelled_caught

    async def cancel(scope: anyio.CancelScope) -> None:
        await anyio.to_thread.run_sync(requests.wait, 20)
        scope.cancel()

    requests = threading.Event()
    first = whole_with(f"ETag: {TAG}", "Accept-Ranges: bytes", then=Peer.reset)
    with Origin(first, answers_nothing) as origin:
        origin.gate.set()
        anyio.run(read, origin, backend=backend)


def test_a_reader_who_raises() -> None:
    """His own error comes out, and the client goes on."""

    class OwnError(Exception):
        pass

    def read(client: httpx.Client) -> None:
        with client.stream("GET", origin.url) as answer:
            first_quarter(answer.iter_raw())
            eventually(lambda: has_begun(answer.extensions["multipath"]), True)
            raise OwnError

    with Origin() as origin, httpx.Client(transport=MultipathTransport(**OPTIONS)) as client:
        with pytest.raises(OwnError):
            read(client)
        origin.gate.set()
        assert len(client.get(origin.url).content) == 4 * QUARTER
