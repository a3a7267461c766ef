"""What each path had carried by when: looks at transfers while they are on their way.

with sampled_requests():
    response = client.put(url, content=body)
print(response.extensions["multipath"].samples)
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .engine.request import Request, watching
from .report import Report, Sample

EVERY = 0.1
"""Seconds between two samples."""


@contextmanager
def sampled_requests(every: float = EVERY) -> Iterator[None]:
    """Keep samples in the report of each request that is made while the block runs.

    They begin as the request leaves, so that they tell of an upload, too. They end with the
    response, or with the block. What counts is who makes a request: this thread, or this task.

    Args:
        every: seconds between two samples.
    """
    watched: list[_Watched] = []

    def step() -> None:
        for one in list(watched):
            if not one.step():
                watched.remove(one)

    with _repeated(step, every), watching(lambda request: watched.append(_Watched(request))):
        yield


@contextmanager
def sampled(report: Report, every: float = EVERY) -> Iterator[None]:
    """Keep samples in a report while the block runs; a thread takes them.

    Args:
        report: of a response whose body is read inside the block.
        every: seconds between two samples.
    """
    samples: list[Sample] = []
    report.samples = samples
    with _repeated(lambda: samples.append(_sample(report)), every):
        yield


class _Watched:
    """A request whose transfer is looked at, again and again."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._samples = request.samples = []
        self._report: tuple[object, Report] | None = None

    def step(self) -> bool:
        """Take a sample; return False once the transfer is over."""
        exchange = self._request.exchange
        if exchange is None:
            return True  # it hasn't left yet, or goes on elsewhere
        if self._report is None or self._report[0] is not exchange:
            self._report = exchange, Report(exchange)
            self._samples.clear()
        sample = _sample(self._report[1])
        if self._samples and self._samples[-1].at == sample.at:
            return False
        self._samples.append(sample)
        return True


@contextmanager
def _repeated(step: Callable[[], object], every: float) -> Iterator[None]:
    """Have a thread take a step now and then while the block runs, and one at its end."""
    done = threading.Event()

    def run() -> None:
        ended = False
        while not ended:
            ended = done.wait(every)  # the last sample is taken after the last byte
            step()

    sampler = threading.Thread(target=run, name="mphttp-sampler")
    sampler.start()
    try:
        yield
    finally:
        done.set()
        sampler.join()


def _sample(report: Report) -> Sample:
    received, sent = Counter[str](), Counter[str]()
    for subflow in report.subflows:
        received[subflow.path] += subflow.bytes_received
        sent[subflow.path] += subflow.bytes_sent
    return Sample(report.seconds, dict(received), dict(sent))
