"""The extension "trace" hears of ours what it hears of the library's own transports."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from .conftest import Serve
from .doors import DOORS, Door

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345"

Told = list[tuple[str, dict[str, Any]]]


def told(door: Door, address: str, **options: Any) -> Told:
    """Post something, and return what was told of it."""
    heard: Told = []

    def trace(name: str, info: dict[str, Any]) -> None:
        heard.append((name, dict(info)))

    async def trace_async(name: str, info: dict[str, Any]) -> None:
        trace(name, info)

    extensions = {"trace": trace if door.backend is None else trace_async}
    with door.client(**options) as client:
        client.request("POST", address, content=b"body", extensions=extensions)
    return heard


def library_s_own(door: Door) -> Door:
    """Return the door that the library itself has in our place."""
    theirs: Any = SimpleNamespace(
        MultipathTransport=door.library.HTTPTransport,
        AsyncMultipathTransport=door.library.AsyncHTTPTransport,
    )
    return Door(door.library, theirs, door.backend)


def test_every_step_is_told(door: Door, serve: Serve) -> None:
    """The same steps, with at least what the library tells of each."""
    ours = told(door, serve(ANSWER))
    theirs = told(library_s_own(door), serve(ANSWER))
    assert [name for name, _ in ours] == [name for name, _ in theirs]
    for (name, mine), (_, other) in zip(ours, theirs, strict=True):
        assert mine.keys() >= other.keys(), name
        assert (mine.get("return_value") is None) == (other.get("return_value") is None), name


def test_what_is_told_of_the_head(serve: Serve) -> None:
    """As httpx's own command line reads it."""
    heard = dict(told(DOORS["httpx"], serve(ANSWER)))
    head = heard["http11.receive_response_headers.complete"]["return_value"]
    assert head == (b"HTTP/1.1", 200, b"OK", [(b"Content-Length", b"5")])
    assert heard["http11.send_request_headers.started"]["request"].method == b"POST"


def test_a_failure_is_told() -> None:
    heard: Told = []
    extensions = {"trace": lambda name, info: heard.append((name, dict(info)))}
    with DOORS["httpx"].client(uds="/nowhere") as client, pytest.raises(httpx.ConnectError):
        client.get("http://anybody/", extensions=extensions)
    connecting = "connection.connect_unix_socket"
    assert [name for name, _ in heard] == [f"{connecting}.started", f"{connecting}.failed"]
    assert heard[0][1]["path"] == "/nowhere"
    assert isinstance(heard[1][1]["exception"], Exception)
