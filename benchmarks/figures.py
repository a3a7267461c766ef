"""The figures of the README and docs/, from real runs.

    python benchmarks/figures.py [--folder docs/figures]

Each is what `mphttp get --plot` draws of one download in the lab, Wi-Fi (8 Mbit/s, 20 ms one way)
first and LTE (12 Mbit/s, 50 ms) as the second path, while something happens to Wi-Fi.
"""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from measure import in_lab, origin

from mphttp.cli import main as mphttp
from mphttp.lab import LabClient, inside


@dataclass(frozen=True)
class Figure:
    """One download.

    Args:
        name: of the file.
        size: bytes of the body.
        options: of `mphttp get`.
        happens: what happens, each after so many seconds.
    """

    name: str
    size: int
    options: tuple[str, ...]
    happens: tuple[tuple[float, Callable[[LabClient], object]], ...] = ()


FIGURES = (
    Figure(
        "deadline",
        10_000_000,
        ("--deadline", "12s"),
        (
            (2.0, lambda lab: lab.change("wifi", rate="3mbit")),
            (6.0, lambda lab: lab.change("wifi", rate="8mbit")),
        ),
    ),
    Figure(
        "handover",
        6_000_000,
        ("--strategy", "handover"),
        ((2.0, lambda lab: lab.blackhole("wifi")),),
    ),
    Figure("refresh", 8_000_000, ("--strategy", "refresh", "--threshold", "1MB", "--rotate")),
)


def draw(figure: Figure, folder: Path) -> None:
    """Download, and keep the picture."""
    lab = inside()
    lab.reset()
    timers = [threading.Timer(after, what, [lab]) for after, what in figure.happens]
    for timer in timers:
        timer.start()
    outputs = ["-o", "/dev/null", "--plot", str(folder / f"{figure.name}.svg")]
    code = mphttp(["get", *figure.options, *outputs, origin(figure.size)])
    for timer in timers:
        timer.cancel()
        timer.join()
    if code:
        raise SystemExit(code)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("docs/figures"))
    given = parser.parse_args()
    in_lab("wifi=8mbit,20ms", "lte=12mbit,50ms")
    given.folder.mkdir(parents=True, exist_ok=True)
    for figure in FIGURES:
        draw(figure, given.folder)


if __name__ == "__main__":
    main()
