"""Subflows that carry nothing, over objects as they are on the web (paper, 4.2).

    python benchmarks/mix.py [--objects 1000] [--json FILE]

Each object comes over a connection of its own, Wi-Fi (8 Mbit/s, 20 ms one way) first and LTE
(12 Mbit/s, 50 ms) as the second path. Sizes are those of Barford and Crovella's SURGE ("Generating
representative web workloads", SIGMETRICS 1998): 93% lognormal (mu 9.357, sigma 1.318: a median of
11.6 kB), 7% Pareto from 133 kB on (alpha 1.1), here cut at 10 MB; the seed is in the output. The
client is the same under the in-kernel full mesh. Subflows are counted on the wire.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

from capture import Capture, Flow, flows
from handover import kernel_alone
from measure import bytes_received, bytes_sent, client, download_with, in_lab, origin

from mphttp import DelayedByContentLength, FullMesh, Strategy

LARGEST, TAIL_FROM = 10_000_000, 133_000
METERED = "lte"


@dataclass(frozen=True)
class Outcome:
    """What came of all objects.

    Args:
        joined: connections that had a further subflow.
        idle: those whose further subflow brought nothing.
        metered: bytes that came and went by the metered interface.
        median: seconds that an object took.
        ninth: the same for the largest tenth's smallest.
    """

    joined: int
    idle: int
    metered: int
    median: float
    ninth: float


def sizes(count: int, seed: int) -> list[int]:
    """Draw the sizes of objects, in bytes."""
    dice = random.Random(seed)
    return [_size(dice) for _ in range(count)]


def _size(dice: random.Random) -> int:
    while True:
        large = dice.random() < 0.07
        drawn = TAIL_FROM * dice.paretovariate(1.1) if large else dice.lognormvariate(9.357, 1.318)
        if drawn <= LARGEST:
            return max(1, round(drawn))


def connections(seen: list[Flow]) -> list[list[Flow]]:
    """Group subflows by their connections, of which there is one at a time."""
    grouped: list[list[Flow]] = []
    for flow in seen:
        if flow.join:
            grouped[-1].append(flow)
        else:
            grouped.append([flow])
    return grouped


def fetched(strategy: Strategy | None, objects: list[int]) -> Outcome:
    """Download all, each over a new connection."""
    before = bytes_received(METERED) + bytes_sent(METERED)
    times = []
    with Capture(["wifi", METERED]) as capture:
        for size in objects:
            with client(strategy) as http:
                times.append(download_with(http, origin(size)).seconds)
    metered = bytes_received(METERED) + bytes_sent(METERED) - before
    made = connections(flows(capture.segments))
    assert len(made) == len(objects), f"{len(made)} connections for {len(objects)} objects"
    joined = [made_of[1:] for made_of in made if made_of[1:]]
    idle = sum(not any(flow.received for flow in further) for further in joined)
    ninth = statistics.quantiles(times, n=10)[-1]
    return Outcome(len(joined), idle, metered, statistics.median(times), ninth)


def show(name: str, outcome: Outcome, objects: int) -> None:
    share = outcome.idle / outcome.joined if outcome.joined else 0.0
    print(
        f"{name:<34} {outcome.joined:6} {outcome.idle:6} {outcome.idle / objects:6.1%}"
        f" {share:9.1%} {outcome.metered / 1e6:7.2f} {outcome.median:9.3f} {outcome.ninth:7.3f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the results there")
    given = parser.parse_args()
    in_lab("wifi=8mbit,20ms", "lte=12mbit,50ms")
    objects = sizes(given.objects, given.seed)
    told: dict[str, Outcome] = {}
    print(
        f"{f'{len(objects)} objects, seed {given.seed}':<34} joined   idle of all of joined"
        "  LTE MB  median s   90% s"
    )
    for name, strategy in (
        ("FullMesh()", FullMesh()),
        ("DelayedByContentLength(100 kB)", DelayedByContentLength(100_000)),
        ("DelayedByContentLength(1 MiB)", DelayedByContentLength()),
        ("kernel full mesh", None),  # the last: a process looks once for what it can control
    ):
        with nullcontext() if strategy else kernel_alone("fullmesh"):
            told[name] = outcome = fetched(strategy, objects)
        show(name, outcome, len(objects))
    if given.json:
        outcomes = {name: asdict(outcome) for name, outcome in told.items()}
        given.json.write_text(
            json.dumps({"seed": given.seed, "sizes": objects, "outcomes": outcomes}, indent=1)
        )


if __name__ == "__main__":
    main()
