"""What others are measured against: one path, all paths at once, and what the kernel does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import ClassVar

from .checks import path_name
from .commands import Until
from .steps import ENDS, killed, open_first
from .strategy import Steps, Strategy
from .view import Path, Remote, Transfer


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
class KernelPathManager(SinglePath):
    """Take whatever subflows the kernel's own path manager opens, and open none.

    Where that one has endpoints (`ip mptcp endpoint`, NetworkManager), it uses them for every MPTCP
    connection, whatever a strategy wants. With any other strategy, a connection begins as plain TCP
    there, unless programs manage the paths.

    Args:
        path: the interface that the connection starts on; None leaves it to the system's routing.

    Raises:
        ValueError: `path` is neither a name nor None.
    """

    name: ClassVar[str] = "kernel"
    in_kernel = True


@dataclass(frozen=True)
class FullMesh(Strategy):
    """Open a subflow between every path and every address of the peer at once (paper, 2.1).

        wifi ━━━━━━━━━━━━━━━━━ server
             ╺━━━━━━━━━━━━━━━━ the address that it announced (ADD_ADDR)
        lte  ╺━━━━━━━━━━━━━━━━ server
             ╺━━━━━━━━━━━━━━━━ the address that it announced

    It makes no difference how long the response is. An address that is announced later is used from
    then on. What has ended by itself is opened again; what doesn't open isn't tried again.
    """

    early = True

    def run(self, transfer: Transfer) -> Steps:
        tried = {(s.path, s.remote or transfer.remotes[0]) for s in transfer.subflows}
        opened: dict[int, tuple[Path, Remote]] = {}
        while True:
            for remote, path in product(transfer.remotes, transfer.paths):
                if (path, remote) not in tried:
                    tried.add((path, remote))
                    subflow = yield from open_first([path], remote=remote)
                    if subflow is not None:
                        opened[subflow.id] = (path, remote)
            yield Until(event=("address_announced", *ENDS))
            for number, by_itself in killed(transfer).items():
                if (pair := opened.pop(number, None)) and by_itself:
                    tried.discard(pair)
