"""What the broker costs: opening a subflow through netlink and through the broker, side by side.

    mphttp lab run -- python benchmarks/broker.py

Both take turns on one connection, so that what else the machine does hits both. `call` is until the
SYN has left (`Control.open`), `open` until the subflow is established and has settled
(`Subflows.open`), which takes a round trip and more. The broker is a process of its own, as it
always is. Prints the median and the 99th percentile in milliseconds, and the ratio.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from mphttp.kernel import (
    KernelError,
    Mechanism,
    NetlinkMechanism,
    Path,
    SocketAddress,
    Subflows,
    paths_to,
)
from mphttp.kernel.broker.mechanism import BrokerMechanism
from mphttp.kernel.reading.info import IPPROTO_MPTCP
from mphttp.lab import inside, names

REQUEST = b"GET /bytes/1 HTTP/1.1\r\nHost: lab\r\n\r\n"


@contextmanager
def broker() -> Iterator[str]:
    """Run a broker, and yield where it listens."""
    path = os.path.join(tempfile.mkdtemp(), "broker.sock")
    command = [sys.executable, "-m", "mphttp.broker", "--socket", path]
    command += ["--requests-per-second", "1000000"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        process.stderr.readline()
        # Lines are read by nobody, so they must not fill a pipe.
        sink = subprocess.Popen(["cat"], stdin=process.stderr, stdout=subprocess.DEVNULL)
        try:
            yield path
        finally:
            process.terminate()
            sink.wait()


def connect() -> socket.socket:
    """Connect to the lab's origin over Wi-Fi, and exchange data."""
    host, _, port = os.environ[names.ORIGIN].removeprefix("http://").partition(":")
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)
    sock.connect((host, int(port)))
    sock.sendall(REQUEST)
    sock.recv(65536)
    return sock


def time_call(sock: socket.socket, mechanism: Mechanism, path: Path) -> float:
    """Open a subflow, and return the seconds until its SYN had left."""
    control = mechanism.control(sock)
    control.listen()
    remote = SocketAddress(*sock.getpeername()[:2])
    began = time.perf_counter()
    subflow = control.open(path, remote)
    took = time.perf_counter() - began
    control.close(subflow)
    mechanism.events()
    return took


def time_open(sock: socket.socket, mechanism: Mechanism, path: Path) -> float:
    """Open a subflow, and return the seconds until it could be used."""
    with Subflows(sock, mechanism) as subflows:
        began = time.perf_counter()
        subflow = subflows.open(path)
        took = time.perf_counter() - began
        subflows.close(subflow)
    return took


def compare(
    title: str,
    measure: Callable[[socket.socket, Mechanism, Path], float],
    mechanisms: list[Mechanism],
    rounds: int,
) -> None:
    """Measure both in turns, and print a line for each, and their ratio."""
    times: dict[str, list[float]] = {mechanism.name: [] for mechanism in mechanisms}
    sock = connect()
    path = next(p for p in paths_to(SocketAddress(*sock.getpeername()[:2])) if p.name == "lte")
    while min(map(len, times.values())) < rounds:
        for mechanism in mechanisms:
            with suppress(KernelError):  # the peer is at its limit until it has seen the last end
                times[mechanism.name].append(measure(sock, mechanism, path))
            time.sleep(0.01)
    sock.close()
    medians, tails = [], []
    for name, seconds in times.items():
        medians.append(statistics.median(seconds))
        tails.append(statistics.quantiles(seconds, n=100)[98])
        print(f"{title:<6} {name:<8} {1e3 * medians[-1]:10.3f} {1e3 * tails[-1]:10.3f}")
    ratios = (medians[1] / medians[0], tails[1] / tails[0])
    print(f"{title:<6} {'ratio':<8} {ratios[0]:10.2f} {ratios[1]:10.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200, help="opens of each kind")
    given = parser.parse_args()
    lab = inside()
    lab.change("wifi", rate="100mbit", delay="5ms")
    lab.change("lte", rate="100mbit", delay="5ms")
    print(f"{'':<6} {'':<8} {'median ms':>10} {'p99 ms':>10}")
    with broker() as path:
        mechanisms = [NetlinkMechanism(every_connection=False), BrokerMechanism(path)]
        compare("call", time_call, mechanisms, given.rounds)
        compare("open", time_open, mechanisms, given.rounds)
    lab.close()


if __name__ == "__main__":
    main()
