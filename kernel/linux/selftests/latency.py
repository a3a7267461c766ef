"""Time opening and closing a subflow by socket option and by netlink, in one network namespace.

As root in the paper's kernel: unshare --net VENV/bin/python kernel/linux/selftests/latency.py
"""

from __future__ import annotations

import socket
import statistics
import subprocess
import time
from contextlib import closing
from pathlib import Path

from mphttp.kernel import NetlinkMechanism, SocketAddress
from mphttp.kernel.mechanism import Control
from mphttp.kernel.reading.info import IPPROTO_MPTCP
from mphttp.kernel.sockopt.mechanism import SockoptMechanism
from mphttp.kernel.values import Path as NetworkPath

CALLS = 300
LOOPBACK = NetworkPath("lo", 1, "127.0.0.2")


def connected(listener: socket.socket) -> tuple[socket.socket, socket.socket]:
    """Connect, and exchange a byte each way."""
    client = socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)
    client.connect(listener.getsockname())
    served, _ = listener.accept()
    for one, other in ((client, served), (served, client), (client, served)):
        one.sendall(b"x")
        assert other.recv(1) == b"x"
    return client, served


def timed(control: Control, remote: SocketAddress) -> tuple[float, float]:
    """Open a subflow, wait until it is established, and close it; tell what both calls took."""
    began = time.perf_counter()
    subflow = control.open(LOOPBACK, remote)
    opened = time.perf_counter() - began
    while not any(s.id == subflow.id and s.established for s in control.info().subflows):
        time.sleep(0.001)
    began = time.perf_counter()
    control.close(subflow)
    return opened, time.perf_counter() - began


def main() -> None:
    """Take turns, so that what else the machine does falls on both, and tell means."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    Path("/proc/sys/net/mptcp/pm_type").write_text("1")
    mechanisms: list[SockoptMechanism | NetlinkMechanism] = [SockoptMechanism(), NetlinkMechanism()]
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        remote = SocketAddress(*listener.getsockname())
        pairs = [connected(listener) for _ in mechanisms]
        controls = [m.control(client) for m, (client, _) in zip(mechanisms, pairs, strict=True)]
        times: list[list[tuple[float, float]]] = [[] for _ in controls]
        for _ in range(CALLS):
            for control, taken in zip(controls, times, strict=True):
                taken.append(timed(control, remote))
            mechanisms[1].events()
    for mechanism, taken in zip(mechanisms, times, strict=True):
        opened, closed = (1e3 * statistics.fmean(each) for each in zip(*taken, strict=True))
        print(f"{mechanism.name}: open {opened:.2f} ms, close {closed:.2f} ms")


if __name__ == "__main__":
    main()
