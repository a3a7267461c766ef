"""What each path had brought by when: looks at a response while it is on its way.

with client.stream("GET", url) as response, sampled(response.extensions["multipath"]):
    ...
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from .report import Report, Sample

EVERY = 0.1
"""Seconds between two samples."""


@contextmanager
def sampled(report: Report, every: float = EVERY) -> Iterator[None]:
    """Keep samples in a report while the block runs; a thread takes them.

    Args:
        report: of a response whose body is read inside the block.
        every: seconds between two samples.
    """
    report.samples = []
    done = threading.Event()
    sampler = threading.Thread(target=_take, args=(report, every, done), name="mphttp-sampler")
    sampler.start()
    try:
        yield
    finally:
        done.set()
        sampler.join()


def _take(report: Report, every: float, done: threading.Event) -> None:
    assert report.samples is not None
    ended = False
    while not ended:
        ended = done.wait(every)  # the last sample is taken after the last byte
        report.samples.append(_sample(report))


def _sample(report: Report) -> Sample:
    received = Counter[str]()
    for subflow in report.subflows:
        received[subflow.path] += subflow.bytes_received
    return Sample(report.seconds, dict(received))
