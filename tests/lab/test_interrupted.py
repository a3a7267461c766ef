"""Requests that are given up at any point: nothing is left of them, and the client stays usable."""

from __future__ import annotations

import hashlib
import os
import signal
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import httpx
import pytest

from mphttp import AsyncMultipathTransport, FullMesh, MultipathTransport, Report
from mphttp.lab import LabClient, names
from mphttp.lab.content import sha256_of

from .downloads import carried, url
from .leaks import Opened, eventually
from .servers import serving

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("fast")]

SIZE = 300_000
SILENT = f"{names.SERVER_ADDRESS}:7"
SOON = 0.3
"""Seconds; every stage would last much longer."""

LISTENER = f"""
import socket, time
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("{names.SERVER_ADDRESS}", 7))
listener.listen()
time.sleep(60)
"""


@dataclass(frozen=True)
class Stage:
    """Where a request is when it is given up.

    Attributes:
        left: subflows that may stay until the server has read what the kernel had taken to send:
            the first one, and what a strategy has opened beside it.
    """

    address: str
    method: str = "GET"
    content: bytes | None = None
    proxy: str | None = None
    before: Callable[[LabClient], None] = lambda _: None
    left: int = 0


def blackhole(lab: LabClient) -> None:
    lab.blackhole("wifi")
    lab.blackhole("lte")


STAGES = {
    "connecting": Stage(f"http://{names.SERVER_ADDRESS}:{names.PORT}/", before=blackhole),
    "asking a proxy": Stage(f"https://{names.SERVER_ADDRESS}/", proxy=f"http://{SILENT}"),
    "asking a SOCKS proxy": Stage(f"http://{names.SERVER_ADDRESS}/", proxy=f"socks5://{SILENT}"),
    "in the TLS handshake": Stage(f"https://{SILENT}/"),
    "sending": Stage(f"http://{SILENT}/", "POST", content=bytes(64 << 20), left=2),
    "before the head": Stage(f"http://{SILENT}/"),
    "in the body": Stage(url(50_000_000) if names.ORIGIN in os.environ else ""),
    "in the body under TLS": Stage(
        url(50_000_000, origin=names.ORIGIN_TLS) if names.ORIGIN in os.environ else ""
    ),
}


@pytest.fixture(params=STAGES.values(), ids=STAGES.keys())
def stage(request: pytest.FixtureRequest, lab: LabClient, opened: Opened) -> Iterator[Stage]:
    """Every stage, with a server that says nothing."""
    stage: Stage = request.param
    with serving(lab, [sys.executable, "-c", LISTENER], 7):
        stage.before(lab)
        yield stage


def options(stage: Stage) -> dict[str, Any]:
    trust = ssl.create_default_context(cafile=os.environ[names.CA])
    return {"strategy": FullMesh(), "verify": trust, "proxy": stage.proxy}


def check_whole(content: bytes, report: Report) -> None:
    assert hashlib.sha256(content).digest() == sha256_of(SIZE)
    assert [subflow.path for subflow in report.subflows] == ["wifi", "lte"]


class InterruptedByTest(BaseException):
    """As KeyboardInterrupt is: raised by a signal's handler, wherever the program is."""


@contextmanager
def interrupted() -> Iterator[None]:
    """Raise in the block, soon."""

    def interrupt(*_: object) -> None:
        raise InterruptedByTest

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, SOON)
        with pytest.raises(InterruptedByTest):
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_signal_s_handler_raises(lab: LabClient, opened: Opened, stage: Stage) -> None:
    transport = MultipathTransport(**options(stage))
    with httpx.Client(transport=transport, timeout=30) as client:
        with interrupted():
            client.request(stage.method, stage.address, content=stage.content)
        assert not transport._pool.connections
        eventually(lambda: opened.subflows() <= stage.left, True)
        lab.reset()
        if stage.proxy is None:
            response = client.get(url(SIZE))
            check_whole(response.content, response.extensions["multipath"])


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_task_is_cancelled(lab: LabClient, opened: Opened, stage: Stage, backend: str) -> None:
    transport = AsyncMultipathTransport(**options(stage))

    async def main() -> None:
        async with httpx.AsyncClient(transport=transport, timeout=30) as client:
            tasks = len(anyio.get_running_tasks())
            with anyio.move_on_after(SOON) as scope:
                await client.request(stage.method, stage.address, content=stage.content)
            assert scope.cancelled_caught
            assert not transport._pool.connections
            assert len(anyio.get_running_tasks()) == tasks
            await anyio.to_thread.run_sync(
                eventually, lambda: opened.subflows() <= stage.left, True
            )
            lab.reset()
            if stage.proxy is None:
                response = await client.get(url(SIZE))
                check_whole(response.content, response.extensions["multipath"])

    anyio.run(main, backend=backend)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("connecting", httpx.ConnectTimeout),
        ("in the TLS handshake", httpx.ConnectTimeout),
        ("sending", httpx.WriteTimeout),
        ("before the head", httpx.ReadTimeout),
        ("asking a proxy", httpx.ConnectTimeout),
    ],
)
@pytest.mark.parametrize("backend", [None, "asyncio", "trio"])
def test_a_time_out(
    lab: LabClient, opened: Opened, name: str, kind: type[Exception], backend: str | None
) -> None:
    """Each stage has its own, as httpx calls it."""
    stage = STAGES[name]
    asked = {"method": stage.method, "url": stage.address, "content": stage.content}

    async def main() -> None:
        transport = AsyncMultipathTransport(**options(stage))
        async with httpx.AsyncClient(transport=transport, timeout=SOON) as client:
            with pytest.raises(kind):
                await client.request(**asked)
            assert not transport._pool.connections

    with serving(lab, [sys.executable, "-c", LISTENER], 7):
        stage.before(lab)
        if backend is not None:
            anyio.run(main, backend=backend)
            return
        transport = MultipathTransport(**options(stage))
        with httpx.Client(transport=transport, timeout=SOON) as client:
            with pytest.raises(kind):
                client.request(**asked)
            assert not transport._pool.connections


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_task_that_waits_for_the_pool_is_cancelled(
    lab: LabClient, opened: Opened, backend: str
) -> None:
    """The one that has the connection goes on."""
    transport = AsyncMultipathTransport(FullMesh(), limits=httpx.Limits(max_connections=1))

    async def main() -> None:
        async with httpx.AsyncClient(transport=transport, timeout=30) as client:
            async with client.stream("GET", url(SIZE)) as response:
                with anyio.move_on_after(SOON) as scope:
                    await client.get(url(SIZE))
                assert scope.cancelled_caught
                check_whole(await response.aread(), response.extensions["multipath"])
            assert (await client.get(url(SIZE))).status_code == 200

    anyio.run(main, backend=backend)


@pytest.mark.filterwarnings("ignore:Exception ignored in. <async_generator")  # httpx leaves them
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("close", [True, False], ids=["client", "response"])
def test_closed_under_an_open_response(
    lab: LabClient, opened: Opened, backend: str, close: bool
) -> None:
    """The client, or the response alone: not a byte more comes over any path."""

    async def main() -> None:
        client = httpx.AsyncClient(transport=AsyncMultipathTransport(FullMesh()), timeout=30)
        response = await client.send(client.build_request("GET", url(50_000_000)), stream=True)
        report = response.extensions["multipath"]
        async for _ in response.aiter_raw():
            if carried(report, "lte"):
                break
        await (client.aclose() if close else response.aclose())
        await anyio.to_thread.run_sync(eventually, opened.subflows, 0)
        assert 0 < report.bytes < 50_000_000
        await response.aclose()
        await client.aclose()

    anyio.run(main, backend=backend)
