"""Live progress on a terminal: a bar for each path."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mphttp.report import Report

from ..environment import Environment
from ..printable import printable
from ..screen import console_on
from ..units import words_for_rate, words_for_size
from .bars import Bar, Bars, progress_line

_STYLES = {"open": "green", "backup": "yellow", "closed": "red", "unused": "dim"}
_PER_SECOND = 8


@contextmanager
def shown(report: Report, environment: Environment) -> Iterator[None]:
    """Show a transfer on stderr while the block runs.

    Args:
        report: read several times a second, by a thread of rich's.
        environment: whose stderr is a terminal.
    """
    console = console_on(environment.stderr, environment)
    bars = Bars()

    def view() -> RenderableType:
        now = report.seconds
        return rendered(bars.step(report.paths, report.subflows, now), report)

    with Live(
        console=console,
        get_renderable=view,
        refresh_per_second=_PER_SECOND,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ):
        yield


def rendered(bars: list[Bar], report: Report) -> RenderableType:
    """Lay out the bars of one moment."""
    table = Table.grid(padding=(0, 2), expand=False)
    table.add_column()
    table.add_column(width=30)
    table.add_column(justify="right")
    table.add_column(justify="right")
    table.add_column()
    whole = report.length or max(report.bytes, 1)
    for bar in bars:
        style = _STYLES[bar.state]
        table.add_row(
            Text(printable(bar.path)),  # an interface may be named almost anything
            ProgressBar(total=whole, completed=min(bar.received, whole), complete_style=style),
            words_for_size(bar.received),
            words_for_rate(bar.rate),
            Text(bar.state, style),
        )
    layout = Table.grid()
    layout.add_row(table)
    layout.add_row(progress_line(report))
    return layout
