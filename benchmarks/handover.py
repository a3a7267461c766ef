"""Wi-Fi falls silent in mid-transfer: how long until LTE brings data, and the application has it?

    python benchmarks/handover.py [--runs 20]

4 MB over Wi-Fi (8 Mbit/s, 20 ms one way); from the first megabyte on, every packet there vanishes,
and nobody is told. LTE (12 Mbit/s, 50 ms) takes over. Times are from the last packet on Wi-Fi, in
seconds and in retransmission time-outs that the server's subflow had before it. The same client
under the in-kernel path manager, with LTE as a second path or as a backup, stands beside it.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
from fullmesh import add_endpoint
from measure import bytes_received, client, in_lab, origin

from mphttp import Strategy
from mphttp.lab import LabClient, inside, names
from mphttp.strategies import Handover

SIZE, SILENT_AFTER = 4_000_000, 1_000_000
DATA = 1000
"""Bytes on a path that are no longer handshakes and acknowledgements."""
PATH_MANAGER = Path("/proc/sys/net/mptcp/pm_type")


@dataclass(frozen=True)
class Run:
    """One transfer; times in seconds.

    Args:
        timeout: the server's retransmission time-out before Wi-Fi fell silent.
        first: until LTE brought data.
        stall: until the application had a byte more than it got from Wi-Fi.
        whole: until it had all.
    """

    timeout: float
    first: float
    stall: float
    whole: float


def retransmission_timeout(lab: LabClient) -> float:
    """Return the largest of the server's subflows to Wi-Fi that carry data now, in seconds."""
    command = ["ss", "-tinH", "state", "established", "dst", names.client_address(0)]
    with lab.in_server(command, stdout=subprocess.PIPE, text=True) as process:
        told = process.communicate()[0]
    busy = [line for line in told.splitlines() if "notsent:" in line or "unacked:" in line]
    return max(float(found) / 1e3 for found in re.findall(r"\brto:([\d.]+)", " ".join(busy)))


class Watch(threading.Thread):
    """Notes when an interface has brought data since it was started."""

    def __init__(self, interface: str) -> None:
        super().__init__(daemon=True)
        self.at: float | None = None
        self._interface = interface
        self._before = bytes_received(interface)

    def run(self) -> None:
        while bytes_received(self._interface) < self._before + DATA:
            time.sleep(0.002)
        self.at = time.monotonic()


def transfer(lab: LabClient, strategy: Strategy | None) -> Run:
    """Download, with the fault in the middle."""
    lab.reset()
    with client(strategy) as http, http.stream("GET", origin(SIZE)) as response:
        return read(lab, response)


def read(lab: LabClient, response: httpx.Response) -> Run:
    received, cut, stall, timeout = 0, 0.0, 0.0, 0.0
    watch = Watch("lte")
    for chunk in response.iter_raw(65536):
        received += len(chunk)
        now = time.monotonic()
        if cut and not stall and now - cut > timeout / 2:  # what was on its way came before that
            stall = now - cut
        if not cut and received >= SILENT_AFTER:
            timeout = retransmission_timeout(lab)
            lab.blackhole("wifi")
            watch = Watch("lte")
            cut = time.monotonic()
            watch.start()
    assert received == SIZE
    assert watch.at is not None
    return Run(timeout, watch.at - cut, stall, time.monotonic() - cut)


@contextlib.contextmanager
def kernel_alone(*flags: str) -> Iterator[None]:
    """Let the in-kernel path manager open the second subflow."""
    PATH_MANAGER.write_text("0")
    add_endpoint("lte", *flags)
    yield
    subprocess.run(["ip", "mptcp", "endpoint", "flush"], check=True)
    PATH_MANAGER.write_text("1")


def show(name: str, runs: list[Run]) -> None:
    first = [run.first for run in runs]
    middle = statistics.median(run.first / run.timeout for run in runs)
    print(
        f"{name:<34} {statistics.median(first):6.2f} {min(first):6.2f} {max(first):6.2f}"
        f" {middle:9.1f} {statistics.median(run.stall for run in runs):7.2f}"
        f" {statistics.median(run.whole for run in runs):7.2f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    given = parser.parse_args()
    in_lab("wifi=8mbit,20ms", "lte=12mbit,50ms")
    lab = inside()
    head = f"{'first data on LTE after':<34} median    min    max  in RTOs   stall   whole"
    print(head)
    for strategy in (Handover(), Handover(0.4), Handover(standby=True), Handover(0.4, True)):
        show(str(strategy), [transfer(lab, strategy) for _ in range(given.runs)])
    for flags in (("fullmesh",), ("backup",)):
        with kernel_alone(*flags):
            runs = [transfer(lab, None) for _ in range(given.runs)]
        show(f"kernel alone, {flags[0]}", runs)


if __name__ == "__main__":
    main()
