"""Who takes part in rivals.py, each in a process of its own: returns seconds and CPU seconds.

Programs count from their start; Python doesn't count its imports, which are a third of a second.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mphttp import Deadline, DelayedByContentLength, FullMesh, Refresh, SinglePath, Strategy
from mphttp.lab import names

Contender = Callable[[str], tuple[float, float]]

SIZE = 10_000_000
METERED = "lte"
STRATEGIES: Mapping[str, Strategy] = {
    "one path": SinglePath(),
    "full mesh": FullMesh(),
    "delayed": DelayedByContentLength(),
    "deadline 7 s": Deadline(7),
    "deadline 9 s": Deadline(9),
    "refresh 2.5 MB": Refresh(2_500_000),
}
_NEEDED = {"curl": "curl", "mptcpize": "mptcpize", "aria2c": "aria2", "axel": "axel"}
_PATH_MANAGER = Path("/proc/sys/net/mptcp/pm_type")


def check_programs() -> None:
    """See to it that the programs are there.

    Raises:
        SystemExit: some are missing.
    """
    missing = [package for name, package in _NEEDED.items() if not shutil.which(name)]
    if missing:
        install = f"sudo apt-get install --no-install-recommends {' '.join(missing)}"
        raise SystemExit(f"error: programs are missing\nhint: {install}")


# What a contender does in its own process, in Python.


def by_httpx(strategy: Strategy | None, url: str) -> Callable[[], int]:
    """Use MultipathTransport, or httpx as it is."""
    import httpx

    from mphttp import MultipathTransport
    from mphttp.engine import engine

    if strategy is not None:
        engine.start()
    transport = httpx.HTTPTransport() if strategy is None else MultipathTransport(strategy)

    def download() -> int:
        with (
            httpx.Client(transport=transport, timeout=60) as client,
            client.stream("GET", url) as r,
        ):
            return sum(map(len, r.iter_raw()))

    return download


def by_curl(strategy: Strategy | None, url: str) -> Callable[[], int]:
    """Use mphttp.curl."""
    from mphttp.curl import fetch
    from mphttp.engine import engine

    engine.start()
    came = bytearray()

    def download() -> int:
        fetch(url, strategy, to=came.extend)
        return len(came)

    return download


def one(door: str, strategy: str, url: str) -> None:
    """Be a contender: import all, download, and print what it took."""
    made = STRATEGIES.get(strategy)
    download = by_curl(made, url) if door == "curl" else by_httpx(made, url)
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    size = download()
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    assert size == SIZE
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps([seconds, cpu]))


def python(door: str, strategy: str, url: str) -> tuple[float, float]:
    """Run one of these."""
    command = [sys.executable, __file__, door, strategy, url]
    told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return told[0], told[1]


# And the programs.


def program(*command: str, **environment: str) -> tuple[float, float]:
    """Run a program; return seconds and CPU seconds."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, **environment})
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime


def curl(url: str) -> tuple[float, float]:
    """Use curl, over one path."""
    return program("curl", "-sSf", "-o", "/dev/null", url)


def kernel_full_mesh(url: str) -> tuple[float, float]:
    """Use curl under the in-kernel path manager."""
    _PATH_MANAGER.write_text("0")
    try:
        return program("mptcpize", "run", "curl", "-sSf", "-o", "/dev/null", url)
    finally:
        _PATH_MANAGER.write_text("1")


def aria2(url: str, size: int = SIZE) -> tuple[float, float]:
    """Use aria2 with all that it has: 16 connections over both interfaces."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["-q", "-x16", "-s16", "-k1M", "--file-allocation=none", "-d", folder]
        options += [f"--ca-certificate={os.environ['SSL_CERT_FILE']}"]
        took = program("aria2c", *options, "--multiple-interface=wifi,lte", "-o", "body", url)
        assert Path(folder, "body").stat().st_size == size
        return took


def axel(url: str) -> tuple[float, float]:
    """Use axel with 16 connections; its manual promises more interfaces by ~/.axelrc."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, ".axelrc").write_text("interfaces = wifi lte\n")
        took = program("axel", "-q", "-n", "16", "-o", f"{folder}/body", url, HOME=folder)
        assert Path(folder, "body").stat().st_size == SIZE
        return took


@contextmanager
def by_source_address() -> Iterator[None]:
    """Send what has LTE's address by LTE, as programs that only bind to an address need it."""
    rule = ["from", names.client_address(1), "lookup", "101"]
    route = ["default", "via", names.gateway_address(1), "dev", METERED, "table", "101"]
    subprocess.run(["ip", "rule", "add", *rule], check=True)
    subprocess.run(["ip", "route", "add", *route], check=True)
    yield
    subprocess.run(["ip", "rule", "delete", *rule], check=True)


def contenders() -> dict[str, Contender]:
    """Return who takes part, by name."""
    ours = {
        f"mphttp, {door}: {strategy}": lambda url, d=door, s=strategy: python(d, s, url)
        for door in ("httpx", "curl")
        for strategy in STRATEGIES
    }
    return {
        "curl, one path": curl,
        "httpx, one path": lambda url: python("httpx", "", url),
        "axel -n 16": axel,
        "aria2c -x16 -s16, both paths": aria2,
        "kernel full mesh, curl": kernel_full_mesh,
        **ours,
    }


if __name__ == "__main__":
    one(*sys.argv[1:])
