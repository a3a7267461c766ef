"""A machine with two uplinks, a server behind both, and a capture of every SYN that leaves.

c1 10.0.1.1 ─── 8 Mbit/s  ─── s1 ┐
                                 ├ 203.0.113.1
c2 10.0.2.1 ─── 12 Mbit/s ─── s2 ┘
"""

from __future__ import annotations

import hashlib
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

import mphttp
from mphttp import MultipathTransport, Report, Strategy
from mphttp.broker import uplinks
from mphttp.kernel import SocketAddress
from mphttp.kernel.reading.info import IPPROTO_MPTCP, mptcp_error
from mphttp.lab.content import sha256_of
from mphttp.lab.origin import Origin, Status
from tests.kernel.namespaces import Net, exchange, ip
from tests.kernel.syns import Syns

HOST = "203.0.113.1"
PROTOCOL = socket.IPPROTO_TCP if mptcp_error() else IPPROTO_MPTCP
"""What the server speaks; it runs on the same kernel."""
OWN = {"c1": "10.0.1.1", "c2": "10.0.2.1"}
_RATES = {"s1": "8mbit", "s2": "12mbit"}


class Uplinks(Net):
    """Two default routes, as NetworkManager and modems make them.

    Args:
        tables: whether each uplink has a routing table of its own, too (`mphttp setup --routes`).
    """

    def __init__(self, *, tables: bool = False) -> None:
        super().__init__(user_namespace=False)
        self._tables = tables

    def start(self) -> None:
        super().start()
        ip(*(f"route add default via 10.0.{n}.2 dev c{n} metric {n}00" for n in (1, 2)))
        with self.server():
            ip(f"address add {HOST}/32 dev lo")
            shaped = "qdisc add dev {} root tbf rate {} burst 20kb latency 60ms"
            commands = "\n".join(shaped.format(*pair) for pair in _RATES.items())
            subprocess.run(["tc", "-batch", "-"], input=commands, text=True, check=True)
        # Not each kernel has it; without, packets are there before a translated machine looks.
        delay = "\n".join(f"qdisc add dev {name} root netem delay 40ms" for name in OWN)
        command = ["tc", "-batch", "-"]
        subprocess.run(command, input=delay, text=True, check=False, capture_output=True)
        if self._tables:
            script = Path(uplinks.__file__).with_name("uplink_routes.sh")
            subprocess.run(["sh", script], check=True)
        self.syns = Syns(OWN)

    def connected(self) -> tuple[Any, Any]:
        """Connect to the server, and exchange a byte each way."""
        pair = self.connect(self.listen(), HOST)
        exchange(*pair)
        self.syns.take()
        return pair

    def serve(self, protocol: int = PROTOCOL) -> str:
        """Serve bytes over HTTP, and return the beginning of a URL."""
        listener = self.listen(protocol=protocol)
        origin = Origin(listener, Status())
        threading.Thread(target=origin.serve_forever, daemon=True).start()
        return f"http://{HOST}:{listener.getsockname()[1]}"

    def take_syns(self) -> Counter[str]:
        """Count the SYNs since the last call by interface; each has that interface's address."""
        taken = self.syns.take()
        strangers = [pair for pair in taken if OWN[pair[0]] != pair[1]]
        assert not strangers, f"SYNs left by an interface that hasn't their address: {strangers}"
        return Counter({name: number for (name, _), number in taken.items()})


def in_uplinks(feature: Callable[[Uplinks], Any], *, tables: bool = False) -> Callable[[], Any]:
    """Make a feature find two uplinks around it."""

    def run() -> Any:
        net = Uplinks(tables=tables)
        net.start()
        return feature(net)

    return run


def download(net: Uplinks, strategy: Strategy, size: int, **options: Any) -> Report:
    """Download with httpx; the body is whole, and the report is true as far as a capture tells."""
    url = f"{net.serve(options.pop('protocol', PROTOCOL))}/bytes/{size}"
    digest = hashlib.sha256()
    transport = MultipathTransport(strategy=strategy, **options)
    with httpx.Client(transport=transport, timeout=60) as client, client.stream("GET", url) as got:
        for piece in got.iter_bytes():
            digest.update(piece)
    assert digest.digest() == sha256_of(size), "the body isn't what was sent"
    report: Report = got.extensions["multipath"]
    report.wait()
    return report


def remote(sock: Any) -> SocketAddress:
    """Where a connection leads."""
    return SocketAddress(*sock.getpeername()[:2])


assert mphttp  # its registry of strategies is loaded before the fork
