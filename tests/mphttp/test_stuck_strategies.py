"""A strategy that never comes back holds back no byte, no other download and no event loop."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import httpx2
import pytest
import requests

import mphttp.httpx2
from mphttp import AsyncMultipathTransport, MultipathAdapter, MultipathTransport, Strategy
from mphttp.curl import CurlTransport, fetch
from mphttp.strategies import Steps, Transfer, Until

LONGEST = 0.5
"""Seconds that an event loop may be held up; what hangs here hangs until the response has come."""


@dataclass(frozen=True)
class Stuck(Strategy):
    """Waits for good in its first step, in a later one or at its end, or loops without waiting."""

    how: str
    begun: threading.Event = field(default_factory=threading.Event, compare=False)
    over: threading.Event = field(default_factory=threading.Event, compare=False)

    def run(self, transfer: Transfer) -> Steps:
        if self.how == "first":
            self.hang()
        try:
            yield Until(elapsed=0.0)
            if self.how in ("later", "loop"):
                self.hang()
            self.begun.set()
            yield Until(elapsed=1e9)
        finally:
            if self.how == "end":
                self.hang()

    def hang(self) -> None:
        self.begun.set()
        while self.how == "loop" and not self.over.is_set():
            pass
        self.over.wait(30)


@pytest.fixture(params=["first", "later", "end", "loop"])
def stuck(request: pytest.FixtureRequest) -> Iterator[Stuck]:
    strategy = Stuck(request.param)
    yield strategy
    strategy.over.set()


@pytest.fixture
def url(stuck: Stuck) -> Iterator[str]:
    """A server that sends the second half of a body once the strategy has begun to hang."""

    def serve() -> None:
        for _ in range(2):
            peer, _ = server.accept()
            with peer:
                peer.recv(9999)
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
                assert stuck.begun.wait(20)
                peer.sendall(b"cd")

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        thread.join()


def by_httpx(url: str, strategy: Strategy) -> Any:
    with httpx.Client(transport=MultipathTransport(strategy)) as client:
        return client.get(url)


def by_httpx2(url: str, strategy: Strategy) -> Any:
    with httpx2.Client(transport=mphttp.httpx2.MultipathTransport(strategy)) as client:
        return client.get(url)


def by_curl_transport(url: str, strategy: Strategy) -> Any:
    with httpx.Client(transport=CurlTransport(strategy)) as client:
        return client.get(url)


def by_requests(url: str, strategy: Strategy) -> Any:
    with requests.Session() as session:
        session.mount("http://", MultipathAdapter(strategy))
        return session.get(url)


def by_curl(url: str, strategy: Strategy) -> Any:
    return fetch(url, strategy=strategy)


CLIENTS = [by_httpx, by_httpx2, by_curl_transport, by_requests, by_curl]


@pytest.mark.parametrize("client", CLIENTS)
def test_the_body_comes_and_so_does_the_next(
    client: Callable[[str, Strategy], Any], stuck: Stuck, url: str
) -> None:
    """Though the strategy hangs until both are there."""
    for _ in range(2):
        response = client(url, stuck)
        assert getattr(response, "content", None) or response.body == b"abcd"


async def _ticker(gaps: list[float]) -> None:
    last = time.monotonic()
    while True:
        await asyncio.sleep(0.001)
        now = time.monotonic()
        gaps.append(now - last)
        last = now


def test_an_event_loop_goes_on(stuck: Stuck, url: str) -> None:
    gaps: list[float] = []

    async def main() -> None:
        ticker = asyncio.create_task(_ticker(gaps))
        async with httpx.AsyncClient(transport=AsyncMultipathTransport(stuck)) as client:
            for _ in range(2):
                assert (await client.get(url)).content == b"abcd"
        ticker.cancel()

    asyncio.run(main())
    assert max(gaps) < LONGEST


@pytest.mark.slow
def test_the_report_says_so(url: str, stuck: Stuck) -> None:
    for _ in range(2):
        report = by_httpx(url, stuck).extensions["multipath"]
    if stuck.how != "end":
        report.wait(20)
        words = f"the strategy {stuck.name!r} has not come back"
        assert any(problem.what.startswith(words) for problem in report.problems)
