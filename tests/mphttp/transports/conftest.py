"""What tests of the doors for httpx share: the doors, and servers of a few lines."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import trustme

from .doors import DOORS, Contexts, Door

Serve = Callable[..., str]


@pytest.fixture(params=DOORS.values(), ids=DOORS.keys())
def door(request: pytest.FixtureRequest) -> Door:
    """Every door, one after the other."""
    door: Door = request.param
    return door


@pytest.fixture(scope="session")
def contexts() -> Contexts:
    """What clients trust, and what servers show."""
    authority = trustme.CA()
    near = ssl.create_default_context()
    authority.configure_trust(near)
    far = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1", "www.example").configure_cert(far)
    return near, far


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Make servers that take one connection each and answer each request with the bytes given."""
    threads: list[threading.Thread] = []

    def serve(*answers: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        thread = threading.Thread(target=answer_all, args=(listener, answers))
        thread.start()
        threads.append(thread)
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"

    yield serve
    for thread in threads:
        thread.join()


def answer_all(listener: socket.socket, answers: tuple[bytes, ...]) -> None:
    """Take one connection, answer a request with each, and close."""
    with listener:
        sock, _ = listener.accept()
    # A client that gives up before the first response resets the connection.
    with sock, suppress(ConnectionResetError), sock.makefile("rb") as lines:
        for answer in answers:
            if not lines.readline():
                return
            while lines.readline().strip():
                """The request's head."""
            sock.sendall(answer)
