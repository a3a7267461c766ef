"""A new subflow every so many bytes: how many, and what they cost.

    python benchmarks/refresh.py

64 MB over one link of 50 Mbit/s, 5 ms one way, with 20 ms of queue, with and without
Refresh(524288); then the paper's experiment (4.1): 60 kB with a threshold of 1024, where it saw up
to 56 successive subflows, on this link and on one of 1 Mbit/s.

What a replacement costs is the closing of the old subflow. Whenever one is closed, a Linux sender
sends again whatever isn't acknowledged on any other (net/mptcp/protocol.c, __mptcp_close_ssk and
__mptcp_retransmit_pending_data): all that it has queued on the new subflow, which is twice its
congestion window, or the receive window if that is less. It is printed as bytes that came twice.
"""

from __future__ import annotations

import argparse
import statistics

from measure import Download, client, download_with, in_lab, origin

from mphttp import Refresh, SinglePath, Strategy

SIZE = 64_000_000
THRESHOLD = 524_288


def download(strategy: Strategy, size: int, path: str = "wired") -> Download:
    """Get a body over one link and a new connection, and check it."""
    with client(strategy, (path,)) as http:
        return download_with(http, origin(size))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    in_lab("wired=50mbit,5ms,queue=20ms", "slow=1mbit,10ms,queue=100ms")
    ratios = []
    for _ in range(given.rounds):
        plain = download(SinglePath(), SIZE)
        fresh = download(Refresh(THRESHOLD), SIZE)
        ratios.append(plain.seconds / fresh.seconds)
        replaced = len(fresh.report.subflows) - 1
        twice = sum(subflow.bytes_received for subflow in fresh.report.subflows) - SIZE
        print(
            f"64 MB: {replaced} replacements of {SIZE // THRESHOLD} thresholds, "
            f"{fresh.seconds:.2f} s, without {plain.seconds:.2f} s, throughput "
            f"{ratios[-1]:.3f} of it; a replacement costs "
            f"{(fresh.seconds - plain.seconds) / replaced * 1e3:.0f} ms, "
            f"{twice / replaced / 1e3:.0f} kB came twice; {len(fresh.report.problems)} problems"
        )
    print(f"median throughput {statistics.median(ratios):.3f} of that without")
    for path in ("wired", "slow"):
        for _ in range(given.rounds):
            small = download(Refresh(1024), 60_000, path)
            print(f"60 kB over {path}, threshold 1024: {len(small.report.subflows)} subflows")


if __name__ == "__main__":
    main()
