"""What an application wants of several paths, in one word."""

from __future__ import annotations

from typing import Literal

from .baselines import FullMesh
from .handover import Handover
from .strategy import Strategy

Intent = Literal["handover", "interactive", "aggregate"]
"""The words of RFC 9622, "Policy for Using Multipath Transports"."""


def for_intent(intent: Intent) -> Strategy:
    """Return the strategy for what an application wants (paper, section 5: socket intents).

        handover     wifi ━━━━━━╸ ✗               another path only when the first one fails
                     lte              ╺━━━━━━━
        interactive  wifi ━━━━━━╸ ✗               the same, sooner: the other one stands by
                     lte  ─ ─ ─ ─ ─ ╺━━━━━━━━━
        aggregate    wifi ━━━━━━━━━━━━━━━━━━━━    as much throughput as all paths give
                     lte  ━━━━━━━━━━━━━━━━━━━━

    Args:
        intent: "handover", "interactive" or "aggregate".

    Raises:
        ValueError: it is another word.
    """
    if intent not in _STRATEGIES:
        words = ", ".join(map(repr, _STRATEGIES))
        raise ValueError(f"intent must be one of {words}, not {intent!r}")
    return _STRATEGIES[intent]


_STRATEGIES: dict[str, Strategy] = {
    "handover": Handover(),
    "interactive": Handover(within=0.4, standby=True),
    "aggregate": FullMesh(),
}
