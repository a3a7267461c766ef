"""A grid of links, not one scenario: is any strategy slower than one path, or a deadline late?

    python benchmarks/grid.py --sample 20          on links made by hand (root; veth, tbf, nginx)
    python benchmarks/grid.py --sample 20 --lab    in the laboratory, with delay and loss

Each cell is measured with one path, and with each strategy, which is held against the one path of
the same run. A body takes one path about six seconds; `Deadline` has nine tenths of what it took.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import httpx
from by_hand import PORT, SERVER, Wire, network

from mphttp import Deadline, DelayedByContentLength, FullMesh, MultipathTransport, SinglePath
from mphttp.lab import names
from mphttp.strategies import Strategy

DELAYS = (0.001, 0.02, 0.1)
QUEUES = (0.04, 0.3, 1.0)
WIFI = (2.0, 8.0, 40.0)
SECOND = (0.1, 0.25, 3.0, 12.0, 40.0)
LOSSES = (0.0, 0.005, 0.02)
SENDERS = ("bbr", "cubic", "reno")
SECONDS, LEAST = 6.0, 1_000_000
_SPARE = 1.0


@dataclass(frozen=True)
class Cell:
    """Two links and a sender.

    Args:
        wifi: Mbit/s of the preferred path.
        second: Mbit/s of the other one.
        queue: seconds that both may have waiting.
        sender: the server's congestion control; the laboratory's is the machine's.
        delay: seconds one way; none by hand.
        loss: share of packets lost on both; none by hand.
    """

    wifi: float
    second: float
    queue: float
    sender: str = ""
    delay: float = 0.0
    loss: float = 0.0

    @property
    def size(self) -> int:
        return max(LEAST, round(self.wifi * 1e6 / 8 * SECONDS))

    def __str__(self) -> str:
        place = self.sender or f"{self.delay * 1e3:.0f} ms, {self.loss:.1%} lost"
        rates = f"{self.wifi:g} + {self.second:g} Mbit/s"
        return f"{rates}, queue {self.queue * 1e3:.0f} ms, {place}"


@dataclass(frozen=True)
class Result:
    """What came of one download."""

    seconds: float
    metered: float
    held_up: bool


def cells(*, lab: bool) -> list[Cell]:
    """Return all cells of the grid."""
    common = product(WIFI, SECOND, QUEUES)
    if lab:
        return [Cell(*c, delay=d, loss=x) for c, d, x in product(common, DELAYS, LOSSES)]
    return [Cell(*c, sender=s) for c, s in product(common, SENDERS)]


def strategy_of(name: str, deadline: float) -> Strategy:
    if name == "deadline":
        return Deadline(deadline)
    made: Strategy = {
        "single": SinglePath(),
        "fullmesh": FullMesh(),
        "delayed": DelayedByContentLength(),
    }[name]
    return made


def inside(name: str, deadline: float, url: str) -> None:
    """Get the body once, in the namespace where this runs, and print what came of it."""
    transport = MultipathTransport(strategy_of(name, deadline), multipath="mptcp")
    with httpx.Client(transport=transport, timeout=60) as client:
        response = client.get(url)
        response.raise_for_status()
        report = response.extensions["multipath"]
    metered = sum(s.bytes_received for s in report.subflows if s.path == "lte")
    held = any(event.kind == "path_held_up" for event in report.events)
    result = {"seconds": report.seconds, "metered": metered / len(response.content)}
    print(json.dumps({**result, "held_up": held}))


def call(prefix: list[str], name: str, deadline: float, url: str) -> Result:
    words = [sys.executable, __file__, "--inside", name, str(deadline), url]
    done = subprocess.run(
        [*prefix, *words], check=True, capture_output=True, text=True, timeout=300
    )
    return Result(**json.loads(done.stdout))


def measure(cell: Cell, strategies: list[str]) -> Iterator[tuple[str, float, Result]]:
    """Yield each strategy's deadline and result; one path is first."""
    wires = [Wire("wifi", cell.wifi * 1e6, cell.queue), Wire("lte", cell.second * 1e6, cell.queue)]
    with network(wires, congestion=cell.sender, size=cell.size) as prefix:
        yield from _in_turn(prefix, strategies, f"http://{SERVER}:{PORT}/f")


