"""What a proxy tells of its tunnels: the program behind each."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mphttp.cli.watch.choice import Owners
from mphttp.cli.watch.proxied import proxied
from mphttp.kernel.values import SocketAddress
from mphttp.proxy.target import Target
from mphttp.proxy.telling import Tunnelled, decoded, encoded, told
from tests.lab.leaks import eventually

from .running import echo, exactly, peer, running


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


def test_it_is_read_as_it_is_written() -> None:
    tunnels = [Tunnelled(("::1", 1), Target("2001:db8::1", 443), ("192.0.2.1", 2))]
    assert decoded(encoded(tunnels)) == tunnels


@pytest.mark.parametrize(
    "data", [b"", b"{}x", b"[1]", b'[["a",1,"a b:1","c",2]]', b"[[1,2,3,4,5]]"]
)
def test_what_somebody_else_says(data: bytes) -> None:
    with pytest.raises((ValueError, TypeError, AttributeError)):
        decoded(data)
