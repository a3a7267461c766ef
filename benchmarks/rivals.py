"""Everybody on the same links, in one run: time, metered bytes, subflows, CPU.

    python benchmarks/rivals.py [--rounds 5] [--json FILE]

10 MB over Wi-Fi (8 Mbit/s, 20 ms one way) and LTE (12 Mbit/s, 50 ms), which is the metered one.
Each downloads in a process of its own, in turns, so that what else the machine does hits all of
them. Subflows (for plain TCP, connections) are counted on the wire. Needs curl, mptcpize, ip,
aria2c and axel.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from capture import Capture, Unseen, flows
from contenders import METERED, SIZE, Contender, by_source_address, check_programs, contenders
from fullmesh import add_endpoint
from measure import bytes_received, bytes_sent, in_lab, origin

LINKS = ("wifi=8mbit,20ms", "lte=12mbit,50ms")
RATES = 20e6


@dataclass(frozen=True)
class Run:
    """One download.

    Args:
        seconds: from the program's start to its end; in Python, without imports.
        cpu: seconds of the client, user and system.
        metered: bytes that came and went by the metered interface, headers and all.
        opened: subflows, or connections of plain TCP.
        idle: those of them over which no data came.
    """

    seconds: float
    cpu: float
    metered: int
    opened: int
    idle: int


# Measuring.


def metered() -> int:
    """Return the bytes that came and went by the metered interface."""
    return bytes_received(METERED) + bytes_sent(METERED)


def metered_when_quiet(seconds: float = 0.4) -> int:
    """Return the same once nothing follows any more."""
    while True:
        before = metered()
        time.sleep(seconds)
        if metered() == before:
            return before


def measured(contender: Contender, url: str) -> Run:
    """Let a contender download once; what wasn't seen whole is done again."""
    before = metered_when_quiet()
    try:
        with Capture(["wifi", METERED]) as capture:
            seconds, cpu = contender(url)
            after = metered_when_quiet()
    except Unseen:
        return measured(contender, url)
    seen = flows(capture.segments)
    return Run(seconds, cpu, after - before, len(seen), sum(not flow.received for flow in seen))


def show(name: str, runs: list[Run]) -> None:
    def median(value: str) -> float:
        return statistics.median(getattr(run, value) for run in runs)

    times = [run.seconds for run in runs]
    print(
        f"{name:<32} {median('seconds'):6.2f} {min(times):6.2f}..{max(times):<6.2f}"
        f" {median('seconds') * RATES / 8 / SIZE:6.2f} {median('metered') / 1e6:7.2f}"
        f" {median('opened'):6.0f} {median('idle'):5.0f} {median('cpu'):6.2f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--only", nargs="*", default=[""], help="words in the names of those wanted"
    )
    parser.add_argument("--json", type=Path, help="write every run there")
    given = parser.parse_args()
    check_programs()
    in_lab(*LINKS)
    add_endpoint(METERED, "fullmesh")
    chosen = {n: c for n, c in contenders().items() if any(word in n for word in given.only)}
    results: dict[str, list[Run]] = {name: [] for name in chosen}
    with by_source_address():
        for _ in range(given.rounds):
            for name, contender in chosen.items():
                results[name].append(measured(contender, origin(SIZE)))
    print(
        f"{f'{SIZE / 1e6:g} MB, {given.rounds} rounds':<32} median s   min..max  of sum"
        "  LTE MB opened  idle  CPU s"
    )
    for name, runs in results.items():
        show(name, runs)
    if given.json:
        told = {name: [asdict(run) for run in runs] for name, runs in results.items()}
        given.json.write_text(json.dumps({"size": SIZE, "links": LINKS, "runs": told}, indent=1))


if __name__ == "__main__":
    main()
