"""Downloads by every client in turn while links, the server, the broker and the kernel misbehave.

    python benchmarks/soak.py [--minutes 30 | --downloads 300] [--seed N]

Four at a time, over nginx: httpx, asyncio, requests, curl, HTTP/2, and ranges; with strategies that
open and close subflows. Meanwhile links are cut, blackholed, slowed down, reset or renamed, the
path manager is switched to the kernel's and back, and nginx and the broker are stopped (SIGSTOP).
A process without privilege does the same through the broker. Every SHA-256 must be right, no thread
or descriptor be left, and no memory be kept that isn't free (soak_memory.py says how that is told
from what the C library keeps for later; both figures are printed). What fails since both paths were
unlucky is begun again, and told. The seed is printed and can be given: it settles what is done, not
when.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import nginx
from measure import in_lab
from soak_clients import SIZES, Tally, download
from soak_faults import Faults
from soak_memory import Held, held

from mphttp.lab.client import inside

LINKS = ("wifi", "lte")
WARM = 200
"""Downloads before the first look; the heaps of many threads take more than that to be full."""
ROUNDS = 6
"""After each of them, between downloads, it is told what the process holds."""


def run(tally: Tally, seed: int, numbers: Iterator[int], end: float) -> None:
    """Do downloads, four at a time.

    Args:
        tally: is told what came of them.
        seed: of all choices.
        numbers: of the downloads.
        end: when no more begin, of `time.monotonic`.
    """
    lock = threading.Lock()

    def work(_: int) -> None:
        while time.monotonic() < end:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            download(tally, number, seed + number)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))


@contextmanager
def broker() -> Iterator[tuple[int, str]]:
    """Run a broker; give its process id, and where it listens."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        path = f"{folder}/broker.sock"
        command = [sys.executable, "-m", "mphttp.broker", "--socket", path]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            while not os.path.exists(path):
                time.sleep(0.02)
            try:
                yield process.pid, path
            finally:
                process.terminate()


@contextmanager
def ordinary(path: str, seed: int, told: list[str]) -> Iterator[None]:
    """Let a process without privilege do downloads until the end of the block."""
    program = "from mphttp.lab import linux; linux.drop_privileges(); import os, sys; "
    program += "os.execv(sys.argv[1], sys.argv[1:])"
    command = [sys.executable, "-c", program, sys.executable, __file__, "--ordinary"]
    command += ["--seed", str(seed)]
    environment = {**os.environ, "MPHTTP_BROKER": path}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, text=True, **pipes) as process:
        try:
            yield
        finally:
            told.append(process.communicate("end")[0])


def be_ordinary(seed: int) -> None:
    """Be that process: one download after the other, until standard input ends."""
    tally, end = Tally(), threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), end.set()), daemon=True).start()
    for number in itertools.count():
        if end.is_set():
            break
        download(tally, number, seed + number)
    print(json.dumps({"lines": list(tally.lines()), "wrong": tally.wrong}))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--downloads", type=int)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--ordinary", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.ordinary:
        be_ordinary(given.seed)
        return 0
    in_lab("wifi=60mbit,5ms", "lte=40mbit,15ms", server_subflow_limit=8)
    print(f"seed {given.seed}", flush=True)
    count = given.downloads or (None if given.minutes else 300)
    return soak(given.seed, count, 60 * given.minutes if given.minutes else 3600.0)


def soak(seed: int, count: int | None, seconds: float) -> int:
    """Do it all; return the exit status."""
    tally, told = Tally(), list[str]()
    began = time.monotonic()
    with nginx.both(inside(), *SIZES) as servers, broker() as (process, path):
        pids = [server.pid for server in servers]
        with Faults(LINKS, pids, process, seed) as faults, ordinary(path, seed, told):
            looks = list(rounds(tally, seed, count, began + seconds))
        looks.append(held())  # and without faults
    other = json.loads(told[0])
    print(f"{time.monotonic() - began:.0f} s; faults: {dict(faults.done)}")
    print(*tally.lines(), "without privilege, through the broker:", *other["lines"], sep="\n")
    leaked = looks[-1].leaked(since=looks[1])
    print(f"in the end: {looks[-1]}", f"grown since the second look: {leaked}", sep="\n")
    return 1 if leaked or tally.wrong or other["wrong"] else 0


def rounds(tally: Tally, seed: int, count: int | None, end: float) -> Iterator[Held]:
    """Do the downloads; tell what the process holds once it is warm, and after each round."""
    numbers = itertools.count()
    run(tally, seed, itertools.islice(numbers, WARM), end)
    left, seconds = max(0, (count or 0) - WARM), (end - time.monotonic()) / ROUNDS
    for number in range(ROUNDS + 1):
        look = held()
        print(f"after {sum(tally.done.values())} downloads: {look}", flush=True)
        yield look
        if number < ROUNDS:
            share = left * (number + 1) // ROUNDS - left * number // ROUNDS
            some = numbers if count is None else itertools.islice(numbers, share)
            run(tally, seed, some, end - (ROUNDS - 1 - number) * seconds)


if __name__ == "__main__":
    raise SystemExit(main())
