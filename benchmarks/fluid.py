"""How far the simulator's fluid is from packets: the same downloads simulated, and in the lab.

    python benchmarks/fluid.py

5 MB over Wi-Fi and LTE of several kinds of rates, by three strategies. What is compared is the time
and, of the object, the share that LTE carried.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import download, in_lab, origin
from oracle import KINDS, LTE, RTT, SECONDS, SIZE, TAIL, WIFI

from mphttp.lab import inside
from mphttp.strategies import Deadline, FullMesh, SinglePath, Strategy
from mphttp.testing import SimulatedPath, simulate
from mphttp.testing.traces import in_bytes, write_trace

DEADLINE = 9.0
STRATEGIES: tuple[Strategy, ...] = (SinglePath(), FullMesh(), Deadline(DEADLINE))


def compare(kind: str, seed: int) -> None:
    """Print a line for each strategy; run inside the lab."""
    for strategy in STRATEGIES:
        paths = [
            SimulatedPath(name, in_bytes(trace), RTT, slow_start=True, lag=TAIL)
            for name, trace in traces(kind, seed).items()
        ]
        fluid = simulate(strategy, paths, SIZE)
        restart_traces()
        report = download(strategy, origin(SIZE)).report
        lte = sum(s.bytes_received for s in report.subflows if s.path == "lte")
        seconds = fluid.seconds or 0.0
        print(
            f"{kind} {seed} {strategy.name} {seconds:.2f} {report.seconds:.2f} "
            f"{fluid.carried['lte'] / SIZE:.4f} {lte / SIZE:.4f}",
            flush=True,
        )


def restart_traces() -> None:
    """Let both links' traces begin anew, as the simulator's do."""
    lab = inside()
    for link in ("wifi", "lte"):
        lab.change(link, rate="1mbit")
        lab.restore(link)
    lab.close()


def traces(kind: str, seed: int) -> dict[str, list[tuple[float, float]]]:
    means = (("wifi", WIFI), ("lte", LTE))
    return {name: KINDS[kind](name, mean, 2 * seed + n) for n, (name, mean) in enumerate(means)}


def run(kind: str, seed: int) -> list[list[str]]:
    """Make a lab with these traces, and run this script in it; return its lines."""
    script = [sys.executable, __file__, "--kinds", kind, "--seed", str(seed)]
    done = subprocess.run(script, check=True, capture_output=True, text=True)
    return [line.split() for line in done.stdout.splitlines()]


def alone(kind: str, seed: int) -> None:
    """Run one kind with one seed, in a lab of its own."""
    with tempfile.TemporaryDirectory() as folder:
        links = []
        for name, trace in traces(kind, seed).items():
            file = Path(folder) / f"{name}.trace"
            write_trace(file, trace, about=f"{kind}, seed {seed}", seconds=SECONDS)
            links.append(f"{name}=25ms,trace={file}")
        in_lab(*links)
    compare(kind, seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", default="steady,noise10,noise30,outages30")
    parser.add_argument("--seeds", type=int, default=2, help="of each kind")
    parser.add_argument("--seed", type=int, help="one alone, as this script calls itself")
    given = parser.parse_args()
    kinds = given.kinds.split(",")
    if given.seed is not None:
        alone(kinds[0], given.seed)
        return
    print(f"{'kind':<10} {'seed':>4} {'strategy':<10} {'seconds':>16} {'share of LTE':>16}")
    print(f"{'':<26} {'fluid':>8} {'lab':>8} {'fluid':>8} {'lab':>8}")
    rows = [row for kind in kinds for seed in range(given.seeds) for row in run(kind, seed)]
    for kind, seed, name, fluid, lab, less, more in rows:
        shares = f"{float(less):>8.1%} {float(more):>8.1%}"
        print(f"{kind:<10} {seed:>4} {name:<10} {fluid:>8} {lab:>8} {shares}", flush=True)
    for name in (strategy.name for strategy in STRATEGIES):
        mine = [[float(value) for value in row[3:]] for row in rows if row[2] == name]
        late = [lab / fluid - 1 for fluid, lab, _, _ in mine]
        share = [abs(lab - fluid) for _, _, fluid, lab in mine]
        print(
            f"{name}: the lab takes {statistics.median(late):+.1%} of the fluid's time "
            f"({min(late):+.1%} to {max(late):+.1%}); LTE's share is off by "
            f"{statistics.median(share):.1%} (at most {max(share):.1%})"
        )


if __name__ == "__main__":
    main()
