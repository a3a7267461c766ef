"""Deadlines over Wi-Fi with LTE at hand: which are met, and how much LTE carried for it.

    python benchmarks/deadline.py --rounds 10 --deadlines 8,9,10,12

5 MB over Wi-Fi (3.8 Mbit/s) and LTE (3.0 Mbit/s), 25 ms one way. The oracle is what LTE must carry
at least: the bytes that Wi-Fi alone, measured first, hasn't brought when the time is over.
"""

from __future__ import annotations

import argparse
import statistics
import time
from bisect import bisect_right
from collections.abc import Iterable

from measure import client, download, in_lab, origin

from mphttp import Deadline, FullMesh, SinglePath, Strategy

SIZE = 5_000_000
LINKS = ("wifi=3.8mbit,25ms", "lte=3mbit,25ms")
RULES = ("forecast", "rate", "half", "fullmesh")


def alone() -> list[tuple[float, int]]:
    """Download over Wi-Fi alone; return pairs of seconds and bytes that had come by then."""
    points = [(0.0, 0)]
    with client(SinglePath()) as http, http.stream("GET", origin(SIZE)) as response:
        report = response.extensions["multipath"]
        for chunk in response.iter_raw():
            points.append((report.seconds, points[-1][1] + len(chunk)))
    return points


def by(points: list[tuple[float, int]], seconds: float) -> int:
    """Return the bytes that had come by a time."""
    return points[bisect_right(points, (seconds, SIZE)) - 1][1]


def strategy_of(rule: str, deadline: float) -> Strategy:
    return FullMesh() if rule == "fullmesh" else Deadline(deadline, rule=rule)  # type: ignore[arg-type]


def measure(rule: str, deadline: float, rounds: int, oracle: int) -> None:
    """Print a line on one rule and one deadline."""
    seconds, metered, commands = [], [], []
    for _ in range(rounds):
        report = download(strategy_of(rule, deadline), origin(SIZE)).report
        seconds.append(report.seconds)
        lte = sum(s.bytes_received for s in report.subflows if s.path == "lte")
        metered.append((lte - oracle) / SIZE)
        changes = ("subflow_established", "subflow_priority")
        commands.append(sum(event.kind in changes for event in report.events))
    missed = sum(s > deadline for s in seconds)
    print(
        f"{deadline:>8g} {rule:>9} {missed:>4}/{rounds:<3} {statistics.median(seconds):>8.2f} "
        f"{max(seconds):>8.2f} {oracle / SIZE:>7.1%} {spread(metered)} {max(commands):>8}",
        flush=True,
    )


def spread(shares: Iterable[float]) -> str:
    """Write the median of some shares, and their range."""
    values = sorted(shares)
    return f"{statistics.median(values):>+7.1%} ({values[0]:+.1%} to {values[-1]:+.1%})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--deadlines", default="8,9,10,12", help="seconds, with commas")
    parser.add_argument("--rules", default=",".join(RULES), help=", ".join(RULES))
    given = parser.parse_args()
    in_lab(*LINKS)
    began = time.monotonic()
    curves = [alone() for _ in range(3)]
    print(f"Wi-Fi alone: {statistics.median(c[-1][0] for c in curves):.2f} s")
    print(
        f"{'deadline':>8} {'rule':>9} {'missed':>8} {'median s':>8} {'worst s':>8} {'oracle':>7} "
        f"beyond the oracle, of the object {'changes':>8}"
    )
    for deadline in map(float, given.deadlines.split(",")):
        oracle = SIZE - statistics.median_low(by(curve, deadline) for curve in curves)
        for rule in given.rules.split(","):
            measure(rule, deadline, given.rounds, oracle)
    print(f"{time.monotonic() - began:.0f} s in all")


if __name__ == "__main__":
    main()
