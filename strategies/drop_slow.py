"""All paths but those that hold up the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .checks import positive_seconds, share
from .commands import Until
from .steps import close, open_first
from .strategy import Steps, Strategy
from .view import Subflow, Transfer


@dataclass(frozen=True)
class DropSlow(Strategy):
    """Use every path, and end a subflow that brings far less than the best one (paper, 3.5).

        wifi ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━
        lte  ━ ─ ─ ─ ─ ─ ╸ ended
             0    over   2 over

    Bytes are compared over `over` seconds, twice in a row. The best subflow always stays. Backups
    aren't judged, and nothing is while the application, not the network, is what is slow.

    Args:
        share: of the best subflow's rate; one with less is ended.
        over: seconds over which rates are taken.

    Raises:
        ValueError: `share` isn't between 0 and 1, or `over` isn't a positive number.
    """

    name: ClassVar[str] = "dropslow"
    share: float = 0.1
    over: float = 1.0

    def __post_init__(self) -> None:
        share("share", self.share)
        positive_seconds("over", self.over)

    def run(self, transfer: Transfer) -> Steps:
        for path in transfer.unused_paths:
            yield from open_first([path])
        before, suspects = _carried(transfer), set[int]()
        while True:
            yield Until(elapsed=transfer.elapsed + self.over)
            slow = [] if transfer.slow_reader else self._slow(transfer.subflows, before)
            for subflow in slow:
                if subflow.id in suspects:
                    yield from close(subflow)
            before, suspects = _carried(transfer), {subflow.id for subflow in slow}

    def _slow(self, subflows: tuple[Subflow, ...], before: dict[int, int]) -> list[Subflow]:
        judged = [s for s in subflows if s.id in before and not s.backup]
        came = {s.id: s.bytes_received - before[s.id] for s in judged}
        least = self.share * max(came.values(), default=0)
        return [subflow for subflow in judged if came[subflow.id] < least]


def _carried(transfer: Transfer) -> dict[int, int]:
    return {subflow.id: subflow.bytes_received for subflow in transfer.subflows}
