"""Several subflows on one path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .checks import whole_number
from .steps import open_first
from .strategy import Steps, Strategy
from .view import Transfer


@dataclass(frozen=True)
class NDiffPorts(Strategy):
    """Use `n` subflows that differ in their ports alone (paper, 2.1).

        eth0:40001 ━━━━━━━━━━━━━━━━
        eth0:40002 ━━━━━━━━━━━━━━━━   each hashed to a way of its own through the network
        eth0:40003 ━━━━━━━━━━━━━━━━

    Args:
        n: subflows in all, the connection's first among them. A Linux server takes three, unless
            its limit is raised (`ip mptcp limits`).

    Raises:
        ValueError: `n` isn't a whole number of 1 or more.
    """

    name: ClassVar[str] = "ndiffports"
    n: int = 2

    def __post_init__(self) -> None:
        whole_number("n", self.n, least=1, example=2)

    def run(self, transfer: Transfer) -> Steps:
        if not transfer.subflows:
            return  # reset before this began
        path = transfer.current.path
        there = sum(subflow.path == path for subflow in transfer.subflows)
        for _ in range(self.n - there):
            if (yield from open_first([path])) is None:
                return  # it is the peer's limit: asking again would be no use
