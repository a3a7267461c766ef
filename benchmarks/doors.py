"""What a large body costs behind each door: 1 GiB with a Content-Length, MPTCP over loopback.

    mphttp lab run -- python benchmarks/doors.py

Each contender downloads in a process of its own, in turns, so that what else the machine does hits
all of them: a raw `recv_into` loop, the doors of mphttp, and plain httpx, pycurl and curl made to
speak MPTCP by mptcpize. Prints medians: GB/s, CPU seconds of the client per GB, and the ratio to
the raw loop's throughput, turn by turn.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from loopback import server

from mphttp.network.dial import IPPROTO_MPTCP


def raw(url: str) -> int:
    """Read into one buffer, again and again: as little as a client can do."""
    parts = urlsplit(url)
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)
    with sock:
        sock.connect((parts.hostname, parts.port))
        sock.sendall(f"GET {parts.path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        buffer = bytearray(262144)
        head = b""
        while b"\r\n\r\n" not in head:
            head += sock.recv(65536)
        size = int(parts.path[1:])
        came = len(head.partition(b"\r\n\r\n")[2])
        while came < size:
            came += sock.recv_into(buffer)
        return came


def _counted(parts: Iterable[bytes]) -> int:
    return sum(map(len, parts))


def transport(url: str) -> int:
    """Use MultipathTransport."""
    import httpx

    from mphttp import Deadline, MultipathTransport

    with (
        httpx.Client(transport=MultipathTransport(Deadline(3600)), timeout=60) as client,
        client.stream("GET", url) as response,
    ):
        return _counted(response.iter_raw())


def httpx_plain(url: str) -> int:
    """Use httpx as it is."""
    import httpx

    with httpx.Client(timeout=60, trust_env=False) as client, client.stream("GET", url) as response:
        return _counted(response.iter_raw())


async def _from_async(client: object, url: str) -> int:
    async with client as http, http.stream("GET", url) as response:  # type: ignore[attr-defined]
        came = 0
        async for part in response.aiter_raw():
            came += len(part)
        return came


def transport_async(url: str) -> int:
    """Use AsyncMultipathTransport on asyncio."""
    import httpx

    from mphttp import AsyncMultipathTransport, Deadline

    client = httpx.AsyncClient(transport=AsyncMultipathTransport(Deadline(3600)), timeout=60)
    return asyncio.run(_from_async(client, url))


def transport_trio(url: str) -> int:
    """Use AsyncMultipathTransport on trio."""
    import httpx
    import trio

    from mphttp import AsyncMultipathTransport, Deadline

    client = httpx.AsyncClient(transport=AsyncMultipathTransport(Deadline(3600)), timeout=60)
    return trio.run(_from_async, client, url)


def httpx_async(url: str) -> int:
    """Use httpx.AsyncClient as it is."""
    import httpx

    return asyncio.run(_from_async(httpx.AsyncClient(timeout=60, trust_env=False), url))


def curl_door(url: str) -> int:
    """Use mphttp.curl."""
    from mphttp import Deadline
    from mphttp.curl import fetch

    came = 0

    def count(part: bytes) -> None:
        nonlocal came
        came += len(part)

    fetch(url, Deadline(3600), to=count)
    return came


def requests_door(url: str) -> int:
    """Use MultipathAdapter."""
    import requests

    from mphttp import Deadline
    from mphttp.requests import MultipathAdapter

    with requests.Session() as session:
        session.mount("http://", MultipathAdapter(Deadline(3600)))
        with session.get(url, stream=True) as response:
            return _counted(response.iter_content(262144))


def requests_plain(url: str) -> int:
    """Use requests as it is."""
    import requests

    with requests.get(url, stream=True, timeout=60) as response:
        return _counted(response.iter_content(262144))


def pycurl_plain(url: str) -> int:
    """Use pycurl as it is."""
    import pycurl

    came = 0

    def count(part: bytes) -> None:
        nonlocal came
        came += len(part)

    handle = pycurl.Curl()
    handle.setopt(pycurl.URL, url)
    handle.setopt(pycurl.WRITEFUNCTION, count)
    handle.perform()
    handle.close()
    return came


DOORS: tuple[Callable[[str], int], ...] = (
    transport,
    transport_async,
    transport_trio,
    requests_door,
    curl_door,
)
PLAIN: tuple[Callable[[str], int], ...] = (httpx_plain, httpx_async, requests_plain, pycurl_plain)


def one(name: str, url: str) -> None:
    """Be a contender: warm up, download, and print what it took."""
    download = globals()[name]
    small = url.rpartition("/")[0] + "/1000"
    download(small)  # imports and the engine's thread are there then
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    size = download(url)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"bytes": size, "seconds": seconds, "cpu": cpu}))


def measured(name: str, url: str, *, mptcpize: bool) -> tuple[float, float]:
    """Run a contender; return seconds and CPU seconds."""
    wrapper = ["mptcpize", "run"] if mptcpize else []
    command = [*wrapper, sys.executable, __file__, "--contender", name, "--url", url]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    told = json.loads(out)
    assert told["bytes"] == int(url.rpartition("/")[2])
    return told["seconds"], told["cpu"]


def curl(url: str) -> tuple[float, float]:
    """Run curl; its start counts, too: a few milliseconds."""
    began = time.perf_counter()
    process = subprocess.Popen(["mptcpize", "run", "curl", "-s", "-o", "/dev/null", url])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=2**30, help="bytes of the body")
    parser.add_argument("--rounds", type=int, default=5, help="turns")
    parser.add_argument("--only", nargs="*", default=(), help="names of contenders")
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.contender:
        one(given.contender, given.url)
        return
    contenders: dict[str, Callable[[str], tuple[float, float]]] = {
        "raw": lambda url: measured("raw", url, mptcpize=False),
        **{d.__name__: lambda u, d=d: measured(d.__name__, u, mptcpize=False) for d in DOORS},
        **{p.__name__: lambda u, p=p: measured(p.__name__, u, mptcpize=True) for p in PLAIN},
        "curl": curl,
    }
    chosen = {n: c for n, c in contenders.items() if not given.only or n in {"raw", *given.only}}
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in chosen}
    with server() as (mptcp, _):
        for _ in range(given.rounds):
            for name, run in chosen.items():
                results[name].append(run(f"{mptcp}/{given.size}"))
    print(f"{'':<18} {'GB/s':>7} {'CPU s/GB':>9} {'of raw':>7}  min..max of raw")
    for name, pairs in results.items():
        ratios = [r[0] / p[0] for r, p in zip(results["raw"], pairs, strict=True)]
        rate = given.size / 1e9 / statistics.median(p[0] for p in pairs)
        cpu = statistics.median(p[1] for p in pairs) / given.size * 1e9
        middle, spread = statistics.median(ratios), f"{min(ratios):.2f}..{max(ratios):.2f}"
        print(f"{name:<18} {rate:7.2f} {cpu:9.3f} {middle:7.3f}  {spread}")


if __name__ == "__main__":
    main()
