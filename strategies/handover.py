"""Another path when the one in use falls silent."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, ClassVar

from .checks import positive_seconds
from .commands import Command, CommandFailed, SetBackup, Until
from .steps import close, open_first
from .strategy import Steps, Strategy
from .view import Path, Subflow, Transfer

_LOOK_EVERY = 0.1
"""Seconds between two looks, at most, while it isn't known yet which path works."""
_SOONEST = 0.005
"""Seconds until a look at a silence that is all but long enough."""
_LOOKS = 8
"""Looks in a shorter time than that, if `within` is short."""


@dataclass(frozen=True)
class Handover(Strategy):
    """Replace a path that has fallen silent or gone by another in a stated time (paper, 1 and 5).

        Handover()                                Handover(standby=True)
        wifi ━━━━━━━╸ ✗                 closed    wifi ━━━━━━━╸ ✗          closed
        lte            · · open ╺━━━━━━━━━━━━     lte  ─ backup ─ ─ ─ ╺━━━━━━━━━━━
                      └────── within ──────┘                   └─ within ─┘

    Half of `within` is spent on being sure, and no less than two round trips, since a sender that
    begins slowly is silent for one; the other half is for the handshake and the first data. A path
    whose interface is gone, or whose subflow was reset, isn't waited for. Then the subflow that
    brings data stays, and the other is closed: the old one if it is dead, the new one if the old
    one was only late.

    Args:
        within: seconds from the last byte on one path to the first on another.
        standby: open the other path at once, as a backup that carries nothing while the first one
            works (RFC 8684, 3.1), so that a handover saves its handshake.

    Raises:
        ValueError: `within` isn't a positive number of seconds.
    """

    name: ClassVar[str] = "handover"
    within: float = 0.8
    standby: bool = False

    def __post_init__(self) -> None:
        positive_seconds("within", self.within)

    def run(self, transfer: Transfer) -> Steps:
        if self.standby:
            yield from open_first(transfer.unused_paths, backup=True)
        while True:
            yield from self._until_silent(transfer)
            yield from self._hand_over(transfer)

    def _until_silent(self, transfer: Transfer) -> Steps:
        while transfer.subflows and transfer.current.path in transfer.paths:
            left = max(self.within / 2, 2 * transfer.current.rtt) - transfer.silence
            if left <= 0:
                return
            yield Until(
                elapsed=transfer.elapsed + max(left, _SOONEST),
                event=("path_lost", "subflow_closed"),
            )

    def _hand_over(self, transfer: Transfer) -> Steps:
        old = [subflow for subflow in transfer.subflows if not subflow.backup]
        new = yield from self._other(transfer)
        if new is None:  # there is nowhere to go: what comes back first will do
            yield Until(elapsed=transfer.elapsed + self.within)
            return
        brought = yield from self._first_to_bring(transfer)
        if any(subflow.id in brought for subflow in old):
            yield from self._put_back(new)
        elif new.id in brought:
            for subflow in old:
                yield from close(subflow, lost=True)

    def _other(self, transfer: Transfer) -> Generator[Command, Any, Subflow | None]:
        """Let another subflow take part: the one that stands by, or else a new one."""
        for subflow in transfer.subflows:
            if subflow.backup:
                try:
                    yield SetBackup(subflow, False)
                except CommandFailed:
                    continue
                return subflow
        return (yield from open_first(self._ways_out(transfer)))

    def _ways_out(self, transfer: Transfer) -> tuple[Path, ...]:
        """Other paths, or the same one again: something on the way may have lost its state."""
        used = [subflow.path for subflow in transfer.subflows]
        again = (path for path in transfer.paths if used.count(path) == 1)
        return transfer.unused_paths or tuple(again)

    def _first_to_bring(self, transfer: Transfer) -> Generator[Command, Any, set[int]]:
        """Wait for what comes next; return the ids of the subflows that brought it."""
        before = {subflow.id: subflow.bytes_received for subflow in transfer.subflows}
        end = transfer.elapsed + self.within
        while True:
            brought = {s.id for s in transfer.subflows if s.bytes_received > before.get(s.id, 0)}
            if brought or transfer.elapsed >= end:
                return brought
            yield Until(elapsed=transfer.elapsed + min(self.within / _LOOKS, _LOOK_EVERY))

    def _put_back(self, new: Subflow) -> Steps:
        if not new.backup:
            yield from close(new)
            return
        try:
            yield SetBackup(new, True)
        except CommandFailed:
            return
