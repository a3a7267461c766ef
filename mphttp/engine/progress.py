"""How much of a request's body the peer has: what it acknowledged counts, not what was written."""

from __future__ import annotations

import math
from typing import NamedTuple

_SOONEST = 0.005
_LATEST = 0.2
"""Seconds until the next look at an upload of which the strategy awaits some byte."""


class Seen(NamedTuple):
    """What a strategy sees of a transfer at some moment.

    Args:
        received: bytes that the peer has acknowledged, or the application has read.
        length: bytes of both bodies in all, or None.
        answered: whether the response's head is there.
        sent: bytes of the request's body that the peer has acknowledged.
        complete: whether the application has given all of the request.
    """

    received: int
    length: int | None
    answered: bool
    sent: int
    complete: bool


class Progress:
    """One request's way out. Pure; times are the engine's clock, in seconds.

    Args:
        length: bytes of its body, None where nobody knows.
        now: the time as it begins to leave.

    Attributes:
        length: the same.
        written: bytes of the body that the application has given so far.
        acknowledged: bytes of it that the peer has.
        complete: whether all of the request was written.
        queued: bytes that are written and not acknowledged, as far as is known.
        answered: whether the response's head is there.
        counts: whether the strategy was at work before the response's head came, so that these
            bytes are a part of what it sees.
        owed_since: since when the peer owes something: that it acknowledges, or that it answers.
    """

    def __init__(self, length: int | None, now: float) -> None:
        self.length = length
        self.written = 0
        self.acknowledged = 0
        self.complete = length == 0
        self.queued = 0
        self.answered = False
        self.counts = False
        self.owed_since = now

    @property
    def counted(self) -> int:
        """Bytes that are a part of what the strategy sees."""
        return self.acknowledged if self.counts else 0

    @property
    def sending(self) -> bool:
        """Whether the strategy watches bytes that the peer doesn't have yet."""
        return self.counts and not (self.complete and self.acknowledged >= self.written)

    def take(self, acknowledged: int | None, queued: int | None, now: float) -> None:
        """Take what the kernel tells.

        Args:
            acknowledged: bytes that the peer has acknowledged since the request began, those of
                its head and of other requests among them; None where that isn't known.
            queued: bytes that were written to the connection and aren't acknowledged, or None.
            now: the time.
        """
        self.queued = queued or 0
        if acknowledged is None or queued is None:
            return
        known = min(acknowledged, self.written - queued)
        self.acknowledged = max(self.acknowledged, min(known, self.written))
        if not queued and not self.complete and self.acknowledged >= self.written:
            self.owed_since = now

    def total(self, length: int | None) -> int | None:
        """Return the bytes of both bodies as far as they are known to come, or None.

        Args:
            length: bytes of the response's body, or None.
        """
        if not self.counts:
            return length
        own = self.written if self.complete else self.length
        if own is None or (self.answered and length is None):
            return None
        return own + (length or 0)

    def next_look(self, wanted: float, began_at: float, now: float) -> float:
        """Return when so many bytes may be acknowledged.

        Args:
            wanted: how many.
            began_at: when the request began to leave.
            now: the time.
        """
        rate = self.acknowledged / max(now - began_at, 1e-6)
        left = max(0.0, wanted - self.acknowledged)
        wait = left / rate if rate else math.inf
        return now + min(max(wait, _SOONEST), _LATEST)
