"""A fresh subflow every so many bytes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import ClassVar

from .checks import positive_bytes
from .commands import Close, Open, OpenFailed, Until
from .strategy import Steps, Strategy
from .view import Transfer


@dataclass(frozen=True)
class Refresh(Strategy):
    """Replace the current subflow by a new one every `threshold` bytes (paper, 4.1, figure 6).

    The new one is made before the old one is broken, so the transfer never waits. A response of
    unknown length makes no difference: only bytes that arrived are counted.

    Args:
        threshold: bytes of the body between two replacements.

    Raises:
        ValueError: `threshold` isn't a positive whole number.
    """

    name: ClassVar[str] = "refresh"
    threshold: int = 1024 * 1024

    def __post_init__(self) -> None:
        positive_bytes("threshold", self.threshold)

    def run(self, transfer: Transfer) -> Steps:
        for n in count(1):
            yield Until(received=n * self.threshold)
            old = transfer.current
            try:
                yield Open(old.path)
            except OpenFailed:
                continue  # the old one still works: the next threshold tries again
            yield Close(old)
