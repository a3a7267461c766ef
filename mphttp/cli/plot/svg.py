"""Shapes as SVG text; nothing here knows what they stand for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape, quoteattr

FONT = "Helvetica, Arial, 'DejaVu Sans', sans-serif"

_LONGEST = 200
"""Signs of a label; far more than there is room for."""

Point = tuple[float, float]


def element(name: str, content: str = "", /, **attributes: str | float) -> str:
    """Write an element; an underscore in an attribute's name stands for a hyphen."""
    pairs = (
        f" {key.rstrip('_').replace('_', '-')}={quoteattr(_text(value))}"
        for key, value in attributes.items()
    )
    head = f"<{name}{''.join(pairs)}"
    return f"{head}>{content}</{name}>" if content else f"{head}/>"


def label(x: float, y: float, words: str, **attributes: str | float) -> str:
    """Write words."""
    return element("text", words_as_xml(words), x=x, y=y, **attributes)


def words_as_xml(words: str) -> str:
    """Write words from anywhere: XML has no controls, and a picture no room for very many."""
    kept = words if len(words) <= _LONGEST else words[:_LONGEST] + "…"
    return escape("".join(c if c.isprintable() else "\ufffd" for c in kept))


def line(start: Point, end: Point, **attributes: str | float) -> str:
    """Draw a straight line."""
    (x1, y1), (x2, y2) = start, end
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, **attributes)


def box(corner: Point, width: float, height: float, **attributes: str | float) -> str:
    """Draw a rectangle from its upper left corner."""
    return element("rect", x=corner[0], y=corner[1], width=width, height=height, **attributes)


def drawn(points: Iterable[Point], *, closed: bool = False, **attributes: str | float) -> str:
    """Draw a line through points."""
    path = "M" + "L".join(f"{_text(x)} {_text(y)}" for x, y in points)
    return element("path", d=path + ("Z" if closed else ""), **attributes)


def document(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    """Write a whole picture on white."""
    whole = [
        element("title", words_as_xml(title)),
        box((0, 0), width, height, fill="white"),
        *parts,
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_text(width)} {_text(height)}" '
        f'width="{_text(width)}" height="{_text(height)}" role="img" '
        f'font-family="{FONT}" font-size="12">\n' + "\n".join(whole) + "\n</svg>\n"
    )


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
