"""A connection of this machine to itself, on which it can be tried what a kernel does."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

from .info import IPPROTO_MPTCP

LOOPBACK = "127.0.0.1"


@contextmanager
def connected_to_self(within: float) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Make a connection over the loopback interface: both its ends, that of the client first.

    Args:
        within: seconds that each step may take.

    Raises:
        OSError: there is no MPTCP, or the loopback interface is down, or a sandbox forbids it.
    """
    with closing(_multipath()) as listener, closing(_multipath()) as client:
        listener.bind((LOOPBACK, 0))
        listener.listen()
        for sock in (listener, client):
            sock.settimeout(within)
        client.connect(listener.getsockname())
        served, _ = listener.accept()
        with closing(served):
            served.settimeout(within)
            yield client, served


def establish(client: socket.socket, served: socket.socket) -> None:
    """Send a byte each way, so that the connection can have further subflows.

    Raises:
        OSError: it doesn't come.
    """
    client.sendall(b".")
    served.sendall(served.recv(1))
    client.recv(1)


def _multipath() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)
