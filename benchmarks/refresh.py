"""A new subflow every so many bytes: how many, and what they cost.

    python benchmarks/refresh.py

64 MB over one link of 50 Mbit/s, 5 ms one way, with 20 ms of queue, with and without
Refresh(524288); then the paper's experiment (4.1): 60 kB with a threshold of 1024, where it saw up
to 56 successive subflows.
"""

from __future__ import annotations

import argparse
import statistics

from measure import download, in_lab, origin

from mphttp import Refresh, SinglePath

SIZE = 64_000_000
THRESHOLD = 524_288


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    in_lab("wired=50mbit,5ms,queue=20ms")
    ratios = []
    for _ in range(given.rounds):
        plain = download(SinglePath(), origin(SIZE))
        fresh = download(Refresh(THRESHOLD), origin(SIZE))
        ratios.append(plain.seconds / fresh.seconds)
        carried = sum(subflow.bytes_received for subflow in fresh.report.subflows)
        print(
            f"64 MB: {len(fresh.report.subflows) - 1} replacements of {SIZE // THRESHOLD} thresholds, "
            f"{fresh.seconds:.2f} s, without {plain.seconds:.2f} s, throughput "
            f"{ratios[-1]:.3f} of it, {carried / SIZE - 1:.1%} carried twice, "
            f"{len(fresh.report.problems)} problems"
        )
    print(f"median throughput {statistics.median(ratios):.3f} of that without")
    for _ in range(given.rounds):
        small = download(Refresh(1024), origin(60_000))
        print(f"60 kB, threshold 1024: {len(small.report.subflows)} successive subflows")


if __name__ == "__main__":
    main()
