"""All paths but those that hold up the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .checks import positive_seconds, share
from .commands import Until
from .steps import HELD_UP, close, open_first
from .strategy import Steps, Strategy
from .view import Subflow, Transfer


@dataclass(frozen=True)
class DropSlow(Strategy):
    """Use every path, and end a subflow that brings far less than the best one (paper, 3.5).

        wifi ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━
        lte  ━ ─ ─ ─ ─ ─ ╸ ended
             0    over   2 over

    A slow path does more harm than it brings: the bytes that it still has to deliver hold back all
    that came behind them, until the fast one has to wait. So the rates themselves come to look more
    alike than the paths are: at a twentieth, the fast path fell to half its rate, and the slow one
    brought a ninth of that (measured, 20 and 1 Mbit/s).

    Bytes are compared over `over` seconds, twice in a row, with the best of both times. The best
    subflow always stays. Backups aren't judged, and nothing is while the application, not the
    network, is what is slow.

    Args:
        share: of the best subflow's rate; one with less is ended.
        over: seconds over which rates are taken.

    Raises:
        ValueError: `share` isn't between 0 and 1, or `over` isn't a positive number.
    """

    name: ClassVar[str] = "dropslow"
    early = True
    share: float = 0.2
    over: float = 1.0

    def __post_init__(self) -> None:
        share("share", self.share)
        positive_seconds("over", self.over)

    def run(self, transfer: Transfer) -> Steps:
        given_up = set[str]()
        before, best, suspects = dict[int, int](), 0, set[int]()
        while True:
            for path in transfer.unused_paths:
                if path.name not in given_up and (yield from open_first([path])) is None:
                    given_up.add(path.name)
            before = before or _carried(transfer)
            yield Until(elapsed=transfer.elapsed + self.over)
            given_up |= {e.path for e in transfer.events if e.kind == HELD_UP and e.path}
            came = {s: s.carried - before[s.id] for s in _judged(transfer, before)}
            best_before, best = best, max(came.values(), default=0)
            least = self.share * max(best, best_before)
            slow = [subflow for subflow in came if came[subflow] < min(least, best)]
            for subflow in slow:
                if subflow.id in suspects:
                    given_up.add(subflow.path.name)
                    yield from close(subflow)
            before, suspects = _carried(transfer), {subflow.id for subflow in slow}


def _judged(transfer: Transfer, before: dict[int, int]) -> list[Subflow]:
    if transfer.slow_reader:
        return []
    return [s for s in transfer.subflows if s.id in before and not s.backup]


def _carried(transfer: Transfer) -> dict[int, int]:
    return {subflow.id: subflow.carried for subflow in transfer.subflows}
