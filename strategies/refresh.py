"""A fresh subflow every so many bytes or seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .checks import positive_bytes, positive_seconds
from .commands import Until
from .steps import CLOSED, RETRY_ALONE, close, open_first
from .strategy import Steps, Strategy
from .view import Path, Subflow, Transfer


@dataclass(frozen=True)
class Refresh(Strategy):
    """Replace the current subflow by a new one every `threshold` bytes (paper, 4.1, figure 6).

        Refresh(n)                                Refresh(n, rotate=True)
        wifi ━━━━━╸1                              wifi ━━━━━╸1      ╺━━━━━╸3
        wifi     ╺━━━━━╸2                         lte      ╺━━━━━╸2     ╺━━━━
        wifi          ╺━━━━━ 3
             0    n    2n   3n bytes                   0    n     2n    3n bytes

    The new one is made before the old one is broken, so the transfer never waits. A response of
    unknown length makes no difference: only bytes that arrived are counted. Where no new one
    opens, the old one works on until the next time.

    Args:
        threshold: bytes of the body between two replacements; None counts no bytes.
        every: seconds between two replacements, too; None counts no time.
        rotate: go on to the next path each time, so that whoever listens on one hears only a part.

    Raises:
        ValueError: `threshold` isn't a positive whole number, or `every` no positive number, or
            both are None.
    """

    name: ClassVar[str] = "refresh"
    threshold: int | None = 1024 * 1024
    every: float | None = None
    rotate: bool = False

    def __post_init__(self) -> None:
        if self.every is not None:
            positive_seconds("every", self.every)
        if self.threshold is not None or self.every is None:
            positive_bytes("threshold", self.threshold)

    @property
    def early(self) -> bool:  # type: ignore[override]  # time passes before a response, too
        return self.every is not None

    def run(self, transfer: Transfer) -> Steps:
        received, elapsed = self.threshold, self.every
        while True:
            yield Until(received=received, elapsed=elapsed, event=CLOSED)
            if not transfer.subflows:
                yield from self._come_back(transfer)
            if not _is_due(transfer, received, elapsed):
                continue
            if self.threshold and received and transfer.received >= received:
                received += self.threshold
            if self.every:
                elapsed = transfer.elapsed + self.every
            old = transfer.current if transfer.subflows else None
            new = yield from open_first(self._next(old, transfer.paths))
            if new is not None and old is not None:
                yield from close(old)
            elif self.threshold:  # those that were missed meanwhile would fail, too
                received = (transfer.received // self.threshold + 1) * self.threshold

    def _come_back(self, transfer: Transfer) -> Steps:
        """Open any path where none is left, since no bytes come that could be counted."""
        while not transfer.subflows and (yield from open_first(transfer.paths)) is None:
            yield Until(elapsed=transfer.elapsed + RETRY_ALONE)

    def _next(self, old: Subflow | None, paths: tuple[Path, ...]) -> tuple[Path, ...]:
        if old is None:
            return paths
        if not self.rotate:
            return (old.path,)
        after = paths.index(old.path) + 1 if old.path in paths else 0
        return paths[after:] + paths[:after]


def _is_due(transfer: Transfer, received: int | None, elapsed: float | None) -> bool:
    by_bytes = received is not None and transfer.received >= received
    return by_bytes or (elapsed is not None and transfer.elapsed >= elapsed)
