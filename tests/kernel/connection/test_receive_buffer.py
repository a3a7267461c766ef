"""A receive buffer that is full of what can't be read, and one that is only read slowly."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator

import pytest

from mphttp.kernel.connection.receive_buffer import enlarge, is_stuck
from mphttp.kernel.errors import NotPermitted
from mphttp.kernel.reading.info import IPPROTO_MPTCP
from tests.root import ROOT


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """An MPTCP connection over loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
            client.connect(listener.getsockname())
            with listener.accept()[0] as server:
                yield client, server


def test_an_idle_connection_is_not_stuck(pair: tuple[socket.socket, socket.socket]) -> None:
    assert not is_stuck(pair[0])


def test_a_slow_reader_is_not_stuck(pair: tuple[socket.socket, socket.socket]) -> None:
    """However full the buffer is: what can be read will make room."""
    client, server = pair
    server.setblocking(False)
    poll = select.poll()
    poll.register(server, select.POLLOUT)
    while poll.poll(200):  # until the peer's buffer takes no more
        try:
            server.send(bytes(65536))
        except BlockingIOError:
            continue
    assert not is_stuck(client)


def test_enlarging_doubles_or_says_what_is_missing(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    client, _ = pair
    before = client.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    if ROOT:
        assert enlarge(client) == 2 * before
    else:
        with pytest.raises(NotPermitted, match="could not be enlarged"):
            enlarge(client)


def test_a_closed_socket_is_an_error(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[0].close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        is_stuck(pair[0])
