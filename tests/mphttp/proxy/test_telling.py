"""What a proxy tells of its tunnels: the program behind each."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

import pytest

from mphttp.cli.watch.choice import Owners
from mphttp.cli.watch.proxied import proxied
from mphttp.kernel.values import SocketAddress
from mphttp.proxy.target import Target
from mphttp.proxy.telling import Tunnelled, decoded, encoded, told
from tests.lab.leaks import eventually

from .running import echo, exactly, peer, running

_IP_LOCAL_PORT_RANGE = 51  # linux/in.h


def test_the_program_behind_a_tunnel() -> None:
    with running() as proxy, peer(echo) as port, proxy.socks("127.0.0.1", port) as sock:
        sock.sendall(b"x")
        exactly(sock, 1)
        place = sock.getsockname()
        (tunnel,) = [tunnel for tunnel in told() if tunnel.client == place]
        assert tunnel.target == Target("127.0.0.1", port)

        def name() -> str:
            behind = proxied()
            owners = Owners().of(behind.inodes.values())
            return behind.owner(SocketAddress(*tunnel.local), "proxy[1]", owners)

        comm = Path("/proc/self/comm").read_text().strip()
        # The kernel's list may leave one out while others come and go.
        eventually(name, f"{comm}[{os.getpid()}] to 127.0.0.1:{port} by proxy[1]")
        behind = proxied()
        assert behind.owner(SocketAddress("192.0.2.1", 1), "curl[2]", {}) == "curl[2]"


def test_the_program_behind_a_tunnel_from_a_port_that_others_use_too(
    request: pytest.FixtureRequest,
) -> None:
    """A port may be that of several connections, which lead elsewhere."""
    with running() as proxy, peer(echo) as port, proxy.socks("127.0.0.1", port) as sock:
        place = sock.getsockname()
        for _ in range(4):
            listener = socket.create_server(("127.0.0.1", 0))
            other = socket.socket()
            request.addfinalizer(listener.close)
            request.addfinalizer(other.close)
            ports = struct.pack("=HH", place[1], place[1])  # the lowest, and the highest
            other.setsockopt(socket.IPPROTO_IP, _IP_LOCAL_PORT_RANGE, ports)
            other.connect(listener.getsockname())
            assert other.getsockname() == place
        behind = proxied()
        (tunnel,) = [tunnel for tunnel in told() if tunnel.client == place]
        # Beside those of other proxies on this machine.
        assert os.fstat(sock.fileno()).st_ino in behind.inodes.values()
        assert tunnel.proxy == sock.getpeername()


def test_it_is_read_as_it_is_written() -> None:
    tunnels = [Tunnelled(("::1", 1), ("::1", 1080), Target("2001:db8::1", 443), ("192.0.2.1", 2))]
    assert decoded(encoded(tunnels)) == tunnels


@pytest.mark.parametrize(
    "data", [b"", b"{}x", b"[1]", b'[["a",1,"b",2,"a b:1","c",2]]', b"[[1,2,3,4,5,6,7]]"]
)
def test_what_somebody_else_says(data: bytes) -> None:
    with pytest.raises((ValueError, TypeError, AttributeError)):
        decoded(data)
