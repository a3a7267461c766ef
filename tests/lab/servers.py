"""Servers of others that tests start beside the lab's origin."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mphttp.lab import LabClient

from .leaks import eventually

WITH_MPTCP = ("mptcpize", "run")
"""Lets a command's sockets be MPTCP where it asks for TCP."""

_LISTENS = "0A"  # include/net/tcp_states.h


@contextmanager
def serving(
    lab: LabClient, command: Sequence[str], *ports: int, **options: Any
) -> Iterator[subprocess.Popen[Any]]:
    """Run a command in the server's namespace, from when it listens to the end of the block."""
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options}
    with lab.in_server(command, **options) as process:
        try:
            eventually(lambda: process.poll() is None and ports_of(process) >= set(ports), True)
            yield process
        finally:
            process.terminate()


def ports_of(process: subprocess.Popen[Any]) -> set[int]:
    """Return the ports on which somebody listens where a process is."""
    lines = [
        line.split()
        for family in ("tcp", "tcp6")
        for line in Path(f"/proc/{process.pid}/net", family).read_text().splitlines()[1:]
    ]
    return {int(fields[1].rpartition(":")[2], 16) for fields in lines if fields[3] == _LISTENS}
