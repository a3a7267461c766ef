"""Limits of calls on real sockets: they hold, whoever watches them."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from mphttp.network.dial import multipath_socket
from mphttp.network.timeouts import KernelTimeouts, PythonTimeouts, TimedOut, timeouts_of


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connection over loopback, MPTCP where the kernel has it; the far end is silent."""
    with multipath_socket(socket.AF_INET) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with multipath_socket(socket.AF_INET) as near:
            near.connect(listener.getsockname())
            far, _ = listener.accept()
            with far:
                yield near, far


@pytest.mark.parametrize("kind", [KernelTimeouts, PythonTimeouts])
@pytest.mark.parametrize("timeout", [0.05, 1e-9])
def test_reading_ends(
    pair: tuple[socket.socket, socket.socket],
    kind: type[KernelTimeouts | PythonTimeouts],
    timeout: float,
) -> None:
    """A peer that says nothing is waited for as long as was said, however short that is."""
    near, _ = pair
    kind(near).reading(timeout)  # type: ignore[arg-type]
    began = time.monotonic()
    with pytest.raises(TimedOut):
        near.recv(1)
    assert time.monotonic() - began >= timeout * 0.9


def test_writing_ends(pair: tuple[socket.socket, socket.socket]) -> None:
    """A peer that reads nothing fills every buffer, and then the limit holds."""
    near, _ = pair
    timeouts_of(near).writing(0.05)
    with pytest.raises(TimedOut):
        near.sendall(bytes(64 << 20))


def test_a_limit_can_be_lifted(pair: tuple[socket.socket, socket.socket]) -> None:
    """None means no limit, also after there was one, and what comes then is read."""
    near, far = pair
    timeouts = timeouts_of(near)
    timeouts.reading(0.05)
    with pytest.raises(TimedOut):
        near.recv(1)
    timeouts.reading(None)
    assert near.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16) == bytes(16)
    far.sendall(b"x")
    assert near.recv(1) == b"x"


def test_directions_are_apart(pair: tuple[socket.socket, socket.socket]) -> None:
    """A short limit for writing doesn't end a read."""
    near, far = pair
    timeouts = timeouts_of(near)
    timeouts.writing(1e-9)
    timeouts.reading(20)
    far.sendall(b"x")
    assert near.recv(1) == b"x"
    with pytest.raises(TimedOut):
        near.sendall(bytes(64 << 20))
