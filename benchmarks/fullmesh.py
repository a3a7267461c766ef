"""Both paths from the start: how near to the sum of their rates?

    python benchmarks/fullmesh.py

16 MiB over 10+10 Mbit/s, 5 ms one way: mphttp's FullMesh beside the kernel's own, driven by
`mptcpize run curl`. Needs curl, mptcpize and ip.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import time
from pathlib import Path

from measure import download, in_lab, origin

from mphttp import FullMesh, SinglePath

SIZE = 16 * 2**20
RATES = 20e6


def kernel_full_mesh() -> float:
    """Let curl download under the in-kernel path manager; return the seconds it took."""
    manager = Path("/proc/sys/net/mptcp/pm_type")
    manager.write_text("0")
    try:
        began = time.monotonic()
        command = ["mptcpize", "run", "curl", "-sSf", "-o", "/dev/null", origin(SIZE)]
        subprocess.run(command, check=True)
        return time.monotonic() - began
    finally:
        manager.write_text("1")


def add_endpoint(interface: str, *flags: str) -> None:
    """Let the in-kernel path manager open subflows from an interface's IPv4 address.

    Args:
        interface: its name.
        flags: what else `ip mptcp endpoint add` takes, such as "fullmesh" or "backup".
    """
    show = subprocess.run(
        ["ip", "-o", "-4", "addr", "show", "dev", interface],
        check=True,
        capture_output=True,
        text=True,
    )
    address = show.stdout.split()[3].split("/")[0]
    subprocess.run(
        ["ip", "mptcp", "endpoint", "add", address, "dev", interface, "subflow", *flags],
        check=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    in_lab("one=10mbit,5ms", "two=10mbit,5ms")
    best = SIZE * 8 / RATES
    add_endpoint("two", "fullmesh")
    ours, theirs = [], []
    for _ in range(given.rounds):
        ours.append(download(FullMesh(), origin(SIZE)).seconds)
        theirs.append(kernel_full_mesh())
    single = download(SinglePath(), origin(SIZE)).seconds
    print(f"payload / sum of rates: {best:.2f} s; one path: {single:.2f} s ({single / best:.3f})")
    for name, times in (("mphttp FullMesh", ours), ("kernel full mesh, curl", theirs)):
        median = statistics.median(times)
        spread = f"{min(times):.2f}..{max(times):.2f}"
        print(f"{name:<24} median {median:.2f} s ({spread}), {median / best:.3f} of the ideal")


if __name__ == "__main__":
    main()
