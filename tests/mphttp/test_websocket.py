"""WebSocket by httpx-ws: a strategy lives as long as the stream, which counts both directions."""

from __future__ import annotations

import socket
from typing import Any

import anyio
import httpx
import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Message, Ping, Request

from mphttp import AsyncMultipathTransport, MultipathTransport, Report

from .test_uploads import Lives, server

httpx_ws = pytest.importorskip("httpx_ws")

MESSAGES = ["hello", "x" * 200_000, "goodbye"]
SIZE = sum(map(len, MESSAGES))


def echo(sock: socket.socket) -> None:
    """Send back each message."""
    connection = WSConnection(ConnectionType.SERVER)
    while data := sock.recv(65536):
        connection.receive_data(data)
        for event in connection.events():
            match event:
                case Request():
                    sock.sendall(connection.send(AcceptConnection()))
                case Message():
                    sock.sendall(connection.send(event))
                case Ping():
                    sock.sendall(connection.send(event.response()))
                case CloseConnection():
                    sock.sendall(connection.send(event.response()))
                    return


def received(websocket: Any) -> str:
    text: str = websocket.receive_text(timeout=10)
    return text


def by_threads(url: str, lives: Lives) -> Report:
    with (
        httpx.Client(transport=MultipathTransport(lives)) as client,
        httpx_ws.connect_ws(url, client) as websocket,
    ):
        for message in MESSAGES:
            websocket.send_text(message)
            assert received(websocket) == message
            assert lives.seen.get(timeout=10) >= 0
        report: Report = websocket.response.extensions["multipath"]
    return report


def by_tasks(url: str, lives: Lives, backend: str) -> Report:
    async def main() -> Report:
        transport = AsyncMultipathTransport(lives)
        async with (
            httpx.AsyncClient(transport=transport) as client,
            httpx_ws.aconnect_ws(url, client) as websocket,
        ):
            for message in MESSAGES:
                await websocket.send_text(message)
                assert await websocket.receive_text(timeout=10) == message
                await anyio.to_thread.run_sync(lambda: lives.seen.get(timeout=10))
            report: Report = websocket.response.extensions["multipath"]
        return report

    return anyio.run(main, backend=backend)


@pytest.mark.parametrize("backend", [None, "asyncio", "trio"], ids=lambda name: name or "threads")
def test_a_strategy_lives_as_long_as_a_websocket(backend: str | None) -> None:
    lives = Lives()
    with server(echo) as url:
        place = url.replace("http://", "ws://")
        report = by_threads(place, lives) if backend is None else by_tasks(place, lives, backend)
    while lives.seen.get(timeout=10) != -1:
        """It ends with the stream."""
    assert report.status == 101
    for count in (report.bytes, report.bytes_sent):
        assert SIZE < count < SIZE + 1000
