"""Subflows opened and closed at random under downloads of random sizes, while links are cut.

    python benchmarks/soak.py

300 downloads, four at a time; each opens or closes a subflow every 20 to 200 ms, and every few
seconds one of the two links is cut or blackholed for a while. Every SHA-256 must be right, and in
the end no thread, descriptor or memory may be left behind. The seed is printed and can be given.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import resource
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from measure import download, in_lab, origin

from mphttp import Strategy
from mphttp.lab.client import inside
from mphttp.strategies import Close, Command, CommandFailed, Open, Steps, Transfer, Until

LINKS = ("wifi", "lte")


@dataclass(frozen=True)
class Restless(Strategy):
    """Open or close a subflow at random every 20 to 200 ms.

    Args:
        seed: of the pseudo-random choices.
    """

    seed: int

    def run(self, transfer: Transfer) -> Steps:
        choice = random.Random(self.seed)
        while True:
            yield Until(elapsed=transfer.elapsed + choice.uniform(0.02, 0.2))
            command = self._choose(choice, transfer)
            if command is None:
                continue
            try:
                yield command
            except CommandFailed:
                continue  # cut links are part of the plan

    def _choose(self, choice: random.Random, transfer: Transfer) -> Command | None:
        if len(transfer.subflows) > 1 and choice.random() < 0.5:
            return Close(choice.choice(transfer.subflows))
        return Open(choice.choice(transfer.paths)) if transfer.paths else None


def trouble(choice: random.Random, stop: threading.Event) -> Iterator[str]:
    """Cut or blackhole one of the links now and then, never both; yield what was done."""
    lab = inside()
    while not stop.wait(choice.uniform(1, 4)):
        link = choice.choice(LINKS)
        fault = choice.choice([lab.cut, lab.blackhole])
        fault(link)
        yield f"{fault.__name__} {link}"
        stop.wait(choice.uniform(0.2, 1.0))
        lab.restore(link)


def left_behind() -> dict[str, int]:
    """Count what a process could leave behind."""
    gc.collect()
    return {
        "threads": threading.active_count(),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--downloads", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    given = parser.parse_args()
    in_lab("wifi=60mbit,5ms", "lte=40mbit,15ms", server_subflow_limit=8)
    choice = random.Random(given.seed)
    print(f"seed {given.seed}")
    jobs = [
        (choice.randrange(2**32), int(10 ** choice.uniform(3, 7.3))) for _ in range(given.downloads)
    ]
    download(Restless(1), origin(1_000_000))  # what is made once for the process stays, of course
    before = left_behind()
    stop, faults = threading.Event(), []
    disturber = threading.Thread(target=lambda: faults.extend(trouble(choice, stop)))
    disturber.start()
    began = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda job: download(Restless(job[0]), origin(job[1])), jobs))
    stop.set()
    disturber.join()
    subflows = sum(len(one.report.subflows) for one in done)
    volume = sum(one.report.bytes for one in done) / 1e6
    crashes = [p for one in done for p in one.report.problems if "itself failed" in p.what]
    seconds = time.monotonic() - began
    print(
        f"{len(done)} downloads, {volume:.0f} MB in {seconds:.0f} s, every SHA-256 right; "
        f"{subflows} subflows, {len(faults)} faults, {len(crashes)} crashes"
    )
    print(f"before {before}\nafter  {left_behind()}")


if __name__ == "__main__":
    main()
