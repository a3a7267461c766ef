"""How paths and events look: told apart without colour, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .svg import Point, drawn, element

INK, GREY, GRID = "#222222", "#666666", "#d8d8d8"
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7")
"""Apart for the colour-blind, and in brightness (Okabe and Ito, "Color Universal Design", 2008)."""
_HATCHES = ("", "M0 6L6 0", "M3 0V6", "M0 6L6 0M0 0L6 6")
_SIZE = 3.5
"""Half the width of a mark."""


@dataclass(frozen=True, slots=True)
class Style:
    """How one path looks.

    Args:
        number: of the path, from 0 on.
    """

    number: int

    @property
    def colour(self) -> str:
        """Its colour."""
        return _COLOURS[self.number % len(_COLOURS)]

    @property
    def fill(self) -> str:
        """What its areas are filled with."""
        return f"url(#path{self.number})"

    @property
    def pattern(self) -> str:
        """The definition of `fill`."""
        ground = element("rect", width=6, height=6, fill=self.colour, fill_opacity=0.45)
        hatch = _HATCHES[self.number % len(_HATCHES)]
        lines = element("path", d=hatch, stroke=INK, stroke_width=0.7, fill="none") if hatch else ""
        name, units = f"path{self.number}", "userSpaceOnUse"
        return element("pattern", ground + lines, id=name, width=6, height=6, patternUnits=units)


@dataclass(frozen=True, slots=True)
class Mark:
    """How a kind of event looks.

    Args:
        words: what it means.
        shape: draws it around a point.
    """

    words: str
    shape: Callable[[Point], str]


def _ring(at: Point) -> str:
    return element("circle", cx=at[0], cy=at[1], r=_SIZE, fill="white", stroke=INK)


def _disc(at: Point) -> str:
    return element("circle", cx=at[0], cy=at[1], r=_SIZE, fill=INK)


def _strokes(at: Point, *lines: tuple[float, float, float, float]) -> str:
    x, y = at
    parts = (
        [(x + x1 * _SIZE, y + y1 * _SIZE), (x + x2 * _SIZE, y + y2 * _SIZE)]
        for x1, y1, x2, y2 in lines
    )
    return "".join(drawn(part, stroke=INK, stroke_width=1.6, fill="none") for part in parts)


def _cross(at: Point) -> str:
    return _strokes(at, (-1, -1, 1, 1), (-1, 1, 1, -1))


def _pause(at: Point) -> str:
    return _strokes(at, (-0.6, -1.2, -0.6, 1.2), (0.6, -1.2, 0.6, 1.2))


def _corners(*corners: Point) -> Callable[[Point], str]:
    def shape(at: Point) -> str:
        points = [(at[0] + x * _SIZE, at[1] + y * _SIZE) for x, y in corners]
        return drawn(points, closed=True, fill=INK)

    return shape


MARKS: Mapping[str, Mark] = {
    "subflow_opening": Mark("SYN sent", _ring),
    "subflow_established": Mark("established", _disc),
    "subflow_refused": Mark("refused", _corners((-1, -1), (1, -1), (1, 1), (-1, 1))),
    "subflow_paused": Mark("paused (backup)", _pause),
    "subflow_resumed": Mark("resumed", _corners((-1, -1.2), (1.2, 0), (-1, 1.2))),
    "subflow_closed": Mark("closed", _cross),
    "path_lost": Mark("path lost", _corners((-1.2, -1), (1.2, -1), (0, 1.2))),
    "path_held_up": Mark("held up the other path", _corners((-1.2, 1), (1.2, 1), (0, -1.2))),
}
OTHER = Mark("another event", _corners((-1, 0), (0, -1.2), (1, 0), (0, 1.2)))
