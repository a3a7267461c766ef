"""Keys over one path, data over another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from .checks import path_name
from .steps import close, open_first, reopen
from .strategy import Steps, Strategy
from .view import Path, Transfer


@dataclass(frozen=True)
class HandshakeOn(Strategy):
    """Start on the path that is trusted, and move to the cheap one for the data (paper, 3.4).

        lte  ━ TLS ━ request ━╸ closed
        wifi                 ╺━━━━━━━━━━ body ━━━━━━━━━━

    The keys were negotiated on `path` when the head of the response is there; what has come of the
    body by then came there, too. Where no other path works, all of it stays on `path`.

    Args:
        path: the interface for the handshake; None stands for the first that may be used.
        then: the interface for the data; None stands for the first other one that works.

    Raises:
        ValueError: one is neither a name nor None, or both are the same.
    """

    name: ClassVar[str] = "handshake"
    path: str | None = None
    then: str | None = None

    def __post_init__(self) -> None:
        path_name("path", self.path)
        path_name("then", self.then)
        if self.path is not None and self.path == self.then:
            raise ValueError(f"path and then must be two interfaces, not {self.path!r} twice")

    def connect_on(self, paths: Sequence[Path]) -> Path | None:
        if self.path is not None:
            return Path(self.path)
        return next((path for path in paths if path.name != self.then), None)

    def run(self, transfer: Transfer) -> Steps:
        trusted = self.connect_on(transfer.paths)
        leaving = [subflow for subflow in transfer.subflows if subflow.path == trusted]
        if not leaving:
            return  # an earlier response has moved the connection already

        def wanted() -> list[Path]:
            others = [path for path in transfer.paths if path != trusted]
            return [path for path in others if self.then in (None, path.name)]

        moved = None
        if len(leaving) == len(transfer.subflows):
            moved = yield from open_first(wanted())
            if moved is None:
                return
        for subflow in leaving:
            yield from close(subflow)
        yield from reopen(transfer, moved, wanted)
