"""Two links to one server address, endpoints of the kernel's own, and what comes of them."""

from __future__ import annotations

import socket
import time
from contextlib import closing, suppress

from mphttp.kernel.addresses import unmapped
from mphttp.kernel.errors import KernelError
from mphttp.kernel.reading.listing import SocketLister
from mphttp.kernel.values import SocketAddress
from tests.kernel.namespaces import Net, exchange, ip

SERVER, SERVER6 = "10.9.9.9", "fd00:9::9"
ELSEWHERE = "10.9.9.10"
"""Further address of the server, which it may announce."""

Subflows = set[tuple[str, str, bool]]
"""Both hosts of each, and whether one of both sides has it for a backup."""


def start(net: Net) -> None:
    """Build the links; the server's addresses are reached over both."""
    net.start()
    ip(
        "route add default via 10.0.1.2 dev c1 metric 1",
        "route add default via 10.0.2.2 dev c2 metric 2",
        "route add default via fd00:1::2 dev c1 metric 1",
        "route add default via fd00:2::2 dev c2 metric 2",
        "mptcp limits set subflows 8 add_addr_accepted 8",
    )
    with net.server():
        ip(*(f"address add {host} dev lo" for host in (SERVER, ELSEWHERE, SERVER6)))


def connection(net: Net, host: str = SERVER) -> tuple[socket.socket, socket.socket]:
    """Connect, and exchange a byte each way."""
    listener = net.listen("::" if ":" in host else "0.0.0.0")
    client, served = net.connect(listener, host)
    exchange(client, served)
    return client, served


def subflows(net: Net, client: socket.socket) -> Subflows:
    """Tell the subflows of a connection as its server has them."""
    peer = SocketAddress(*client.getsockname()[:2])
    with net.server(), closing(SocketLister()) as lister, suppress(KernelError):
        for each in lister.connections():
            if unmapped(each.connection.tuple.remote) == unmapped(peer):
                return {
                    (
                        unmapped(s.info.tuple.remote).host,
                        unmapped(s.info.tuple.local).host,
                        s.backup,
                    )
                    for s in each.subflows
                    if s.info.established
                }
    return set()


def settled(net: Net, client: socket.socket, *, looks: int = 15) -> Subflows:
    """Wait until nothing changes any more."""
    last, same = subflows(net, client), 0
    while same < looks:
        time.sleep(0.02)
        now = subflows(net, client)
        last, same = now, same + 1 if now == last else 0
    return last


def by_kernel(net: Net, host: str = SERVER) -> Subflows:
    """Tell what the kernel's own path manager makes of a connection."""
    net.sysctl("net.mptcp.pm_type", 0)
    client, served = connection(net, host)
    made = settled(net, client, looks=50)  # its worker may get no turn for a while
    net.sysctl("net.mptcp.pm_type", 1)
    client.close()
    served.close()
    return made
