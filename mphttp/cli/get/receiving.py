"""Receiving one body: as fast as it may come, within its limits, with progress beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext

import httpx

from mphttp import Report

from ..environment import Environment
from ..exits import ExitCode, Failure
from ..interrupt import Limit
from .body import Body
from .decode import decoded
from .jobs import Job
from .limited import seconds_too_many
from .pace import Pace
from .settings import Settings
from .verbose import Verbose

Show = Callable[[Job, Report], AbstractContextManager[None]]
"""Shows the progress of a download while a block runs."""


class Receiving:
    """What is done with each piece of a body.

    Args:
        settings: what the command line asks for.
        environment: where it waits and tells.
        job: what is downloaded.
        limit: of the time that it may take.
        remark: tells people what they should know.
        show: shows progress.
        verbose: tells events, or None.
    """

    def __init__(
        self,
        settings: Settings,
        environment: Environment,
        job: Job,
        *,
        limit: Limit,
        remark: Callable[[str], None],
        show: Show,
        verbose: Verbose | None,
    ) -> None:
        self._settings = settings
        self._environment = environment
        self._job = job
        self._limit = limit
        self._remark = remark
        self._show = show
        self._verbose = verbose

    @property
    def on_terminal(self) -> bool:
        """Whether the body goes to a terminal."""
        return self._job.output == "-" and self._environment.stdout.isatty()

    def run(self, response: httpx.Response, report: Report, body: Body, skip: int) -> None:
        """Receive a body.

        Args:
            response: with an unread stream.
            report: its report.
            body: takes it.
            skip: bytes at its beginning that are there already.

        Raises:
            Failure: it can't be had, or isn't wanted.
        """
        most = self._settings.max_filesize
        with self._progress(report):
            _check_size(report.length or 0, most)
            for chunk in self._paced(self._chunks(response), report):
                self._limit.require()
                self._check_text(chunk)
                body.write(chunk[skip:])
                if most:
                    _check_size(body.held.size, most)
                skip = max(0, skip - len(chunk))
                if self._verbose:
                    self._verbose.events(report)
        if skip:
            raise Failure(ExitCode.RANGE, f"the object ends {skip} bytes before the offset")

    def _paced(self, chunks: Iterator[bytes], report: Report) -> Iterator[bytes]:
        """Yield pieces no faster than --limit-rate, by the bytes on the wire."""
        rate = self._settings.limit_rate
        if not rate:
            yield from chunks
            return
        self._tell_of_rate(report, rate)
        pace, paced = Pace(rate, time.monotonic()), 0
        for chunk in chunks:
            yield chunk
            self._environment.sleep(pace.wait(report.bytes - paced, time.monotonic()))
            paced = report.bytes

    def _tell_of_rate(self, report: Report, rate: int) -> None:
        deadline = report.deadline.seconds if report.deadline else None
        seconds = seconds_too_many(report.length, rate, deadline)
        if seconds is not None:
            late = f"the deadline of {deadline:g} s can't be met"
            self._remark(f"--limit-rate makes this take {seconds:.1f} s: {late}")

    def _check_text(self, chunk: bytes) -> None:
        """Let nothing onto a terminal that is no text, unless -o - asks for it."""
        if self.on_terminal and not self._job.asked_for and b"\0" in chunk:
            what = "the body is no text, and standard output is a terminal"
            hint = "-o FILE or -O writes a file; -o - writes to the terminal in any case"
            raise Failure(ExitCode.WRITE, what, hint)

    def _chunks(self, response: httpx.Response) -> Iterator[bytes]:
        return decoded(response) if self._job.message.compressed else response.iter_raw()

    def _progress(self, report: Report) -> AbstractContextManager[None]:
        settings = self._settings
        unwanted = self._verbose or settings.silent or settings.no_progress_meter
        if unwanted or not self._environment.stderr.isatty() or self.on_terminal:
            return nullcontext()
        return self._show(self._job, report)


def _check_size(size: int, most: int | None) -> None:
    if most and size > most:
        raise Failure(ExitCode.LARGE, f"the body has more than {most} bytes (--max-filesize)")
