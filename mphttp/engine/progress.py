"""How much of a request's body the peer has: what it acknowledged counts, not what was written."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

_SOONEST = 0.005
_LATEST = 0.2
"""Seconds until the next look at an upload of which the strategy awaits some byte."""
_BLUR = 64 * 1024
"""Bytes within which it can't be told where a body ends that others follow: TLS's and HTTP/2's own
bytes are among those that aren't acknowledged, and a record that has left in part counts twice."""


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


@dataclass
class Outgoing:
    """What leaves over one connection: bytes of all its requests' bodies, one after the other.

    Args:
        given: bytes that the applications have given.
        held: tells how many bytes, of the last, weren't given to the kernel yet.
    """

    given: int = 0
    held: Callable[[], int] = int


@dataclass
class _Piece:
    """Bytes of one request's body that leave with no other's between them.

    Args:
        end: of all that leaves over the connection, the byte after its last.
        written: the same of the request's body.
    """

    end: int
    written: int


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
        self._pieces: deque[_Piece] = deque()  # those that aren't acknowledged
        self._arrived = 0  # bytes of the pieces before these

    def wrote(self, size: int, outgoing: Outgoing) -> None:
        """Record that bytes of the body are about to leave."""
        begin = outgoing.given
        outgoing.given += size
        self.written += size
        if self._pieces and self._pieces[-1].end == begin:
            self._pieces[-1] = _Piece(outgoing.given, self.written)
        else:
            self._pieces.append(_Piece(outgoing.given, self.written))

    @property
    def counted(self) -> int:
        """Bytes that are a part of what the strategy sees."""
        return self.acknowledged if self.counts else 0

    @property
    def sending(self) -> bool:
        """Whether the strategy watches bytes that the peer doesn't have yet."""
        return self.counts and not (self.complete and self.acknowledged >= self.written)

    def take(self, acknowledged: int | None, queued: int | None, given: int, now: float) -> None:
        """Record what the kernel tells.

        Args:
            acknowledged: bytes that the peer has acknowledged since the request began, those of
                its head and of other requests among them; None where that isn't known.
            queued: of the last bytes that were given to the connection, how many aren't
                acknowledged, or None.
            given: bytes of all requests' bodies that had been given to it just before that.
            now: the time.
        """
        self.queued = queued or 0
        if acknowledged is None or queued is None:
            return
        known = min(acknowledged, self._arrived_of(given - queued), self.written)
        self.acknowledged = max(self.acknowledged, known)
        if self.acknowledged >= self.written and (self.written or not queued) and not self.complete:
            self.owed_since = now

    def accepted(self, outgoing: Outgoing) -> None:
        """Record that the peer has answered the whole of it, and not by an error."""
        others = self._pieces and outgoing.given > self._pieces[-1].end
        if self.complete and others and self.written - self.acknowledged < _BLUR:
            self.acknowledged = self.written

    def _arrived_of(self, arrived: int) -> int:
        """Return how many bytes of this body are among the first that left over the connection."""
        while self._pieces and self._pieces[0].end <= arrived:
            self._arrived = self._pieces.popleft().written
        if not self._pieces:
            return self._arrived
        first = self._pieces[0]
        return max(self._arrived, first.written - (first.end - arrived))

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
