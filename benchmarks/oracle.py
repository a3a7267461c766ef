"""Deadlines on rates that vary, simulated: each rule beside an oracle that knows all of it.

    python benchmarks/oracle.py --downloads 10000
    python benchmarks/oracle.py --downloads 100000 --kinds noise10 --jobs 8      needs joblib

Each download is 5 MB over Wi-Fi (3.8 Mbit/s) and LTE (3.0 Mbit/s), 50 ms there and back, with a
deadline drawn evenly from 8 to 12 s. The oracle knows every rate beforehand: over LTE it has what
Wi-Fi alone doesn't bring in time, and it misses only what both together, from the start, miss.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mpdash import MPDash

from mphttp.strategies import Deadline, FullMesh, SinglePath, Strategy
from mphttp.testing import SimulatedPath, simulate
from mphttp.testing.traces import Trace, gauss_markov, in_bytes, walking_out, with_outages

SIZE = 5_000_000
WIFI, LTE, RTT = 3.8e6, 3.0e6, 0.05
TAIL = 0.6
"""Seconds for which a paused subflow goes on: what the server's kernel has queued (lab)."""
SECONDS = 20.0

RULES: dict[str, Callable[[float], Strategy]] = {
    "forecast": Deadline,
    "margin of 1 s": lambda d: Deadline(d, margin=1.0),
    "rate (paper)": lambda d: Deadline(d, rule="rate"),
    "half (paper)": lambda d: Deadline(d, rule="half"),
    "MP-DASH, 1": lambda d: MPDash(d, 1.0),
    "MP-DASH, 0.8": lambda d: MPDash(d, 0.8),
    "full mesh": lambda _: FullMesh(),
    "single path": lambda _: SinglePath(),
}


def noisy(noise: float) -> Callable[[float, int], Trace]:
    return lambda mean, seed: gauss_markov(mean, noise, seconds=SECONDS, seed=seed)


def outages(noise: float) -> Callable[[float, int], Trace]:
    """Wi-Fi is gone for half a second each ten seconds, both in the mean; LTE stays."""

    def make(mean: float, seed: int) -> Trace:
        trace = gauss_markov(mean, noise, seconds=SECONDS, seed=seed)
        return with_outages(trace, up=10, down=0.5, seed=seed) if mean == WIFI else trace

    return make


def walk(mean: float, seed: int) -> Trace:
    """Wi-Fi fades away within 4 s, some time after the first 2 s."""
    trace = gauss_markov(mean, 0.1, seconds=SECONDS, seed=seed)
    begin = random.Random(seed).uniform(2, 8)
    return walking_out(trace, begin=begin, end=begin + 4) if mean == WIFI else trace


KINDS: dict[str, Callable[[float, int], Trace]] = {
    "steady": lambda mean, _: [(0.0, mean)],
    "noise10": noisy(0.1),
    "noise30": noisy(0.3),
    "outages10": outages(0.1),
    "outages30": outages(0.3),
    "walk": walk,
}


class Result(NamedTuple):
    """What came of one download.

    Args:
        feasible: whether the oracle meets the deadline.
        least: bytes that the oracle has over LTE.
        rules: of each rule, whether it met the deadline, its bytes over LTE, and its commands.
    """

    feasible: bool
    least: int
    rules: list[tuple[bool, int, int]]


def download(kind: str, seed: int, names: Sequence[str]) -> Result:
    """Simulate one download with each of these rules."""
    make = KINDS[kind]
    paths = [
        SimulatedPath(name, in_bytes(make(mean, 2 * seed + n)), RTT, slow_start=True, lag=TAIL)
        for n, (name, mean) in enumerate((("wifi", WIFI), ("lte", LTE)))
    ]
    deadline = random.Random(seed).uniform(8, 12)
    alone = simulate(SinglePath(), paths, 100 * SIZE, give_up_after=deadline).received
    both = simulate(FullMesh(), paths, SIZE, give_up_after=60).seconds
    rules = []
    for rule in (RULES[name] for name in names):
        outcome = simulate(rule(deadline), paths, SIZE, give_up_after=60)
        met = outcome.seconds is not None and outcome.seconds <= deadline
        rules.append((met, outcome.carried["lte"], len(outcome.commands)))
    return Result(both is not None and both <= deadline, max(0, SIZE - alone), rules)


def sweep(kind: str, seeds: range, names: Sequence[str], jobs: int) -> list[Result]:
    """Simulate many downloads, on several cores if joblib is there."""
    if jobs == 1:
        return [download(kind, seed, names) for seed in seeds]
    from joblib import Parallel, delayed

    results: list[Result] = Parallel(jobs, batch_size=200)(
        delayed(download)(kind, seed, names) for seed in seeds
    )
    return results


@dataclass(frozen=True)
class Row:
    """A rule's line: shares of downloads, and of the object."""

    missed: float
    beyond: Sequence[float]
    commands: float

    @classmethod
    def of(cls, results: Sequence[Result], rule: int) -> Row:
        met = [result for result in results if result.feasible]
        return cls(
            sum(not result.rules[rule][0] for result in met) / len(results),
            sorted((result.rules[rule][1] - result.least) / SIZE for result in met),
            statistics.mean(result.rules[rule][2] for result in results),
        )

    def __str__(self) -> str:
        ninth = self.beyond[int(0.9 * len(self.beyond))]
        mean, median = statistics.mean(self.beyond), statistics.median(self.beyond)
        shares = "".join(f"{share:>+9.1%}" for share in (mean, median, ninth))
        return f"{self.missed:>9.2%}{shares} {self.commands:>9.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--downloads", type=int, default=1000, help="of each kind")
    parser.add_argument("--kinds", default=",".join(KINDS), help=", ".join(KINDS))
    parser.add_argument("--rules", default=";".join(RULES), help="; ".join(RULES))
    parser.add_argument("--first", type=int, default=0, help="seed of the first download")
    parser.add_argument("--jobs", type=int, default=1, help="processes (joblib); -1: all cores")
    given = parser.parse_args()
    names = given.rules.split(";")
    seeds = range(given.first, given.first + given.downloads)
    for kind in given.kinds.split(","):
        began = time.perf_counter()
        results = sweep(kind, seeds, names, given.jobs)
        each = (time.perf_counter() - began) / len(results) / (len(names) + 2)
        missed = sum(not result.feasible for result in results) / len(results)
        least = statistics.mean(result.least for result in results) / SIZE
        print(f"{kind}: {len(results)} downloads, {each * 1e3:.1f} ms for each simulated transfer")
        print(f"  {'rule':<13} {'missed':>9} {'mean':>8} {'median':>8} {'90%':>8} {'commands':>9}")
        print(f"  {'oracle':<13} {missed:>9.2%} {least:>8.1%} over LTE, of the object")
        for number, name in enumerate(names):
            print(f"  {name:<13} {Row.of(results, number)}", flush=True)


if __name__ == "__main__":
    main()
