"""A second subflow for large objects only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .checks import positive_bytes
from .commands import Until
from .steps import open_first
from .strategy import Steps, Strategy
from .view import Transfer


@dataclass(frozen=True)
class DelayedByContentLength(Strategy):
    """Open a second subflow only if the object is larger than `size` (paper, 4.2).

    A response of unknown length opens it once more than `size` bytes have come.

    Args:
        size: bytes of the body up to which one subflow has to do.

    Raises:
        ValueError: `size` isn't a positive whole number.
    """

    name: ClassVar[str] = "delayed"
    size: int = 1024 * 1024

    def __post_init__(self) -> None:
        positive_bytes("size", self.size)

    def run(self, transfer: Transfer) -> Steps:
        if transfer.length is None:
            yield Until(received=self.size + 1)
        elif transfer.length <= self.size:
            return
        yield from open_first(transfer.unused_paths)
