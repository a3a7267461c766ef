"""The cheapest path that works."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, ClassVar

from .checks import positive_seconds
from .commands import Command, Until
from .steps import close, open_first
from .strategy import Steps, Strategy
from .view import Path, Transfer

_LOOK_EVERY = 1.0
"""Seconds between two looks at what paths there are."""
_RETRY_AFTER = 10.0
"""Seconds until a cheaper path that took no subflow is tried again."""


@dataclass(frozen=True)
class CheapestFirst(Strategy):
    """Use the cheapest path, and a costly one only while there is no alternative (paper, 3.3).

        wifi (1)  ━━━━━━━━━━╸ gone        back ╺━━━━━━━━━
        lte  (5)             ╺━━━━━━━━━━━━━━━━━╸ closed

    A path is no alternative while it is away, or takes no subflow, or has been silent for
    `patience` seconds although the application waits.

    Args:
        costs: what each interface costs, in any unit, or their names, the cheapest first. Those
            that aren't named cost more than those that are; None takes the order of `paths`.
        patience: seconds of silence after which a dearer path is opened.

    Raises:
        ValueError: a cost isn't a number, a name isn't one, or `patience` isn't positive.
    """

    name: ClassVar[str] = "cheapest"
    early = True
    costs: Mapping[str, float] | Sequence[str] | None = None
    patience: float = 2.0

    def __post_init__(self) -> None:
        positive_seconds("patience", self.patience)
        if isinstance(self.costs, str) or not all(
            isinstance(name, str) and isinstance(cost, int | float) and not math.isnan(cost)
            for name, cost in self._costs.items()
        ):
            raise ValueError(
                "costs must be such as {'wlan0': 0, 'wwan0': 5} or ['wlan0', 'wwan0'], "
                f"not {self.costs!r}"
            )

    @property
    def _costs(self) -> Mapping[str, float]:
        if isinstance(self.costs, Mapping):
            return self.costs
        return {name: place for place, name in enumerate(self.costs or ())}

    def connect_on(self, paths: Sequence[Path]) -> Path | None:
        return next(iter(self._ranked(paths)), None)

    def resume_on(self, paths: Sequence[Path]) -> Sequence[Path]:
        return self._ranked(paths)

    def run(self, transfer: Transfer) -> Steps:
        retry_at = 0.0
        listed: set[Path] = set()
        while True:
            listed.update(transfer.paths)
            ranked = self._ranked(_usable(transfer, listed))
            cheaper_too = transfer.elapsed >= retry_at
            moved = yield from self._move(transfer, ranked, cheaper_too=cheaper_too)
            if moved is False:
                retry_at = transfer.elapsed + _RETRY_AFTER
            events = ("path_lost", "subflow_closed")
            yield Until(elapsed=transfer.elapsed + _LOOK_EVERY, event=events)

    def _move(
        self, transfer: Transfer, ranked: list[Path], *, cheaper_too: bool
    ) -> Generator[Command, Any, bool | None]:
        """Go to the cheapest path that works; tell whether that worked, or None if it needn't."""
        old = transfer.subflows
        used = transfer.current.path if old else None
        if used not in ranked or transfer.silence >= self.patience:
            wanted = [path for path in ranked if path != used]
        else:
            wanted = [*takewhile(lambda path: path != used, ranked)] if cheaper_too else []
        if not wanted:
            return None
        if (yield from open_first(wanted)) is None:
            return False
        for subflow in old:
            yield from close(subflow)
        return True

    def _ranked(self, paths: Sequence[Path]) -> list[Path]:
        costs = self._costs
        return sorted(paths, key=lambda path: costs.get(path.name, math.inf))


def _usable(transfer: Transfer, listed: set[Path]) -> list[Path]:
    """Return the paths that are there, and the one in use if it never was among them.

    Where routes depend on the source address, a path that works isn't listed.
    """
    unlisted = [s.path for s in transfer.subflows if s.path not in listed]
    return [*transfer.paths, *unlisted]
