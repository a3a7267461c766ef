"""Deadlines over Wi-Fi with LTE at hand: which are met, and what leaves by LTE.

    python benchmarks/deadline.py

10 MB over Wi-Fi (8 Mbit/s, 20 ms one way) and LTE (12 Mbit/s, 50 ms). Packets are those that Linux
counts on the LTE interface.
"""

from __future__ import annotations

from measure import download, in_lab, origin, packets_sent, packets_when_quiet

from mphttp import Deadline, FullMesh, SinglePath, Strategy

SIZE = 10_000_000


def main() -> None:
    in_lab("wifi=8mbit,20ms", "lte=12mbit,50ms")
    strategies: tuple[Strategy, ...] = (
        SinglePath(),
        Deadline(7),
        Deadline(7, rule="half"),
        Deadline(20),
        Deadline(20, rule="half"),
        FullMesh(),
    )
    print(
        f"{'strategy':<36} {'seconds':>8} {'met':>5} {'LTE opened':>11} {'LTE MB':>7} packets out"
    )
    for strategy in strategies:
        before = packets_when_quiet("lte")
        done = download(strategy, origin(SIZE))
        lte = [subflow for subflow in done.report.subflows if subflow.path == "lte"]
        opened = f"{lte[0].opened_at:.2f} s" if lte else "-"
        met = done.report.deadline.met if done.report.deadline else done.seconds <= 7
        print(
            f"{strategy!s:<36} {done.seconds:8.2f} {met!s:>5} {opened:>11} "
            f"{sum(subflow.bytes_received for subflow in lte) / 1e6:7.2f} "
            f"{packets_sent('lte') - before}"
        )


if __name__ == "__main__":
    main()
