"""What a peer has put into its paths' queues, and can't take out of them for another path."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .simulated_path import Carrier

RESENT_AFTER = 1.0
"""Seconds of silence after which what is queued comes over another path (lab, see Handover)."""


class Queues:
    """The queues of a transfer's paths (`SimulatedPath.queue`).

    Args:
        length: bytes of the body; infinite where no path has a queue.

    Attributes:
        unsent: bytes of the body that are in no queue and never were.
    """

    def __init__(self, length: float) -> None:
        self.unsent = length
        self._length = length
        self._moved = 0.0

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return self._length < math.inf

    def fill(self, live: Sequence[Carrier], used: Sequence[Carrier], now: float) -> None:
        """Put what there is into the queues of subflows in use, as far as they have room.

        What waits for a silent one is sent again over another, and no more is put there.
        """
        if not self:
            return
        silent = [c for c in live if c.silent_since(now) + RESENT_AFTER <= now]
        heard = [c for c in used if c not in silent]
        if heard:
            for carrier in silent:
                self.take_back(carrier)
        for carrier in heard or used:
            taken = min(carrier.room, self.unsent)
            if taken > 0:
                carrier.put(self._length - self.unsent + self._moved, taken, now)
                self.unsent -= taken

    def take_back(self, carrier: Carrier) -> None:
        """Let other paths have what is in a subflow's queue."""
        if self:
            self.unsent += carrier.queued
            self._moved += carrier.queued
            carrier.queued = 0.0
            carrier.pieces.clear()

    def delivered(self, live: Sequence[Carrier], received: float) -> int:
        """Return how many of the bytes that were received come before what is queued."""
        heads = [c.pieces[0][0] for c in live if c.queued > 0 and c.pieces]
        return int(min([received, *(head - self._moved for head in heads)]))
