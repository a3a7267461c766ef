"""Which attempts to connect begin when, and which one wins (Happy Eyeballs, RFC 8305). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest
from typing import Generic, Protocol, TypeVar

from .socket_types import Entry

ATTEMPT_DELAY = 0.25
"""Seconds after which the next attempt begins beside those without an answer (RFC 8305, 8)."""
PATIENCE = 0.5
"""Seconds for which a path that answers waits for one that is preferred to it.

With it, a preferred path is used whose round trip takes longer than `ATTEMPT_DELAY`.
"""

COSTLY_AFTER = 1.5
"""Seconds before which no attempt begins on a path that costs money beside one that doesn't.

By then a SYN that was lost has been sent a second time (RFC 6298, 2.1), and answered.
"""


class Ranked(Protocol):
    """An attempt to connect."""

    @property
    def costly(self) -> bool:
        """Whether its path costs money, while others don't."""

    @property
    def rank(self) -> int:
        """How preferred its path is, the lowest most; attempts on one path are equal."""


R = TypeVar("R", bound=Ranked)


class Race(Generic[R]):
    """Attempts under way, of which one will win.

    Args:
        attempts: what may be tried, in this order; each is taken when its turn has come.
        now: time in seconds, as in all methods.
    """

    def __init__(self, attempts: Iterable[R], now: float) -> None:
        self._left = iter(attempts)
        self._held: R | None = None
        self._costly_from = now + COSTLY_AFTER
        self._more = True
        self._under_way: list[R] = []
        self._connected: list[R] = []
        self._next_at = now
        self._patient_until = now + PATIENCE

    def begin(self, now: float) -> R | None:
        """Return an attempt that is to begin now, or None."""
        if not self._more or self._connected or now < self._next_at:
            return None
        attempt, self._held = self._held or next(self._left, None), None
        if attempt is None:
            self._more = False
        elif attempt.costly and self._under_way and now < self._costly_from:
            self._held, self._next_at = attempt, self._costly_from
            return None
        else:
            self._under_way.append(attempt)
            self._next_at = now + ATTEMPT_DELAY
        return attempt

    def failed(self, attempt: R, now: float) -> None:
        """Record that an attempt came to nothing: the next needn't wait any longer."""
        self._under_way.remove(attempt)
        self._next_at = now

    def connected(self, attempt: R) -> None:
        """Record that an attempt was answered."""
        self._under_way.remove(attempt)
        self._connected.append(attempt)

    def winner(self, now: float) -> R | None:
        """Return the attempt whose connection is to be used, once that is known."""
        if not self._connected:
            return None
        best = min(self._connected, key=lambda attempt: attempt.rank)
        hoped_for = any(attempt.rank < best.rank for attempt in self._under_way)
        return None if hoped_for and now < self._patient_until else best

    @property
    def lost(self) -> bool:
        """Whether nothing is under way, or could be."""
        return not (self._more or self._under_way or self._connected)

    def wait(self, now: float) -> float | None:
        """Return the seconds after which there is something to do though nothing happens."""
        if self._connected:
            return max(0.0, self._patient_until - now)
        return max(0.0, self._next_at - now) if self._more else None


def interleaved(found: Iterable[Entry]) -> Sequence[Entry]:
    """Return addresses, each once, families in turn, the first one's first (RFC 8305, section 4).

    Args:
        found: what `getaddrinfo` gave.
    """
    by_family: dict[int, list[Entry]] = {}
    for entry in dict.fromkeys(found):  # a file of hosts may name one twice
        by_family.setdefault(entry[0], []).append(entry)
    in_turn = chain.from_iterable(zip_longest(*by_family.values()))
    return [entry for entry in in_turn if entry is not None]
