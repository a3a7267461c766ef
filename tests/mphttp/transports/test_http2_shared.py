"""HTTP/2 by every door: streams, tasks and processes that share a connection."""

# ruff: noqa: SIM117  the client outlives what is raised in it

from __future__ import annotations

import contextlib
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import httpx
import pytest
from hyperframe.frame import (
    DataFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from mphttp import AsyncMultipathTransport, MultipathTransport

from .doors import Door
from .http2_peer import Peer, data, serving
from .http2_requests import HTTP2, PARTS, SIZE, once


def test_a_reader_doesn_t_wait_for_an_upload(door: Door) -> None:
    """Whose server reads no more: the whole way to it is full of what nobody takes."""
    full, read = threading.Event(), threading.Event()

    def serve(peer: Peer) -> None:
        slow, _ = peer.request()
        peer.say(peer.head(slow), data(slow, b"first "))
        upload, _ = peer.request()
        peer.say(WindowUpdateFrame(0, 1 << 30), WindowUpdateFrame(upload, 1 << 30))
        peer.until(DataFrame)
        full.wait(20)
        peer.say(data(slow, b"second", end=True))
        assert read.wait(20)
        peer.body(upload)
        peer.answer(upload, b"all")

    def big() -> list[bytes]:
        return [bytes(1 << 16)] * 120

    with serving(serve) as address, door.client(**HTTP2) as client, ThreadPoolExecutor(1) as pool:
        with client.stream(address) as slow:
            parts = slow.parts()
            assert next(parts) == b"first "
            uploading = pool.submit(
                client.request, "POST", address, content=once(door, big()), timeout=20
            )
            time.sleep(0.2)  # more than enough fits into no kernel's buffers; less is no less right
            full.set()
            assert b"".join(parts) == b"second"
            assert not uploading.done()
            read.set()
        assert uploading.result(20).content == b"all"


def test_an_upload_doesn_t_wait_for_a_reader_who_doesn_t_read(door: Door) -> None:
    def serve(peer: Peer) -> None:
        slow, _ = peer.request()
        peer.say(peer.head(slow), data(slow, b"unread"))
        upload, _ = peer.request()
        size = len(peer.body(upload))
        peer.answer(upload, b"%d" % size)
        peer.say(data(slow, b"", end=True))

    with serving(serve) as address, door.client(**HTTP2) as client:
        with client.stream(address) as slow:
            sent = client.request("POST", address, content=once(door, PARTS))
            assert sent.content == b"%d" % SIZE
            assert slow.read() == b"unread"


async def _traced(name: str, info: dict[str, Any]) -> None:
    await anyio.lowlevel.checkpoint()


@pytest.mark.slow
@pytest.mark.parametrize("extensions", [{}, {"trace": _traced}], ids=["", "traced"])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_no_place_is_lost_whenever_a_task_is_cancelled(
    backend: str, extensions: dict[str, Any]
) -> None:
    """Two streams at once are allowed; after hundreds of cancellations both are still free."""

    def serve(peer: Peer) -> None:
        while True:
            stream, _ = peer.request()
            peer.answer(stream, b"ok")

    async def main(address: str) -> None:
        transport = AsyncMultipathTransport(http1=False, http2=True)
        async with httpx.AsyncClient(transport=transport, timeout=20) as client:

            async def cancelled_after(turns: int) -> None:
                async with anyio.create_task_group() as tasks:

                    async def cancel() -> None:
                        for _ in range(turns):
                            await anyio.lowlevel.checkpoint()
                        tasks.cancel_scope.cancel()

                    tasks.start_soon(cancel)
                    await client.get(address, extensions=extensions)

            for turns in range(50 if extensions else 30):
                async with anyio.create_task_group() as tasks:
                    for more in range(5):
                        tasks.start_soon(cancelled_after, turns + more)
            assert (await client.get(address)).content == b"ok"
            (connection,) = transport._pool.connections
            assert connection.is_idle()

    with serving(serve, MAX_CONCURRENT_STREAMS=2) as address:
        anyio.run(main, address, backend=backend)


def test_a_server_that_allows_no_stream_yet(door: Door) -> None:
    """It is waited for until it does (RFC 9113, section 6.5.2)."""

    def serve(peer: Peer) -> None:
        stream, _ = peer.request()
        peer.heard()
        peer.answer(stream, b"1")
        peer.heard()
        peer.say(SettingsFrame(settings={SettingsFrame.MAX_CONCURRENT_STREAMS: 1}))
        stream, _ = peer.request()
        peer.answer(stream, b"2")

    with serving(serve, MAX_CONCURRENT_STREAMS=0) as address, door.client(**HTTP2) as client:
        assert client.get(address).content == b"1"
        assert client.get(address).content == b"2"


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("open_response", [False, True])
def test_a_child_process_uses_no_connection_of_its_parent(open_response: bool) -> None:
    """Nor reads on in a response, nor says goodbye in its parent's name."""

    def serve(peer: Peer) -> None:
        while True:
            stream, _ = peer.request()
            peer.answer(stream, b"%d" % peer.number)

    def in_child(address: str, client: httpx.Client, response: httpx.Response) -> None:
        assert client.get(address).content == b"1"
        if open_response:
            with pytest.raises(httpx.ReadError, match="another process"):
                response.read()
        client.close()

    with serving(serve) as address:
        with httpx.Client(transport=MultipathTransport(**HTTP2), timeout=20) as client:
            with client.stream("GET", address) as response:
                if not open_response:
                    response.read()
                child = os.fork()
                if not child:
                    code = 1
                    with contextlib.suppress(BaseException):
                        in_child(address, client, response)
                        code = 0
                    os._exit(code)
                assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
                assert response.read() == b"0"
            assert client.get(address).content == b"0"
