"""Asking an idle peer whether it is there, on a connection whose socket somebody else has.

There is no keep-alive for it without the socket. But whoever speaks MPTCP echoes an address that is
announced (RFC 8684, section 3.4.1), also one that it knows: announcing the address that a subflow
has already changes nothing, and its echo shows that the path is alive. Peers that don't echo, and
middleboxes that take the option away, are found out first. Pure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

ASK_AFTER = 0.5
"""Seconds of silence after which a peer is asked, and between two questions."""
_PROOFS = 8
"""Questions at the beginning without an echo, after which none is expected."""


@dataclass(slots=True)
class Asking:
    """When a peer is asked, and whether its silence means anything; times are in seconds.

    Args:
        wanted: whether a strategy would make use of the answer.
        echoes: whether this peer is known to answer; None while that isn't known.
    """

    wanted: bool = False
    echoes: bool | None = None
    _asked_at: float = -math.inf
    _counted: int = 0
    _asked: int = 0

    @property
    def after(self) -> float | None:
        """Seconds of silence that are no answer yet, None where no answer is to be had."""
        return ASK_AFTER if self.wanted and self.echoes else None

    def is_due(self, silent_for: float, now: float) -> bool:
        """Tell whether to ask now.

        Args:
            silent_for: seconds since anything came.
            now: the time.
        """
        if not self.wanted or self.echoes is False or now < self._asked_at + ASK_AFTER:
            return False
        return self.echoes is None or silent_for >= ASK_AFTER

    def asked(self, counted: int, now: float) -> None:
        """Take that the peer was asked; `counted` is how many echoes have come so far."""
        if self.echoes is None and self._asked >= _PROOFS:
            self.echoes = False
        if not self._asked:
            self._counted = counted
        self._asked += 1
        self._asked_at = now

    def looked(self, counted: int) -> None:
        """Take how many echoes have come: one more than before is this peer's, most likely."""
        if self.echoes is None and self._asked and counted > self._counted:
            self.echoes = True
