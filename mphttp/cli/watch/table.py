"""The table of `mphttp watch` on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from ..printable import printable
from .watcher import Moment
from .words import lines


def rendered(moment: Moment, log: Sequence[str], height: int) -> Text:
    """Lay out one look.

    Args:
        moment: what there is.
        log: the last events, the oldest first.
        height: lines that there is room for; what doesn't fit is left out and said to be.
    """
    header, *body = lines(moment)
    if not body:
        body = ["no MPTCP connections"]
    kept = log[-max(0, min(len(log), height // 3)) :] if log else []
    room = max(1, height - len(kept) - 3)
    if len(body) > room:
        body = [*body[: room - 1], f"… {len(body) - room + 1} more lines"]
    told = [(header, "dim"), *((line, _style(line)) for line in body), ("", "")]
    told += [(line, "dim") for line in kept]
    return Text.assemble(*((printable(line) + "\n", style) for line, style in told), no_wrap=True)


def _style(line: str) -> str:
    if not line.startswith(" "):
        return "bold"
    if line.endswith("backup") or "backup," in line:
        return "yellow"
    return "green" if " established " in line else "red"
