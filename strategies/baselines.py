"""What others are measured against: one path only, and all paths at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from .checks import path_name
from .commands import Open, OpenFailed
from .strategy import Steps, Strategy
from .view import Path, Transfer


@dataclass(frozen=True)
class SinglePath(Strategy):
    """Open no subflow beyond the first; the length of a response doesn't matter.

    Args:
        path: the interface that the connection starts on; None leaves it to the system's routing.

    Raises:
        ValueError: `path` is neither a name nor None.
    """

    name: ClassVar[str] = "single"
    path: str | None = None

    def __post_init__(self) -> None:
        path_name("path", self.path)

    def connect_on(self, paths: Sequence[Path]) -> Path | None:  # noqa: ARG002
        # Named even if it isn't among them: the report says then that it doesn't reach the server.
        return None if self.path is None else Path(self.path)

    def run(self, transfer: Transfer) -> Steps:  # noqa: ARG002
        yield from ()


@dataclass(frozen=True)
class FullMesh(Strategy):
    """Open a subflow on every path as soon as a response of any length begins (paper, 2.1)."""

    def run(self, transfer: Transfer) -> Steps:
        for path in transfer.unused_paths:
            try:
                yield Open(path)
            except OpenFailed:
                continue  # the other paths may still work
