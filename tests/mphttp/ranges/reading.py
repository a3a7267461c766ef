"""Reads a body slowly, in a process of its own: `python -m tests.mphttp.ranges.reading URL`.

What it took is told as JSON: bytes of memory before it, the most that there were, the most bytes of
the temporary file, and what was left of that.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import sys
import time
from pathlib import Path

import httpx

from mphttp import MultipathTransport
from mphttp.ranges import plan
from mphttp.strategies import NDiffPorts

_STATUS = Path("/proc/self/status")
_SLOW = 0.0005
"""Seconds that the reader does something else with each part: 1 GiB takes him 4 s at least."""
_RESET_PEAK = "5"  # proc(5), clear_refs


def memory(what: str) -> int:
    """Return bytes of this process: "VmRSS" for now, "VmHWM" for the most."""
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(what))
    return int(line.split()[1]) * 1024


def temporary_file() -> int:
    """Return the bytes of the file that has no name, 0 where there is none."""
    for number in sorted(map(int, os.listdir("/proc/self/fd"))):
        if number <= 2:  # what pytest captures goes to such a file, too
            continue
        with contextlib.suppress(OSError):  # what listed them is closed
            told = os.fstat(number)
            if stat.S_ISREG(told.st_mode) and not told.st_nlink:
                return told.st_blocks * 512
    return 0


def wait_for_the_first() -> None:
    """Never give a first response up: while it is waited for, others bring what comes early."""
    plan._STALLED = 3600.0


def main() -> None:
    """Read once to warm up, and once to measure."""
    wait_for_the_first()
    url = sys.argv[1]
    transport = MultipathTransport(NDiffPorts(2), multipath="ranges", verify=False)
    with httpx.Client(transport=transport, timeout=60) as client:
        client.get(f"{url}small")
        before = memory("VmRSS")
        Path("/proc/self/clear_refs").write_text(_RESET_PEAK)
        told, file = hashlib.sha256(), 0
        with client.stream("GET", f"{url}large") as response:
            for number, chunk in enumerate(response.iter_raw()):
                told.update(chunk)
                time.sleep(_SLOW)
                if number % 64 == 0:
                    file = max(file, temporary_file())
            report = response.extensions["multipath"]
        most, left = memory("VmHWM"), temporary_file()
    print(
        json.dumps(
            {
                "sha256": told.hexdigest(),
                "before": before,
                "most": most,
                "file": file,
                "left": left,
                "carried": [subflow.bytes_received for subflow in report.subflows],
            }
        )
    )


if __name__ == "__main__":
    main()
