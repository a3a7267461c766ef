"""How long a transfer is waited for, where the limit is what is left of a larger one."""

from __future__ import annotations

import socket
import threading
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from mphttp.curl import CurlTransport
from mphttp.curl.stream import _Patience
from tests.mphttp.requests.servers import Start, head_of


class WhatIsLeft(dict[str, float | None]):
    """A limit that is less each time that somebody asks, as the command line's are."""

    def get(self, kind: str, _: object = None, /) -> float | None:
        value = super().get(kind)
        self[kind] = None if value is None else value / 10
        return value


@pytest.fixture
def transfer() -> Any:
    """What is looked at of a transfer."""
    return SimpleNamespace(
        hop=SimpleNamespace(connected=True),
        body=SimpleNamespace(heard_at=0.0),
        heard_at=1.0,
        uploads=lambda: False,
    )


def test_a_limit_is_not_taken_off_twice(transfer: Any) -> None:
    patience = _Patience(transfer, WhatIsLeft(read=1000.0))
    assert patience.left() > 900
    assert patience.left() > 900  # though 100 s are left of the larger one now


def test_what_others_bring_begins_a_new_wait(transfer: Any) -> None:
    patience = _Patience(transfer, WhatIsLeft(read=1000.0))
    assert patience.left() > 900
    transfer.body.heard_at = 2.0
    assert 90 < patience.left() <= 100


def test_what_comes_of_a_head_does_not(transfer: Any) -> None:
    patience = _Patience(transfer, WhatIsLeft(read=1000.0))
    assert patience.left() > 900
    transfer.heard_at = 2.0
    assert patience.left() > 900


def test_what_leaves_has_a_limit_of_its_own(transfer: Any) -> None:
    patience = _Patience(transfer, WhatIsLeft(read=1000.0, write=100.0))
    transfer.uploads = lambda: True
    assert 90 < patience.left() <= 100
    transfer.heard_at = 2.0  # the server has taken more of it
    assert patience.left() <= 10
    transfer.uploads = lambda: False
    assert (patience.left() > 900, patience.kind) == (True, "read")


def test_without_a_connection_libcurl_has_the_limit(transfer: Any) -> None:
    transfer.hop.connected = False
    assert _Patience(transfer, {"": 0.0, "read": 0.0}).left() > 900


@pytest.mark.parametrize("begins", [b"", b"HTTP/1.1 200 OK\r\nX: y\r\n"])
def test_a_trickle_is_no_progress(start: Start, begins: bytes) -> None:
    """Neither interim responses nor fields of a head move the time-out."""
    given_up = threading.Event()

    def trickle(sock: socket.socket) -> None:
        head_of(sock)
        sock.sendall(begins)
        while not given_up.wait(0.03):
            sock.sendall(b"X: y\r\n" if begins else b"HTTP/1.1 103 Early Hints\r\n\r\n")

    url = start(trickle).url
    timeout = httpx.Timeout(20, read=0.3)
    with httpx.Client(transport=CurlTransport(), timeout=timeout) as client:
        try:
            with pytest.raises(httpx.ReadTimeout):
                client.get(url)
        finally:
            given_up.set()
