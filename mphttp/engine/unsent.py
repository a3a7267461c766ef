"""What is told of a request that never left: no connection could be made for it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mphttp.report import DeadlineReport, Problem, SubflowReport
from mphttp.strategies import Event

if TYPE_CHECKING:
    from .request import Request


class Unsent:
    """A transfer that didn't begin, as a report reads it (report.Exchange).

    Args:
        request: the one.
    """

    status = 0
    length: int | None = None
    received = 0
    protocol = "tcp"
    mechanism = "none"
    path_names: tuple[str, ...] = ()
    subflow_reports: tuple[SubflowReport, ...] = ()

    def __init__(self, request: Request) -> None:
        self.url = request.url
        self.events: list[Event] = []
        self.seconds = round(time.monotonic() - request.made_at, 6)
        self.problems = tuple(Problem(self.seconds, what, hint) for what, hint in request.problems)
        self._strategy = request.strategy

    @property
    def strategy(self) -> dict[str, object]:
        """Name and parameters of the strategy."""
        return {"name": self._strategy.name, **self._strategy.parameters()}

    @property
    def deadline(self) -> DeadlineReport | None:
        """The deadline, which was missed."""
        seconds = self._strategy.deadline
        return None if seconds is None else DeadlineReport(seconds, met=False)

    def bytes_sent(self) -> int:
        """Return 0."""
        return 0

    def wait(self, timeout: float) -> bool:  # noqa: ARG002  a protocol's
        """Return True: nothing changes any more."""
        return True
