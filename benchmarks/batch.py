"""Many files at once over two paths: `mphttp get -Z`, aria2c -j and curl -Z, in turns.

    python benchmarks/batch.py [--files 100] [--at-once 10] [--rounds 3] [--json FILE]

Files of 1 to 5 MB from the laboratory's origin, over Wi-Fi (30 Mbit/s, 5 ms one way) and LTE (20
Mbit/s, 10 ms). Everybody has the same number of connections; aria2 uses both interfaces, too, and
curl the first alone. CPU is the client's, user and system, for each file. Needs aria2c and curl.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from contenders import by_source_address
from measure import in_lab, origin

LINKS = ("wifi=30mbit,5ms", "lte=20mbit,10ms")
MB = 1_000_000


def sizes(files: int) -> list[int]:
    """Return the sizes of files, each another one, from 1 to 5 MB."""
    return [MB + 4 * MB * number // max(files - 1, 1) for number in range(files)]


def commands(urls: list[str], at_once: int, folder: Path) -> dict[str, list[str]]:
    """Return what is run, by name."""
    listed = folder / "urls"
    listed.write_text("\n".join(urls) + "\n")
    many = str(at_once)
    ours = [sys.executable, "-m", "mphttp", "get", "-sS", "-Z", "--parallel-max", many]
    mphttp = [*ours, "--input-file", str(listed), "--strategy", "fullmesh"]
    aria = ["aria2c", "-q", "-j", many, "-x", "1", "-i", str(listed), "--allow-overwrite=true"]
    return {
        "mphttp get -Z": mphttp,
        "mphttp get -Z --backend curl": [*mphttp, "--backend", "curl"],
        "mphttp get -Z, one path": [*ours, "--input-file", str(listed)],
        "aria2c -j": aria,
        "aria2c -j, both interfaces": [*aria, "--multiple-interface=wifi,lte"],
        "curl -Z": ["curl", "-sS", "-Z", "--parallel-max", many, "--remote-name-all", *urls],
    }


def run(command: list[str], wanted: list[int]) -> tuple[float, float]:
    """Run one in a folder of its own; return its seconds, and those of the CPU."""
    folder = Path(tempfile.mkdtemp())
    try:
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        there = sorted(path.stat().st_size for path in folder.iterdir())
        assert there == wanted, (len(there), len(wanted))
    finally:
        shutil.rmtree(folder)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--at-once", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    in_lab(*LINKS)
    by_source_address()
    wanted = sizes(asked.files)
    with tempfile.TemporaryDirectory() as name:
        urls = [origin(size) for size in wanted]
        made = commands(urls, asked.at_once, Path(name))
        told: dict[str, list[tuple[float, float]]] = {name: [] for name in made}
        for _ in range(asked.rounds):
            for who, command in made.items():
                told[who].append(run(command, wanted))
    print(f"{len(wanted)} files, {sum(wanted) / MB:.0f} MB, {asked.at_once} at once")
    for name, runs in told.items():
        seconds = statistics.median(run[0] for run in runs)
        cpu = statistics.median(run[1] for run in runs) / len(wanted) * 1000
        print(f"{name:30} {seconds:6.1f} s  {cpu:6.1f} ms of CPU a file")
    if asked.json:
        asked.json.write_text(json.dumps({"files": len(wanted), "cores": os.cpu_count(), **told}))


if __name__ == "__main__":
    main()
