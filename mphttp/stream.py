"""Objects one after the other, each with a deadline: what a video player asks for (paper, 4.2).

    with httpx.Client(transport=MultipathTransport()) as client:
        for chunk in chunks(client, urls, period=2.0):
            play(chunk.content)

The second path is opened when a chunk is in danger, and then stays as a backup on the connection,
so that the next chunk that needs it has it without a handshake.

A chunk may be had in several sizes, best first: `[("1080p/1.ts", "480p/1.ts"), …]`. As soon as it
is known that one can't be there in time, whatever is done, the next smaller one is asked for.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from mphttp.report import Report
from mphttp.strategies import Deadline

_SHORTEST = 0.05
"""Seconds of a deadline that is over already: as soon as possible."""


@dataclass
class Playback:
    """When chunks are asked for, and when they are due; playback waits for one that is late.

    No clock is in here: `now` is in seconds of any clock that never goes back.

    Args:
        period: seconds of playback in a chunk.
        ahead: seconds before a chunk is due at which it is asked for, at the earliest.
        due: when the next chunk is due.
        late: how many were late.
    """

    period: float
    ahead: float
    due: float
    late: int = 0

    @classmethod
    def starting(cls, now: float, period: float, ahead: float | None = None) -> Playback:
        """Begin: the first chunk is due `ahead` from now."""
        ahead = period if ahead is None else ahead
        return cls(period, ahead, now + ahead)

    def wait(self, now: float) -> float:
        """Return the seconds until the next chunk is asked for."""
        return max(0.0, self.due - self.ahead - now)

    def deadline(self, now: float) -> float:
        """Return the seconds that the next chunk has."""
        return max(_SHORTEST, self.due - now)

    def arrived(self, now: float) -> bool:
        """Record that the chunk is there; return whether it was in time."""
        in_time = now <= self.due
        self.late += not in_time
        self.due = max(self.due, now) + self.period
        return in_time


@dataclass(frozen=True)
class Chunk:
    """One object of a stream.

    Args:
        url: what was asked for.
        content: its body.
        deadline: seconds that it had.
        seconds: that it took.
        in_time: whether it was there when it was due.
        report: what happened.
    """

    url: str
    content: bytes
    deadline: float
    seconds: float
    in_time: bool
    report: Report


def chunks(
    client: httpx.Client,
    urls: Iterable[str | Sequence[str]],
    *,
    period: float = 2.0,
    ahead: float | None = None,
    **options: Any,
) -> Iterator[Chunk]:
    """Get objects of a stream, each in time for its playback.

    Args:
        client: whose transport is a `MultipathTransport`; one connection serves all.
        urls: the objects, in order; of each one or more, the best first.
        period: seconds of playback in each.
        ahead: seconds before it is due at which an object is asked for; None is one period.
        options: of `Deadline`, such as `margin`; `keep` is True unless it is given.

    Yields:
        each object as soon as it is there.

    Raises:
        httpx.HTTPError: one couldn't be had.
    """
    playback = Playback.starting(time.monotonic(), period, ahead)
    for one in urls:
        time.sleep(playback.wait(time.monotonic()))
        asked = time.monotonic()
        sizes = [one] if isinstance(one, str) else list(one)
        while True:
            url, deadline = sizes.pop(0), playback.deadline(time.monotonic())
            decides = Deadline(deadline, **{"keep": True, **options})
            content, report = _get(client, url, decides, to_the_end=not sizes)
            if content is not None:
                break
        now = time.monotonic()
        in_time = playback.arrived(now)
        yield Chunk(url, content, deadline, now - asked, in_time, report)


def _get(
    client: httpx.Client, url: str, strategy: Deadline, *, to_the_end: bool
) -> tuple[bytes | None, Report]:
    """Get an object; None where it is given up, since it can't be there in time."""
    content = bytearray()
    with client.stream("GET", url, extensions={"strategy": strategy}) as response:
        response.raise_for_status()
        report: Report = response.extensions["multipath"]
        for piece in response.iter_bytes():
            content += piece
            if not to_the_end and report.deadline is not None and report.deadline.expected:
                return None, report
    return bytes(content), report
