"""Both paths from the start: how near to the sum of their rates?

    python benchmarks/fullmesh.py          16 MiB from the server over 10+10 Mbit/s, 5 ms one way
    python benchmarks/fullmesh.py --up     10 MB to the server over 8+12 Mbit/s, 5 and 10 ms

mphttp's FullMesh beside the kernel's own, driven by `mptcpize run curl`, in turn. Needs curl,
mptcpize and ip.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import subprocess
import time
from pathlib import Path

from measure import client, download, in_lab, origin

from mphttp import FullMesh, SinglePath, Strategy
from mphttp.lab import names

DOWN, UP = 16 * 2**20, 10_000_000
RATES = 20e6


def from_server(strategy: Strategy) -> float:
    """Download; return the seconds it took."""
    return download(strategy, origin(DOWN)).seconds


def to_server(strategy: Strategy) -> float:
    """Upload; return the seconds it took, until the answer was there."""
    with client(strategy) as http:
        began = time.monotonic()
        response = http.put(_echo(), content=bytes(UP))
        seconds = time.monotonic() - began
    assert response.text.split()[-1] == hashlib.sha256(bytes(UP)).hexdigest()
    return seconds


def _echo() -> str:
    return f"{os.environ[names.ORIGIN]}/echo"


def kernel_full_mesh(*, up: bool) -> float:
    """Let curl do it under the in-kernel path manager; return the seconds it took."""
    what = ["-T", "-", "-H", "Expect:", _echo()] if up else [origin(DOWN)]
    manager = Path("/proc/sys/net/mptcp/pm_type")
    manager.write_text("0")
    try:
        command = ["mptcpize", "run", "curl", "-sSf", "-o", "/dev/null", *what]
        began = time.monotonic()
        subprocess.run(command, check=True, input=bytes(UP) if up else b"")
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
    parser.add_argument("--up", action="store_true", help="to the server")
    given = parser.parse_args()
    links = (
        ("one=8mbit,5ms", "two=12mbit,10ms") if given.up else ("one=10mbit,5ms", "two=10mbit,5ms")
    )
    in_lab(*links)
    measured, best = (
        (to_server if given.up else from_server),
        (UP if given.up else DOWN) * 8 / RATES,
    )
    add_endpoint("two", "fullmesh")
    ours, theirs = [], []
    for _ in range(given.rounds):
        ours.append(measured(FullMesh()))
        theirs.append(kernel_full_mesh(up=given.up))
    single = measured(SinglePath())
    print(f"payload / sum of rates: {best:.2f} s; one path: {single:.2f} s ({single / best:.3f})")
    for name, times in (("mphttp FullMesh", ours), ("kernel full mesh, curl", theirs)):
        median = statistics.median(times)
        spread = f"{min(times):.2f}..{max(times):.2f}"
        print(f"{name:<24} median {median:.2f} s ({spread}), {median / best:.3f} of the ideal")


if __name__ == "__main__":
    main()
