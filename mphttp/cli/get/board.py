"""Several downloads at once, as values: a row for each, and a total."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from mphttp.report import Report

from ..units import words_for_rate, words_for_size
from .bars import Smoothed, percent, time_left
from .jobs import Job


@dataclass(slots=True)
class Row:
    """One download that is under way.

    Args:
        name: for people.
        report: what has happened.
        rate: bytes a second, smoothed.
    """

    name: str
    report: Report
    rate: Smoothed = field(default_factory=Smoothed)

    def cells(self) -> tuple[str, str, str, str, str]:
        """Return name, part of the whole, size, rate and time left, for people."""
        report, rate = self.report, self.rate.step(self.report.bytes, self.report.seconds)
        left = time_left(report.bytes, report.length, rate)
        part = percent(report.bytes, report.length)
        return self.name, part, words_for_size(report.bytes), words_for_rate(rate), left


class Board:
    """What is under way and what is done; any thread may tell it.

    Args:
        count: how many downloads there are.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._lock = threading.Lock()
        self._running: dict[int, Row] = {}
        self._done = 0
        self._failed = 0
        self._bytes = 0
        self._rate = Smoothed()
        self._began = time.monotonic()

    @contextmanager
    def shown(self, job: Job, report: Report) -> Iterator[None]:
        """Have a download among the rows while the block runs."""
        name = job.output if job.output != "-" else str(job.message.url.copy_with(userinfo=b""))
        with self._lock:
            self._running[job.number] = Row(name, report)
        try:
            yield
        finally:
            with self._lock:
                del self._running[job.number]
                self._bytes += report.bytes

    def ended(self, code: int) -> None:
        """Count a download that has ended."""
        with self._lock:
            self._done += 1
            self._failed += bool(code)

    def rows(self) -> list[Row]:
        """Return what is under way, the oldest first."""
        with self._lock:
            return list(self._running.values())

    def total(self) -> str:
        """Return the line below: how many are done, and all their bytes and rates together."""
        with self._lock:
            size = self._bytes + sum(row.report.bytes for row in self._running.values())
            done, failed, running = self._done, self._failed, len(self._running)
        seconds = time.monotonic() - self._began
        rate = words_for_rate(self._rate.step(size, seconds))
        wrong = f", {failed} failed" if failed else ""
        return (
            f"{done} of {self._count} done{wrong}, {running} under way, "
            f"{words_for_size(size)}, {rate}, {seconds:.1f} s"
        )
