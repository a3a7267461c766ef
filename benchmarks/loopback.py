"""What a strategy costs where the network costs nothing: loopback, in the lab's client namespace.

    mphttp lab run -- python benchmarks/loopback.py

Prints CPU seconds of the client per GB of body, keep-alive requests a second, and requests a second
with a new connection for each: MultipathTransport over MPTCP beside plain httpx over TCP. Both take
short turns in one process, so that what else the machine does hits both; the median of the turns'
ratios is what counts. The server's ends are in the same network namespace, so that the engine is
told of their connections, too; on a real client it is told of half as many.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from mphttp import Deadline, DelayedByContentLength, MultipathTransport, Refresh, Strategy
from mphttp.network.dial import IPPROTO_MPTCP
from mphttp.transports import http11

SERVER = """
import socket, sys, threading
body = bytes(1 << 20)
def serve(sock):
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    file = sock.makefile("rb")
    while line := file.readline():
        size = int(line.split()[1][1:])
        while file.readline().strip():
            pass
        head = f"HTTP/1.1 200 OK\\r\\nContent-Length: {size}\\r\\n"
        head += 'Accept-Ranges: bytes\\r\\nETag: "a"\\r\\n\\r\\n'
        head = head.encode()
        sock.sendall(head + body[:min(size, len(body))])
        for start in range(len(body), size, len(body)):
            sock.sendall(body[:min(size - start, len(body))])
def accept(listener):
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
listeners = [socket.socket(fileno=int(number)) for number in sys.argv[1:]]
for listener in listeners:
    threading.Thread(target=accept, args=(listener,), daemon=True).start()
sys.stdin.read()
"""
"""As little server as there can be: no client is slowed down by it."""

Measured = Callable[[httpx.Client, str], float]


@contextlib.contextmanager
def server() -> Iterator[tuple[str, str]]:
    """Serve zeros over MPTCP and over TCP; yield both origins."""
    listeners = []
    for protocol in (IPPROTO_MPTCP, socket.IPPROTO_TCP):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listeners.append(listener)
    numbers = [listener.fileno() for listener in listeners]
    command = [sys.executable, "-c", SERVER, *map(str, numbers)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=numbers) as process:
        first, second = (f"http://127.0.0.1:{s.getsockname()[1]}" for s in listeners)
        try:
            yield first, second
        finally:
            assert process.stdin is not None
            process.stdin.close()


def cpu_per_gb(size: int) -> Measured:
    """Return a measure: CPU seconds of this process for each 10^9 bytes of body."""

    def measure(client: httpx.Client, origin: str) -> float:
        began = time.process_time()
        with client.stream("GET", f"{origin}/{size}") as response:
            came = sum(len(chunk) for chunk in response.iter_raw())
        assert came == size
        return (time.process_time() - began) / size * 1e9

    return measure


def requests_per_second(count: int) -> Measured:
    """Return a measure: requests for 1 kB each second."""

    def measure(client: httpx.Client, origin: str) -> float:
        url = f"{origin}/1000"
        began = time.perf_counter()
        for _ in range(count):
            client.get(url)
        return count / (time.perf_counter() - began)

    return measure


def compare(
    title: str,
    measure: Measured,
    strategy: Strategy,
    rounds: int,
    *,
    keep_alive: int = 20,
) -> None:
    """Measure both in turns and print medians, spread and their ratio."""
    with server() as (mptcp, tcp):
        options: dict[str, Any] = {
            "trust_env": False,
            "limits": httpx.Limits(max_keepalive_connections=keep_alive),
        }
        ours = httpx.Client(transport=MultipathTransport(strategy, **options), timeout=60)
        plain = httpx.Client(transport=httpx.HTTPTransport(**options), timeout=60)
        results: tuple[list[float], list[float]] = ([], [])
        with ours, plain:
            for turn in range(rounds + 1):
                pair = (measure(ours, mptcp), measure(plain, tcp))
                if turn:  # the first warms up
                    results[0].append(pair[0])
                    results[1].append(pair[1])
    a, b = map(statistics.median, results)
    ratio = statistics.median(x / y for x, y in zip(*results, strict=True))
    spread = " ".join(f"{min(r):.3g}..{max(r):.3g}" for r in results)
    print(f"{title:<34} {type(strategy).__name__:<24} {a:10.4g} {b:10.4g} {ratio:7.3f}  {spread}")


def compare_read_sizes(size: int, rounds: int) -> None:
    """Print what a large body costs by the number of bytes that are read at once."""
    costs: dict[int, list[float]] = {2**power: [] for power in range(15, 21)}
    measure = cpu_per_gb(size)
    with server() as (mptcp, _), httpx.Client(transport=MultipathTransport(), timeout=60) as client:
        for _ in range(rounds + 1):
            for bytes_at_once, results in costs.items():
                vars(http11)["_READ_BODY"] = bytes_at_once
                results.append(measure(client, mptcp))
    for bytes_at_once, results in costs.items():
        print(f"{bytes_at_once:>8} bytes  {statistics.median(results[1:]):.3f} CPU s per GB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=2**30, help="bytes of the large body")
    parser.add_argument("--requests", type=int, default=10_000, help="requests in all")
    parser.add_argument("--connections", type=int, default=300, help="new connections in all")
    parser.add_argument("--rounds", type=int, default=7, help="turns for the large body")
    parser.add_argument("--read-sizes", action="store_true", help="compare those, nothing else")
    given = parser.parse_args()
    if given.read_sizes:
        compare_read_sizes(given.size, given.rounds)
        return
    print(f"{'':<34} {'strategy':<24} {'mphttp':>10} {'httpx':>10} {'ratio':>7}  min..max")
    for strategy in (Deadline(3600), Refresh(2**40), DelayedByContentLength(2**40)):
        compare("CPU s per GB", cpu_per_gb(given.size), strategy, given.rounds)
    turns = 100
    for strategy in (Deadline(3600), Refresh(2**20), DelayedByContentLength(2**20)):
        measure = requests_per_second(given.requests // turns)
        compare("1 kB keep-alive requests per s", measure, strategy, turns)
    measure = requests_per_second(given.connections // 20)
    compare("1 kB requests per s, no keep-alive", measure, Deadline(3600), 20, keep_alive=0)


if __name__ == "__main__":
    main()
