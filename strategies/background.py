"""Never the default interface, or what costs money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from .checks import path_name
from .steps import close, open_first, reopen
from .strategy import Steps, Strategy
from .view import Path, Transfer


@dataclass(frozen=True)
class Background(Strategy):
    """Stay off one interface, since the transfer has time (paper, 3.3).

        eth0 (default)  ·  left to others  ·  ·  ·  ·
        wifi            ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━

    The connection starts on another path, or moves there if it was made for another request. It
    never opens the avoided one, also when the other is slow or fails. Only where there is no other
    path at all does the connection start there.

    Args:
        avoid: the interface to stay off; None stands for those that cost money
            (`Path.metered`), or, where none does, for the preferred one, the system's default.

    Raises:
        ValueError: `avoid` is neither a name nor None.
    """

    name: ClassVar[str] = "background"
    early = True
    avoid: str | None = None

    def __post_init__(self) -> None:
        path_name("avoid", self.avoid)

    def connect_on(self, paths: Sequence[Path]) -> Path | None:
        return next(iter(self._allowed(paths)), None)

    def resume_on(self, paths: Sequence[Path]) -> Sequence[Path]:
        return self._allowed(paths)

    def run(self, transfer: Transfer) -> Steps:
        allowed = self._allowed(transfer.paths)
        avoid = self._avoided(transfer.paths)
        leaving = [subflow for subflow in transfer.subflows if subflow.path.name in avoid]
        moved = None
        if len(leaving) == len(transfer.subflows):
            moved = yield from open_first(allowed)
            if moved is None:
                return
        for subflow in leaving:
            yield from close(subflow)
        yield from reopen(transfer, moved, lambda: self._allowed(transfer.paths))

    def _allowed(self, paths: Sequence[Path]) -> list[Path]:
        avoid = self._avoided(paths)
        return [path for path in paths if path.name not in avoid]

    def _avoided(self, paths: Sequence[Path]) -> set[str]:
        if self.avoid is not None:
            return {self.avoid}
        metered = {path.name for path in paths if path.metered}
        return metered or {path.name for path in paths[:1]}
