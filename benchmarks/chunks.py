"""A stream: 60 chunks of 2 s each, over Wi-Fi that is quick enough for four of five.

    python benchmarks/chunks.py                 simulated, 50 streams
    python benchmarks/chunks.py --lab           in the lab, on the traces of the first stream

A chunk is asked for when the one before is due, and due 2 s later; playback waits for a late one.
Wi-Fi has 3.8 Mbit/s with 30% of noise, LTE 3.0 Mbit/s with 10%, 50 ms there and back. The size of a
chunk is what Wi-Fi brings in 2 s four times in five.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from measure import client, download_with, in_lab, origin

from mphttp.strategies import Deadline, FullMesh, SinglePath, Strategy
from mphttp.stream import Playback
from mphttp.testing import SimulatedPath, simulate
from mphttp.testing.traces import Trace, gauss_markov, in_bytes, write_trace

CHUNKS, PERIOD, RTT, TAIL, SECONDS = 60, 2.0, 0.05, 0.6, 300.0

Result = tuple[int, float]
"""Late chunks, and the share of all bytes that LTE carried."""

RULES: dict[str, Callable[[float], Strategy]] = {
    "forecast kept": lambda d: Deadline(d, keep=True),
    "forecast anew": Deadline,
    "rate (paper)": lambda d: Deadline(d, rule="rate"),
    "half (paper)": lambda d: Deadline(d, rule="half"),
    "full mesh": lambda _: FullMesh(),
    "single path": lambda _: SinglePath(),
}


def traces(seed: int) -> tuple[Trace, Trace]:
    """Make the rates of a stream's Wi-Fi and LTE, in bits a second."""
    wifi = gauss_markov(3.8e6, 0.3, seconds=SECONDS, seed=2 * seed)
    return wifi, gauss_markov(3.0e6, 0.1, seconds=SECONDS, seed=2 * seed + 1)


def paths_of(wifi: Trace, lte: Trace) -> list[SimulatedPath]:
    return [
        SimulatedPath(name, in_bytes(trace), RTT, slow_start=True, lag=TAIL)
        for name, trace in (("wifi", wifi), ("lte", lte))
    ]


def size_of(wifi: SimulatedPath) -> int:
    """Return the bytes that Wi-Fi alone brings in a period four times in five."""
    brought = [
        simulate(SinglePath(), [wifi], 10**8, begin=n * PERIOD, give_up_after=PERIOD).received
        for n in range(CHUNKS)
    ]
    return sorted(brought)[CHUNKS // 5]


def stream(rule: Callable[[float], Strategy], paths: list[SimulatedPath], size: int) -> Result:
    """Simulate a stream; return its late chunks and what LTE carried, of all bytes."""
    now, metered = 0.0, 0
    warm: tuple[str, ...] = ()
    playback = Playback.starting(now, PERIOD)
    for _ in range(CHUNKS):
        now += playback.wait(now)
        strategy = rule(playback.deadline(now))
        done = simulate(strategy, paths, size, begin=now, warm=warm)
        now += done.seconds or 0.0
        playback.arrived(now)
        metered += done.carried["lte"]
        warm = done.alive[1:] if strategy.keep else ()
    return playback.late, metered / size / CHUNKS


def in_the_lab(rule: Callable[[float], Strategy], size: int) -> Result:
    """Get a stream over the lab's links."""
    metered = 0
    with client(None) as http:
        playback = Playback.starting(time.monotonic(), PERIOD)
        for _ in range(CHUNKS):
            time.sleep(playback.wait(time.monotonic()))
            strategy = rule(playback.deadline(time.monotonic()))
            report = download_with(http, origin(size), strategy).report
            playback.arrived(time.monotonic())
            metered += sum(s.bytes_received for s in report.subflows if s.path == "lte")
    return playback.late, metered / size / CHUNKS


def least(paths: list[SimulatedPath], size: int) -> Result:
    """Return what LTE must carry if nothing is to be late, where that is possible."""
    late, missing = 0, 0
    for n in range(CHUNKS):
        begin = n * PERIOD
        got = simulate(SinglePath(), paths, 10**8, begin=begin, give_up_after=PERIOD).received
        both = simulate(FullMesh(), paths, size, begin=begin).seconds or 0.0
        missing += max(0, size - got)
        late += both > PERIOD
    return late, missing / size / CHUNKS


def show(name: str, results: list[Result]) -> None:
    late = statistics.mean(result[0] for result in results)
    most = max(result[0] for result in results)
    share = statistics.mean(result[1] for result in results)
    print(f"{name:<15} {late:>10.1f} {most:>6} {share:>9.1%}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument("--lab", action="store_true", help="one stream, in the lab")
    parser.add_argument("--rules", default=",".join(RULES), help=", ".join(RULES))
    given = parser.parse_args()
    streams = [paths_of(*traces(seed)) for seed in range(1 if given.lab else given.streams)]
    sizes = [size_of(paths[0]) for paths in streams]
    if given.lab:
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder) / f"{name}.trace" for name in ("wifi", "lte")]
            for file, trace in zip(files, traces(0), strict=True):
                write_trace(file, trace, about="benchmarks/chunks.py, stream 0", seconds=SECONDS)
            in_lab(f"wifi=25ms,trace={files[0]}", f"lte=25ms,trace={files[1]}")
    print(f"{CHUNKS} chunks of {PERIOD:g} s, {statistics.median(sizes) / 1e3:.0f} kB in the median")
    print(f"{'':<15} {'late, mean':>10} {'most':>6} {'over LTE':>9}")
    show("oracle", [least(*pair) for pair in zip(streams, sizes, strict=True)])
    for name in given.rules.split(","):
        if given.lab:
            show(name, [in_the_lab(RULES[name], sizes[0])])
        else:
            pairs = zip(streams, sizes, strict=True)
            show(name, [stream(RULES[name], *pair) for pair in pairs])


if __name__ == "__main__":
    main()
