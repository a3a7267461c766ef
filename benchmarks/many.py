"""A thousand downloads at once in one event loop: memory for each, and the engine's share of CPU.

    mphttp lab run -- python benchmarks/many.py

MPTCP over loopback; every response has a strategy that waits for time and bytes (Deadline and
Refresh, never met). The same is done with a tenth and with a third as many, so that it shows how
what the engine does for each event grows with the number of transfers.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import threading
import time
from pathlib import Path
from typing import Any

import httpx
from loopback import server

from mphttp import AsyncMultipathTransport, Deadline
from mphttp.engine import engine


def resident() -> int:
    """Return this process's memory in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def engine_cpu() -> float:
    """Return the CPU seconds of the engine's thread."""
    (thread,) = (t for t in threading.enumerate() if t.name == "mphttp-engine")
    fields = Path(f"/proc/self/task/{thread.native_id}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


async def download(client: httpx.AsyncClient, url: str, gate: asyncio.Event, begun: Any) -> int:
    """Take the head, wait until all have one, and read the body."""
    async with client.stream("GET", url) as response:
        begun()
        await gate.wait()
        came = 0
        async for part in response.aiter_raw():
            came += len(part)
        assert response.extensions["multipath"].protocol == "mptcp"
        return came


async def measure(origin: str, count: int, size: int) -> tuple[float, float, float, float]:
    """Return bytes of memory for each transfer, CPU seconds (all, engine), and seconds."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    transport = AsyncMultipathTransport(Deadline(3600, grace=0.2), limits=limits, trust_env=False)
    gate, left, ready = asyncio.Event(), count, asyncio.Event()

    def begun() -> None:
        nonlocal left
        left -= 1
        if not left:
            ready.set()

    before, cpu, engines = resident(), time.process_time(), engine_cpu()
    began = time.perf_counter()
    async with httpx.AsyncClient(transport=transport, timeout=120) as client:
        url = f"{origin}/{size}"
        tasks = [asyncio.create_task(download(client, url, gate, begun)) for _ in range(count)]
        await ready.wait()
        memory = (resident() - before) / count
        gate.set()
        assert await asyncio.gather(*tasks) == [size] * count
    seconds = time.perf_counter() - began
    return memory, time.process_time() - cpu, engine_cpu() - engines, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000, help="downloads at once")
    parser.add_argument("--size", type=int, default=1_000_000, help="bytes of each body")
    given = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    engine.start()
    print(f"{'downloads':>9} {'kB each':>8} {'CPU ms each':>12} {'engine ms each':>15} {'s':>6}")
    for count in (given.count // 10, given.count // 3, given.count):
        with server() as (mptcp, _):
            memory, cpu, engines, seconds = asyncio.run(measure(mptcp, count, given.size))
        row = (memory / 1000, cpu * 1000 / count, engines * 1000 / count, seconds)
        print(f"{count:>9} {row[0]:8.1f} {row[1]:12.2f} {row[2]:15.2f} {row[3]:6.2f}")


if __name__ == "__main__":
    main()