def in_the_lab(cell: Cell, strategies: list[str]) -> Iterator[tuple[str, float, Result]]:
    """Do as `measure` does, in the laboratory: in another process, which has its network."""
    queue = f"queue={cell.queue * 1e3:g}ms,loss={cell.loss * 100:g}%"
    rates = (("wifi", cell.wifi), ("lte", cell.second))
    links = [f"{name}={rate:g}mbit,{cell.delay * 1e3:g}ms,{queue}" for name, rate in rates]
    words = [sys.executable, __file__, "--in-lab", ",".join(strategies), str(cell.size)]
    command = [sys.executable, "-m", "mphttp", "lab", "run"]
    for link in links:
        command += ["--link", link]
    done = subprocess.run(
        [*command, "--", *words], check=True, capture_output=True, text=True, timeout=600
    )
    for line in done.stdout.splitlines():
        name, deadline, result = json.loads(line)
        yield name, deadline, Result(**result)


def _in_turn(
    prefix: list[str], strategies: list[str], url: str
) -> Iterator[tuple[str, float, Result]]:
    alone = call(prefix, "single", 0.0, url)
    deadline = 0.9 * alone.seconds
    yield "single", deadline, alone
    for name in strategies:
        yield name, deadline, call(prefix, name, deadline, url)


def show(results: dict[str, list[tuple[float, Result, Result]]]) -> None:
    """Print, for each strategy, how much slower than one path it was, and deadlines missed."""
    for name, rows in results.items():
        ratios = sorted(result.seconds / alone.seconds for _, alone, result in rows)
        slower = sum(ratio > 1.1 for ratio in ratios)
        print(
            f"{name}: {statistics.median(ratios):.2f} of one path's time in the median, "
            f"{ratios[-1]:.2f} at most, over 1.1 in {slower} of {len(ratios)}"
        )
    meshes, late = results.get("fullmesh", []), 0
    for (d, _, result), (_, _, mesh) in zip(results.get("deadline", []), meshes, strict=False):
        late += result.seconds > d and mesh.seconds < d - _SPARE
    print(f"deadlines missed that full mesh meets with {_SPARE:g} s to spare: {late}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, default=20, help="cells, drawn from all of the grid")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--strategies", default="fullmesh,delayed,deadline")
    parser.add_argument("--lab", action="store_true", help="in the laboratory")
    parser.add_argument("--inside", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--in-lab", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        name, deadline, url = given.inside
        inside(name, float(deadline), url)
        return
    if given.in_lab:
        chosen, size = given.in_lab
        url = f"{os.environ[names.ORIGIN]}/bytes/{size}"
        for name, deadline, result in _in_turn([], chosen.split(","), url):
            print(json.dumps([name, deadline, vars(result)]), flush=True)
        return
    sweep(given)


def sweep(given: argparse.Namespace) -> None:
    """Measure a sample, and print a line for each cell."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no namespace is left
    began, results = time.monotonic(), dict[str, list[tuple[float, Result, Result]]]()
    strategies = given.strategies.split(",")
    everything = cells(lab=given.lab)
    drawn = random.Random(given.seed).sample(everything, min(given.sample, len(everything)))
    for cell in drawn:
        alone, words = None, []
        for name, deadline, result in (in_the_lab if given.lab else measure)(cell, strategies):
            alone = alone or result
            mark = " held up" if result.held_up else ""
            missed = " MISSED" if name == "deadline" and result.seconds > deadline else ""
            share = f"{result.metered:.0%}"
            words.append(f"{name} {result.seconds / alone.seconds:.2f} ({share}{mark}{missed})")
            results.setdefault(name, []).append((deadline, alone, result))
        seconds = alone.seconds if alone else 0.0
        print(f"{cell}: {seconds:.2f} s; {', '.join(words[1:])}", flush=True)
    show({name: rows for name, rows in results.items() if name != "single"})
    print(f"{time.monotonic() - began:.0f} s in all")


if __name__ == "__main__":
    main()
