"""MultipathAdapter beside requests' own adapter, both over MPTCP on loopback, in the lab.

    mphttp lab run -- python benchmarks/adapter.py

Prints throughput of a large body, CPU seconds a GB, and keep-alive requests a second. The adapters
take short turns in one process, so that what else the machine does hits both; printed are medians
of the turns, and of their ratios (ours by theirs).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import requests
import urllib3
from loopback import server
from requests.adapters import HTTPAdapter

from mphttp import MultipathAdapter, Refresh
from mphttp.network.dial import dial
from mphttp.network.time_limit import TimeLimit


class PlainConnection(urllib3.connection.HTTPConnection):
    """urllib3's own, over the same kind of socket as ours."""

    def _new_conn(self) -> Any:
        return dial(self.host, self.port or 80, limit=TimeLimit(None))


class PlainPool(urllib3.HTTPConnectionPool):
    """Their pool."""

    ConnectionCls = PlainConnection


class PlainAdapter(HTTPAdapter):
    """requests' own."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool}


class Cost(NamedTuple):
    """What one turn took, in seconds."""

    wall: float
    cpu: float


Read = Callable[[requests.Response], int]


def in_pieces(size: int) -> Read:
    return lambda response: sum(map(len, response.iter_content(size)))


def by_read1(response: requests.Response) -> int:
    return sum(map(len, iter(lambda: response.raw.read1(2**16), b"")))


READS: dict[str, Read] = {
    "iter_content(10 KiB)": in_pieces(10 * 2**10),
    "iter_content(64 KiB)": in_pieces(2**16),
    "iter_content(1 MiB)": in_pieces(2**20),
    "content": lambda response: len(response.content),
    "raw.read()": lambda response: len(response.raw.read()),
    "raw.read1(64 KiB)": by_read1,
}


def session(adapter: HTTPAdapter) -> requests.Session:
    made = requests.Session()
    made.trust_env = False
    made.mount("http://", adapter)
    return made


def timed(work: Callable[[], object]) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def body(client: requests.Session, url: str, size: int, read: Read) -> Cost:
    def work() -> None:
        with client.get(url, stream=True) as response:
            assert read(response) == size

    return timed(work)


def small(client: requests.Session, url: str, count: int) -> Cost:
    return timed(lambda: [client.get(url) for _ in range(count)])


def in_turns(rounds: int, measure: Callable[[requests.Session], Cost]) -> list[tuple[Cost, Cost]]:
    """Measure both, ours first, after one turn to warm up."""
    ours, theirs = session(MultipathAdapter(Refresh(2**40))), session(PlainAdapter())
    with ours, theirs:
        return [(measure(ours), measure(theirs)) for _ in range(rounds + 1)][1:]


def line(title: str, unit: str, pairs: list[tuple[float, float]]) -> None:
    a, b = (statistics.median(values) for values in zip(*pairs, strict=True))
    ratio = statistics.median(x / y for x, y in pairs)
    print(f"{title:<24} {unit:<12} {a:10.4g} {b:10.4g} {ratio:7.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=2**28, help="bytes of the large body")
    parser.add_argument("--requests", type=int, default=200, help="small requests a turn")
    parser.add_argument("--rounds", type=int, default=9, help="turns")
    given = parser.parse_args()
    print(f"{'':<37} {'mphttp':>10} {'requests':>10} {'ratio':>7}")
    with server() as (origin, _):
        large, one = f"{origin}/{given.size}", f"{origin}/1000"
        gb = given.size / 1e9
        for title, read in READS.items():
            costs = in_turns(given.rounds, lambda s, r=read: body(s, large, given.size, r))
            line(title, "GB/s", [(gb / ours.wall, gb / theirs.wall) for ours, theirs in costs])
            line(
                title, "CPU s per GB", [(ours.cpu / gb, theirs.cpu / gb) for ours, theirs in costs]
            )
        costs = in_turns(given.rounds, lambda s: small(s, one, given.requests))
        rates = [(given.requests / a.wall, given.requests / b.wall) for a, b in costs]
        line("1 kB, keep-alive", "requests/s", rates)


if __name__ == "__main__":
    main()
