"""Subflows opened and closed at random under downloads of random sizes, while links are cut."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from mphttp import Report, Strategy
from mphttp.lab import LabClient
from mphttp.strategies import Close, Command, CommandFailed, Open, SetBackup, Steps, Transfer, Until

from .downloads import download, url

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.usefixtures("opened")]

DOWNLOADS = 20
SEED = 8684


@dataclass(frozen=True)
class Restless(Strategy):
    """Open, close or pause a subflow at random every 20 to 200 ms."""

    seed: int

    def run(self, transfer: Transfer) -> Steps:
        choice = random.Random(self.seed)
        while True:
            yield Until(elapsed=transfer.elapsed + choice.uniform(0.02, 0.2))
            try:
                yield from self._act(choice, transfer)
            except CommandFailed:
                continue  # cut links are part of the plan

    def _act(self, choice: random.Random, transfer: Transfer) -> Iterator[Command]:
        if len(transfer.subflows) > 1 and choice.random() < 0.5:
            subflow = choice.choice(transfer.subflows)
            yield choice.choice([Close(subflow), SetBackup(subflow, not subflow.backup)])
        elif transfer.paths:
            yield Open(choice.choice(transfer.paths))


@contextmanager
def trouble(lab: LabClient, choice: random.Random) -> Iterator[list[str]]:
    """Cut or silence one of the links now and then, never both, while the block runs."""
    stop = threading.Event()
    done: list[str] = []

    def disturb() -> None:
        while not stop.wait(choice.uniform(0.3, 1)):
            link = choice.choice(["wifi", "lte"])
            fault = choice.choice([lab.cut, lab.blackhole])
            fault(link)
            done.append(f"{fault.__name__} {link}")
            stop.wait(choice.uniform(0.2, 0.8))
            lab.restore(link)

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        yield done
    finally:
        stop.set()
        thread.join()


@pytest.mark.more
@pytest.mark.timeout(180)
def test_a_soak(lab: LabClient) -> None:
    """Every checksum right, every fault the network's, and nothing left behind."""
    choice = random.Random(SEED)
    jobs = [(choice.randrange(2**32), int(10 ** choice.uniform(4, 6.3))) for _ in range(DOWNLOADS)]

    def work(job: tuple[int, int]) -> Report:
        return download(Restless(job[0]), url(job[1]), timeout=60)

    with trouble(lab, choice) as faults, ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(work, jobs))
    assert faults
    assert sum(len(report.subflows) for report in reports) > DOWNLOADS
    problems = [problem.what for report in reports for problem in report.problems]
    assert not [what for what in problems if "itself failed" in what or "ended with" in what]
