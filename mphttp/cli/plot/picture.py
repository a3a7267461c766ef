"""A transfer as a picture: rate by path on top, each subflow's life and the events below."""

from __future__ import annotations

from collections.abc import Iterator

from ..units import words_for_rate, words_for_size
from .facts import Facts, Moment
from .lanes import Lanes, lanes
from .marks import GREY, GRID, INK, MARKS, OTHER, Mark, Style
from .panel import ROOM, Panel, panels
from .series import ticks
from .svg import Point, box, document, drawn, element, label, line

WIDTH = 800.0
_LEFT, _RIGHT, _TOP = 104.0, 20.0, 62.0
_RATES = 190.0
"""Height of a direction's rates."""
_NEXT = 38.0
"""Between the rates of one direction and those of the other."""
_GAP, _ROW = 16.0, 17.0
_BAR = 9.0
_AXIS, _LEGEND = 34.0, 26.0
_TITLE, _TITLE_LENGTH = 15.0, 74
"""Size of the title's letters, and how many of them there is room for; longer ones are smaller."""
_FAR = 2.5
"""A deadline that many times as long as the response isn't in the picture."""


def picture(facts: Facts) -> str:
    """Draw a response.

    Returns:
        an SVG document, readable on paper and without colour.
    """
    return _Picture(facts).document()


class _Picture:
    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.styles = {path: Style(n) for n, path in enumerate(facts.paths)}
        self.lanes: Lanes = lanes(facts.spans, facts.paths)
        self.panels = [
            (_TOP + _RATES + n * (_RATES + _NEXT), p) for n, p in enumerate(panels(facts))
        ]
        deadline = facts.deadline or 0.0
        self.shows_deadline = 0 < deadline <= _FAR * facts.seconds
        end = max(facts.seconds, deadline if self.shows_deadline else 0.0)
        self.end = ROOM * (end or 1.0)
        self.base = self.panels[-1][0]
        self.floor = self.base + _GAP + _ROW * self.lanes.count

    def document(self) -> str:
        parts = [
            element("defs", "".join(style.pattern for style in self.styles.values())),
            *self._words(),
            *self._seconds(),
            *(part for base, panel in self.panels for part in self._direction(base, panel)),
            *self._bars(),
            *self._deadline(),
            *self._moments(),
            *self._legend(),
        ]
        return document(WIDTH, self.floor + _AXIS + _LEGEND, self._title(), parts)

    # Where things are.

    def x(self, seconds: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * seconds / self.end

    def middle(self, row: int) -> float:
        return self.base + _GAP + _ROW * (row + 0.5)

    # What is drawn.

    def _title(self) -> str:
        facts = self.facts
        values = facts.parameters.items()
        given = ", ".join(f"{key} = {value}" for key, value in values if value is not None)
        name = f"{facts.strategy} ({given})" if given else facts.strategy
        told = [
            (facts.size_sent, " sent") if panel.goes else (facts.size, "")
            for _, panel in self.panels
        ]
        size = " and ".join(f"{words_for_size(count)}{how}" for count, how in told)
        rate = words_for_rate(sum(count for count, _ in told) / facts.seconds)
        return f"{name}: {size} in {facts.seconds:.2f} s, {rate}"

    def _words(self) -> Iterator[str]:
        title = self._title()
        size = _TITLE * min(1.0, _TITLE_LENGTH / len(title))
        yield label(_LEFT, 24, title, font_size=size, font_weight="bold", fill=INK)
        for n, (base, panel) in enumerate(self.panels):
            verdict = "" if n else self._verdict()
            yield label(_LEFT, base - _RATES - 18, f"{panel.words}{verdict}", fill=GREY)

    def _verdict(self) -> str:
        facts = self.facts
        if facts.deadline is None:
            return ""
        return f"; the deadline of {facts.deadline:g} s was {'met' if facts.met else 'missed'}"

    def _seconds(self) -> Iterator[str]:
        for second in ticks(self.end, most=10):
            x = self.x(second)
            yield line((x, self.base), (x, self.floor), stroke=GRID)
            yield label(x, self.floor + 16, f"{second:g} s", text_anchor="middle", fill=INK)
        yield line((_LEFT, self.floor), (WIDTH - _RIGHT, self.floor), stroke=INK)

    def _direction(self, base: float, panel: Panel) -> Iterator[str]:
        scale = _RATES / panel.top_rate
        for rate in ticks(panel.top_rate / 1e6, most=5):
            y = base - scale * rate * 1e6
            yield line((_LEFT, y), (WIDTH - _RIGHT, y), stroke=GRID)
            yield label(_LEFT - 8, y + 4, f"{rate:g}", text_anchor="end", fill=INK)
        outlines: list[str] = []
        for (path, one), edges in zip(panel.series.items(), panel.edges, strict=True):
            style = self.styles[path]
            below, above = (
                self._steps(one.step, [base - scale * value for value in edge]) for edge in edges
            )
            yield drawn([*above, *reversed(below)], closed=True, fill=style.fill)
            outlines.append(drawn(above, stroke=style.colour, stroke_width=1.6, fill="none"))
        yield from reversed(outlines)  # that of a path which brings nothing lies below
        yield line((_LEFT, base), (WIDTH - _RIGHT, base), stroke=INK)

    def _steps(self, step: float, heights: list[float]) -> list[Point]:
        return [(self.x(step * (n + side)), y) for n, y in enumerate(heights) for side in (0, 1)]

    def _bars(self) -> Iterator[str]:
        row = 0
        for path, count in self.lanes.paths:
            y = self.middle(row)
            swatch = {"fill": self.styles[path].fill, "stroke": self.styles[path].colour}
            yield box((_LEFT - 22, y - _BAR / 2), 14, _BAR, **swatch)
            yield label(_LEFT - 28, y + 4, path, text_anchor="end", fill=INK)
            row += count
        for span, at in zip(self.facts.spans, self.lanes.rows, strict=True):
            corner = (self.x(span.begin), self.middle(at) - _BAR / 2)
            width = max(1.0, self.x(span.end) - corner[0])
            style = self.styles[span.path]
            yield box(corner, width, _BAR, fill=style.fill, stroke=style.colour)

    def _deadline(self) -> Iterator[str]:
        if self.facts.deadline is None or not self.shows_deadline:
            return
        x, words = self.x(self.facts.deadline), f"deadline {self.facts.deadline:g} s"
        yield line(
            (x, _TOP - 4), (x, self.floor), stroke=INK, stroke_width=1.6, stroke_dasharray="6 3"
        )
        yield label(x, _TOP - 8, words, text_anchor="end", font_weight="bold", fill=INK)

    def _moments(self) -> Iterator[str]:
        for moment in self.facts.moments:
            if moment.at <= self.facts.seconds:
                yield _mark(moment).shape((self.x(moment.at), self._height(moment)))

    def _height(self, moment: Moment) -> float:
        for span, row in zip(self.facts.spans, self.lanes.rows, strict=True):
            if moment.subflow is not None and span.id == moment.subflow:
                return self.middle(row)
        first = None if moment.path is None else self.lanes.first_row(moment.path)
        return self.floor if first is None else self.middle(first)

    def _legend(self) -> Iterator[str]:
        x, y = _LEFT, self.floor + _AXIS + 6
        for mark in dict.fromkeys(map(_mark, self.facts.moments)):
            yield mark.shape((x, y))
            yield label(x + 8, y + 4, mark.words, fill=INK)
            x += 30 + 6.4 * len(mark.words)


def _mark(moment: Moment) -> Mark:
    return MARKS.get(moment.kind, OTHER)
