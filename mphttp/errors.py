"""What a strict transfer raises."""

from __future__ import annotations


class StrategyProblem(Exception):
    """Something that a strategy asked for didn't work, and the transfer was `strict`.

    Args:
        what: one sentence.
        hint: what mends it, or "".
    """

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(f"{what} (hint: {hint})" if hint else what)
        self.what = what
        self.hint = hint
