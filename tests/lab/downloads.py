"""Verified downloads inside the lab, with a fault in the middle where a test wants one."""

from __future__ import annotations

import hashlib
import json
import os
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from mphttp import MultipathTransport, Report, Strategy
from mphttp.lab import names
from mphttp.lab.content import sha256_of

WITHOUT_PRIVILEGE = (
    sys.executable,
    "-c",
    "from mphttp.lab import linux; linux.drop_privileges(); "  # noqa: ISC004  one program
    "import os, sys; os.execv(sys.argv[1], sys.argv[1:])",
)
"""Runs a command that has no capability at all."""

Condition = Callable[[Report], bool]


@dataclass(frozen=True)
class Fault:
    """What happens once, as soon as the report says that something holds."""

    when: Condition
    then: Callable[[], object]


def carries(path: str, amount: int = 50_000) -> Condition:
    """Hold when a path has brought so many bytes."""
    return lambda report: carried(report, path) >= amount


def has_problem(report: Report) -> bool:
    return bool(report.problems)


def carried(report: Report, path: str) -> int:
    """Return the bytes that all subflows on a path have brought."""
    return sum(subflow.bytes_received for subflow in report.subflows if subflow.path == path)


def url(size: int, *, kind: str = "bytes", origin: str = names.ORIGIN) -> str:
    return f"{os.environ[origin]}/{kind}/{size}"


def make_client(
    strategy: Strategy | None = None, *, timeout: float = 30, **options: Any
) -> httpx.Client:
    """Make a client that trusts the lab's certificate."""
    trust = ssl.create_default_context(cafile=os.environ[names.CA])
    transport = MultipathTransport(strategy, **{"verify": trust, **options})
    return httpx.Client(transport=transport, timeout=timeout)


def fetch(client: httpx.Client, address: str, *faults: Fault, **options: Any) -> Report:
    """Read a body of the lab's origin, hold it against its known checksum, and return the report.

    Faults happen in the order given; each must have happened before the body was whole.
    """
    pending = list(faults)
    digest = hashlib.sha256()
    with client.stream("GET", address, **options) as response:
        report: Report = response.extensions["multipath"]
        for chunk in response.iter_raw():
            digest.update(chunk)
            if pending and pending[0].when(report):
                pending.pop(0).then()
    assert not pending, f"the body came before the fault: {report.to_json()}"
    size = size_in(address)
    assert digest.digest() == sha256_of(size)
    assert report.bytes == size
    report.wait()
    return report


def size_in(address: str) -> int:
    """Read the body's size in a URL of the origin."""
    return int(address.rpartition("/")[2].partition("?")[0])


def download(strategy: Strategy | None, address: str, *faults: Fault, **options: Any) -> Report:
    """Do the same over a new connection."""
    with make_client(strategy, **options) as client:
        return fetch(client, address, *faults)


def get(address: str, *options: str, through: Sequence[str] = ()) -> dict[str, Any]:
    """Run `mphttp get` in a process of its own, check the body, and return the report."""
    with tempfile.TemporaryDirectory() as folder:
        file, report = Path(folder, "body"), Path(folder, "report")
        command = [sys.executable, "-m", "mphttp", "get", *options, address]
        outputs = ["--output", str(file), "--report", str(report)]
        subprocess.run([*through, *command, *outputs], check=True, stderr=subprocess.DEVNULL)
        assert hashlib.sha256(file.read_bytes()).digest() == sha256_of(size_in(address))
        told: dict[str, Any] = json.loads(report.read_text())
    return told
