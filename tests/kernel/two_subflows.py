"""A connection with two subflows, and what `ss` tells of each."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mphttp.kernel import SocketAddress, Subflows

from .namespaces import Net

TCP, IP, IPV6, SOCKET = (
    socket.IPPROTO_TCP,
    socket.IPPROTO_IP,
    socket.IPPROTO_IPV6,
    socket.SOL_SOCKET,
)
SO_MARK, SO_MAX_PACING_RATE, SO_NETNS_COOKIE = 36, 47, 71


@dataclass(frozen=True)
class Connection:
    """Both ends, and the two subflows' ids."""

    client: socket.socket
    served: socket.socket
    subflows: Subflows
    first: int
    second: int


@contextmanager
def two_subflows(net: Net, host: str = "10.0.1.2") -> Iterator[Connection]:
    """Connect over the first link, and open a subflow over the second."""
    client, served = net.connection(host)
    with Subflows(client) as subflows:
        (first,) = subflows.ids()
        path, other = net.paths[1], "10.0.2.2"
        if ":" in host and "." not in host:
            path, other = net.paths6[1], "fd00:2::2"
        second = subflows.open(path, SocketAddress(other, 0))
        yield Connection(client, served, subflows, first, second)


def ss(subflows: Subflows, subflow_id: int) -> str:
    """What `ss` tells of a subflow: marks, timers, congestion control, rates."""
    local, remote = subflows.tuple_of(subflow_id)
    command = ["ss", "-tinoeH", "--tos", "state", "connected"]
    command += ["sport", "=", str(local.port), "and", "dport", "=", str(remote.port)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def integer(data: bytes) -> int:
    """Read a number as this machine writes it."""
    return int.from_bytes(data, sys.byteorder)
