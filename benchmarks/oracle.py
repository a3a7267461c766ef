"""Deadlines on rates that vary, simulated: each rule beside an oracle that knows all of it.

    python benchmarks/oracle.py --downloads 10000
    python benchmarks/oracle.py --downloads 100000 --kinds noise10 --jobs 8      needs joblib
    python benchmarks/oracle.py --lte 1 --kinds noise10
    python benchmarks/oracle.py --size 1.5 --deadlines 2.4 3.6
    python benchmarks/oracle.py --queue 0.8

Each download is 5 MB over Wi-Fi (3.8 Mbit/s) and LTE (3.0 Mbit/s), 50 ms there and back, with a
deadline drawn evenly from 8 to 12 s, unless something else is given. The oracle knows every rate
beforehand, and the server fills no queue for it: over LTE it has what Wi-Fi alone doesn't bring in
time, and it misses only what both together, from the start, miss.
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


Rates = Callable[[str, float, int], Trace]
"""Makes the rates of a path, in bits a second, from its name, their mean and a seed."""


def noisy(noise: float) -> Rates:
    return lambda _, mean, seed: gauss_markov(mean, noise, seconds=SECONDS, seed=seed)


def outages(noise: float) -> Rates:
    """Wi-Fi is gone for half a second each ten seconds, both in the mean; LTE stays."""

    def make(path: str, mean: float, seed: int) -> Trace:
        trace = gauss_markov(mean, noise, seconds=SECONDS, seed=seed)
        return with_outages(trace, up=10, down=0.5, seed=seed) if path == "wifi" else trace

    return make


def walk(path: str, mean: float, seed: int) -> Trace:
    """Wi-Fi fades away within 4 s, some time after the first 2 s."""
    trace = gauss_markov(mean, 0.1, seconds=SECONDS, seed=seed)
    begin = random.Random(seed).uniform(2, 8)
    return walking_out(trace, begin=begin, end=begin + 4) if path == "wifi" else trace


KINDS: dict[str, Rates] = {
    "steady": lambda _, mean, __: [(0.0, mean)],
    "noise10": noisy(0.1),
    "noise30": noisy(0.3),
    "outages10": outages(0.1),
    "outages30": outages(0.3),
    "walk": walk,
}


class Case(NamedTuple):
    """What is downloaded, and by when.

    Args:
        size: bytes of the object.
        lte: mean rate of LTE, in bits a second.
        deadlines: seconds between which a deadline is drawn.
        queue: seconds of a path's mean rate that the server puts into its queue, as long as it
            uses it; 0 for none, when what can be moved is all that hasn't come.
    """

    size: int = SIZE
    lte: float = LTE
    deadlines: tuple[float, float] = (8.0, 12.0)
    queue: float = 0.0


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


def download(kind: str, seed: int, names: Sequence[str], case: Case) -> Result:
    """Simulate one download with each of these rules."""
    make, size = KINDS[kind], case.size
    paths, ideal = [], []
    for n, (name, mean) in enumerate((("wifi", WIFI), ("lte", case.lte))):
        trace = in_bytes(make(name, mean, 2 * seed + n))
        queue = case.queue * mean / 8
        paths.append(SimulatedPath(name, trace, RTT, slow_start=True, lag=TAIL, queue=queue))
        ideal.append(SimulatedPath(name, trace, RTT, slow_start=True, lag=TAIL))
    deadline = random.Random(seed).uniform(*case.deadlines)
    alone = simulate(SinglePath(), ideal, 100 * size, give_up_after=deadline).received
    both = simulate(FullMesh(), ideal, size, give_up_after=60).seconds
    rules = []
    for rule in (RULES[name] for name in names):
        outcome = simulate(rule(deadline), paths, size, give_up_after=60)
        met = outcome.seconds is not None and outcome.seconds <= deadline
        rules.append((met, outcome.carried["lte"], len(outcome.commands)))
    return Result(both is not None and both <= deadline, max(0, size - alone), rules)


def sweep(kind: str, seeds: range, names: Sequence[str], case: Case, jobs: int) -> list[Result]:
    """Simulate many downloads, on several cores if joblib is there."""
    if jobs == 1:
        return [download(kind, seed, names, case) for seed in seeds]
    from joblib import Parallel, delayed

    results: list[Result] = Parallel(jobs, batch_size=200)(
        delayed(download)(kind, seed, names, case) for seed in seeds
    )
    return results


@dataclass(frozen=True)
class Row:
    """A rule's line: shares of downloads, and of the object."""

    missed: float
    beyond: Sequence[float]
    commands: float

    @classmethod
    def of(cls, results: Sequence[Result], rule: int, size: int) -> Row:
        met = [result for result in results if result.feasible]
        return cls(
            sum(not result.rules[rule][0] for result in met) / len(results),
            sorted((result.rules[rule][1] - result.least) / size for result in met),
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
    parser.add_argument("--lte", type=float, default=LTE / 1e6, help="mean rate, in Mbit/s")
    parser.add_argument("--size", type=float, default=SIZE / 1e6, help="of the object, in MB")
    deadlines = {"metavar": ("EARLIEST", "LATEST"), "help": "in seconds"}
    parser.add_argument("--deadlines", type=float, nargs=2, default=(8.0, 12.0), **deadlines)
    parser.add_argument("--queue", type=float, default=0.0, help="seconds that the server queues")
    given = parser.parse_args()
    earliest, latest = given.deadlines
    case = Case(int(given.size * 1e6), given.lte * 1e6, (earliest, latest), given.queue)
    names = given.rules.split(";")
    seeds = range(given.first, given.first + given.downloads)
    for kind in given.kinds.split(","):
        began = time.perf_counter()
        results = sweep(kind, seeds, names, case, given.jobs)
        each = (time.perf_counter() - began) / len(results) / (len(names) + 2)
        missed = sum(not result.feasible for result in results) / len(results)
        least = statistics.mean(result.least for result in results) / case.size
        print(f"{kind}: {len(results)} downloads, {each * 1e3:.1f} ms for each simulated transfer")
        print(f"  {'rule':<13} {'missed':>9} {'mean':>8} {'median':>8} {'90%':>8} {'commands':>9}")
        print(f"  {'oracle':<13} {missed:>9.2%} {least:>8.1%} over LTE, of the object")
        for number, name in enumerate(names):
            print(f"  {name:<13} {Row.of(results, number, case.size)}", flush=True)


if __name__ == "__main__":
    main()
