"""A second subflow for large objects only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .checks import positive_bytes
from .commands import RESPONSE, Until
from .steps import open_first, reopen
from .strategy import Steps, Strategy
from .view import Transfer


@dataclass(frozen=True)
class DelayedByContentLength(Strategy):
    """Open a second subflow only if the object is larger than `size` (paper, 4.2).

    The object is what is sent or what is fetched, whichever is larger. One of unknown length opens
    the second subflow once more than `size` bytes of it have arrived.

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
        while transfer.length is not None and transfer.length - transfer.received <= self.size:
            if transfer.answered:
                return
            yield Until(event=RESPONSE)
        if transfer.length is None:
            yield Until(received=transfer.received + self.size + 1)
        second = yield from open_first(transfer.unused_paths)
        yield from reopen(transfer, second, lambda: transfer.unused_paths)
