"""A second subflow for large objects only: does it stay closed, and does it open in time?

    python benchmarks/delayed.py

1,000 objects of 10 kB and then 10 MB, Wi-Fi 8 Mbit/s 20 ms and LTE 12 Mbit/s 50 ms one way.
"""

from __future__ import annotations

import argparse
import statistics

from measure import client, download, download_with, in_lab, origin, packets_sent

from mphttp import DelayedByContentLength, FullMesh


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    in_lab("wifi=8mbit,20ms", "lte=12mbit,50ms")
    strategy = DelayedByContentLength(1_000_000)
    before = packets_sent("lte")
    with client(strategy) as http:
        for _ in range(given.objects):
            download_with(http, origin(10_000))
    print(f"{given.objects} objects of 10 kB: {packets_sent('lte') - before} packets left by LTE")
    ratios = []
    for _ in range(given.rounds):
        delayed, mesh = (download(s, origin(10_000_000)).seconds for s in (strategy, FullMesh()))
        ratios.append(delayed / mesh)
        print(f"10 MB: delayed {delayed:.2f} s, full mesh {mesh:.2f} s, ratio {delayed / mesh:.3f}")
    print(f"median ratio {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
