"""Which row of the picture each subflow is in: one path's rows stand together. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .facts import Span


@dataclass(frozen=True, slots=True)
class Lanes:
    """Rows for the subflows.

    Args:
        paths: name of each path, and how many rows it has, from top to bottom.
        rows: the row of each subflow, by its place in the list of spans.
    """

    paths: tuple[tuple[str, int], ...]
    rows: tuple[int, ...]

    @property
    def count(self) -> int:
        """The number of all rows."""
        return sum(count for _, count in self.paths)

    def first_row(self, path: str) -> int | None:
        """Return the first row of a path, or None if it has none."""
        row = 0
        for name, count in self.paths:
            if name == path:
                return row
            row += count
        return None


def lanes(spans: Sequence[Span], paths: Sequence[str]) -> Lanes:
    """Give each subflow the first row of its path that is free when it begins."""
    rows: dict[int, int] = {}
    told: list[tuple[str, int]] = []
    for path in paths:
        mine = [(n, span) for n, span in enumerate(spans) if span.path == path]
        free_from: list[float] = []
        for n, span in sorted(mine, key=lambda each: each[1].begin):
            row = next((r for r, free in enumerate(free_from) if free <= span.begin), None)
            if row is None:
                row = len(free_from)
                free_from.append(0.0)
            free_from[row] = span.end
            rows[n] = sum(count for _, count in told) + row
        told.append((path, max(1, len(free_from))))
    return Lanes(tuple(told), tuple(rows[n] for n in range(len(spans))))
