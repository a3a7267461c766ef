"""What is written down of one transfer, for its strategy and its report. Pure."""

from __future__ import annotations

from dataclasses import replace

from mphttp.errors import StrategyProblem
from mphttp.report import Problem
from mphttp.strategies import Event


class Journal:
    """Events and problems, in the order in which they came.

    Args:
        strict: whether a problem ends the transfer.

    Attributes:
        events: what happened to its subflows.
        problems: what didn't work, each once.
        failure: what ends it, if it is strict.
        expected: seconds after the request by which the body is expected, if that is too late.
        obstacle_told: whether it was looked for what keeps the strategy from opening anything.
    """

    def __init__(self, *, strict: bool) -> None:
        self.events: list[Event] = []
        self.problems: tuple[Problem, ...] = ()
        self.failure: StrategyProblem | None = None
        self.expected: float | None = None
        self.obstacle_told = False
        self._strict = strict

    def explain(self, kind: str, subflow: int, detail: str) -> None:
        """Add to an event that was noted before it was known why it happened.

        Args:
            kind: of the event.
            subflow: id of the one that it happened to.
            detail: what is known now.
        """
        for n in reversed(range(len(self.events))):
            event = self.events[n]
            if (event.kind, event.subflow, event.detail) == (kind, subflow, ""):
                self.events[n] = replace(event, detail=detail)
                return

    def problem(self, problem: Problem) -> bool:
        """Record what didn't work, the first time; return whether that ends the transfer."""
        if any(known.what == problem.what for known in self.problems):
            return False
        self.problems += (problem,)
        if self._strict and self.failure is None:
            self.failure = StrategyProblem(problem.what, problem.hint)
            return True
        return False
