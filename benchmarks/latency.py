"""From the byte that crosses a threshold to the SYN of the new subflow, both seen on the wire.

    python benchmarks/latency.py [--runs 1000] [--json FILE]

Objects of 1 MB over two links of 50 Mbit/s, 5 ms one way; the strategy opens the second path at
64 KiB. The kernel's timestamps of two packets are compared: the one with the last byte that was
needed, and the SYN with MP_JOIN. So what lies between is all of it: the kernel wakes the reader,
TCP and HTTP are read, the engine's thread is woken, the strategy decides, netlink asks the kernel.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from capture import Capture, Segment, Unseen
from measure import client, download_with, in_lab, origin

from mphttp import Strategy
from mphttp.strategies import Open, Steps, Transfer, Until

SIZE, THRESHOLD = 1_000_000, 65536


@dataclass(frozen=True)
class OpenAt(Strategy):
    """Open the second path at a threshold."""

    threshold: int

    def run(self, transfer: Transfer) -> Steps:
        yield Until(received=self.threshold)
        yield Open(transfer.paths[1])


def latency(segments: Iterable[Segment], threshold: int) -> float:
    """Return the seconds from the packet that completes what is needed to the SYN, or infinity."""
    first: int | None = None
    need, needed_at, edge = 0, 0.0, 0
    ahead: list[tuple[int, int]] = []  # what came before its turn
    for segment in segments:
        if segment.opens and segment.join:
            assert needed_at, "the SYN left before the threshold was crossed"
            return segment.at - needed_at
        if segment.outgoing or not segment.length:
            continue
        if first is None:
            first = segment.sequence
            need = segment.head.index(b"\r\n\r\n") + 4 + threshold
        start = (segment.sequence - first) % 2**32
        ahead = sorted([*ahead, (start, start + segment.length)])
        while ahead and ahead[0][0] <= edge:
            edge = max(edge, ahead.pop(0)[1])
        if not needed_at and edge >= need:
            needed_at = segment.at
    return math.inf  # the whole body was there first


def once() -> float:
    """Download one object over a new connection; what wasn't seen whole is done again."""
    try:
        with Capture(["wifi", "lte"]) as capture, client(OpenAt(THRESHOLD)) as http:
            download_with(http, origin(SIZE))
    except Unseen:
        return once()
    return latency(capture.segments, THRESHOLD)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--json", type=Path, help="write every latency there, in seconds")
    given = parser.parse_args()
    in_lab("wifi=50mbit,5ms", "lte=50mbit,5ms")
    taken = sorted(once() for _ in range(given.runs))
    taken, never = [t for t in taken if t < math.inf], taken.count(math.inf)
    cuts = statistics.quantiles(taken, n=100, method="inclusive")
    median, p90, p99 = (f"{1e3 * cuts[n - 1]:.2f} ms" for n in (50, 90, 99))
    print(
        f"{given.runs} runs: median {median}, 90% {p90}, 99% {p99}"
        f" ({taken[0] * 1e3:.2f}..{taken[-1] * 1e3:.2f}); {never} bodies were there before the SYN"
    )
    if given.json:
        given.json.write_text(json.dumps(taken))


if __name__ == "__main__":
    main()
