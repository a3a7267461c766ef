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
_FORGOTTEN = 60
"""So many times the patience without a false alarm, and half of it will do again."""
_MOST_PATIENCE = 60.0
"""Seconds of silence that are enough in any case."""
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
    one was only late. After such a false alarm the next silence must last twice as long, so that a
    server that pauses again and again is no reason to open a subflow each time.

    Args:
        within: seconds from the last byte on one path to the first on another.
        standby: open the other path at once, as a backup that carries nothing while the first one
            works (RFC 8684, 3.1), so that a handover saves its handshake.

    Raises:
        ValueError: `within` isn't a positive number of seconds.
    """

    name: ClassVar[str] = "handover"
    early = True
    rests = True
    within: float = 0.8
    standby: bool = False

    def __post_init__(self) -> None:
        positive_seconds("within", self.within)

    def run(self, transfer: Transfer) -> Steps:
        if self.standby:
            yield from open_first(transfer.unused_paths, backup=True)
        doubt = Doubt(self.within / 2)
        while True:
            yield from self._until_silent(transfer, doubt)
            yield from self._hand_over(transfer, doubt)

    def _until_silent(self, transfer: Transfer, doubt: Doubt) -> Steps:
        while transfer.subflows:
            if doubt.is_gone(transfer):
                return
            patience = max(doubt.patience(transfer.elapsed), 2 * transfer.current.rtt)
            left = patience - transfer.silence
            if left <= 0:
                return
            yield Until(
                elapsed=transfer.elapsed + max(left, _SOONEST),
                event=("path_lost", "subflow_closed"),
            )

    def _hand_over(self, transfer: Transfer, doubt: Doubt) -> Steps:
        old = [subflow for subflow in transfer.subflows if not subflow.backup]
        new = yield from self._other(transfer)
        if new is None:  # there is nowhere to go: what comes back first will do
            yield Until(elapsed=transfer.elapsed + self.within)
            return
        brought = yield from self._first_to_bring(transfer)
        if any(subflow.id in brought for subflow in old):
            doubt.was_wrong(transfer.elapsed)
            yield from self._put_back(new)
        elif new.id in brought:
            doubt.was_right()
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
        """Wait for what comes next; return the ids of the subflows that brought it.

        Where acknowledgements are waited for, or answers of an idle peer, these count.
        """
        before = {subflow.id: subflow.carried for subflow in transfer.subflows}
        began = transfer.elapsed
        end = began + self.within
        while True:
            brought = {s.id for s in transfer.subflows if s.carried > before.get(s.id, 0)}
            if not transfer.answered:
                passed = transfer.elapsed - began
                brought |= {s.id for s in transfer.subflows if s.heard < passed}
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


class Doubt:
    """How sure a handover must be that a path is dead. Pure.

    What pauses by itself, as a server that sends something every few seconds, looks like a path
    that has died. Each time that the old path spoke again the next silence must last twice as long,
    until there was none for a while. And an interface whose route comes and goes, such as by DHCP,
    is left at once the first time only; after that, if it is silent, too.

    Args:
        patience: seconds of silence that are enough at first.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._wrong = 0
        self._wrong_at = 0.0
        self._listed: set[str] = set()
        self._left: set[int] = set()

    def patience(self, now: float) -> float:
        """Return the seconds of silence that are enough now."""
        while self._wrong and now >= self._wrong_at + _FORGOTTEN * self._asked:
            self._wrong_at += _FORGOTTEN * self._asked
            self._wrong -= 1
        return self._asked

    def was_wrong(self, now: float) -> None:
        """Take that the old path was only late."""
        self._wrong += 1
        self._wrong_at = now

    def was_right(self) -> None:
        """Take that the old path was dead."""
        self._wrong = 0

    def is_gone(self, transfer: Transfer) -> bool:
        """Tell whether the path in use is gone from the list, or its address; once for a subflow.

        A path that never was in the list, as where routes depend on the source address, isn't gone.
        """
        current = transfer.current
        names = {path.name for path in transfer.paths}
        self._listed |= names
        told = any(
            event.kind == "path_lost" and event.subflow == current.id for event in transfer.events
        )
        unlisted = current.path.name in self._listed and current.path.name not in names
        if not (told or unlisted) or current.id in self._left:
            return False
        self._left.add(current.id)
        return True

    @property
    def _asked(self) -> float:
        return float(min(_MOST_PATIENCE, self._patience * 2.0**self._wrong))
