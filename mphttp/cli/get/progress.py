"""Live progress on a terminal: a bar for each path, or a line for each of several downloads.

A terminal that can't move its cursor (TERM=dumb) gets a line of words now and then.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mphttp.report import Report

from ..environment import Environment, Words
from ..printable import printable
from ..screen import console_on
from ..units import words_for_rate, words_for_size
from .bars import Bar, Bars, Smoothed, progress_line
from .board import Board, Row

_STYLES = {"open": "green", "backup": "yellow", "closed": "red", "unused": "dim"}
_PER_SECOND = 8
_NOW_AND_THEN = 5.0
"""Seconds between two lines on a terminal that can't move its cursor."""
_WITH_BARS = 72
_WITH_SIZES = 56
"""Columns that a terminal has for a bar of its own, and for sizes beside rates."""


@contextmanager
def shown(report: Report, environment: Environment) -> Iterator[None]:
    """Show a transfer on stderr while the block runs.

    Args:
        report: read several times a second, by a thread of rich's.
        environment: whose stderr is a terminal.
    """
    bars, smoothed = Bars(), Smoothed()

    def words() -> str:
        return progress_line(report, smoothed.step(report.bytes, report.seconds))

    def view(console: Console) -> RenderableType:
        now = bars.step(report.paths, report.subflows, report.seconds)
        return rendered(now, words(), report.length or report.bytes, console.width)

    with _drawn(view, words, environment):
        yield


@contextmanager
def board_shown(board: Board, environment: Environment) -> Iterator[None]:
    """Show several transfers on stderr while the block runs."""

    def view(console: Console) -> RenderableType:
        return listed(board.rows(), board.total(), console.width, console.height)

    with _drawn(view, board.total, environment):
        yield


@contextmanager
def _drawn(
    view: Callable[[Console], RenderableType], words: Callable[[], str], environment: Environment
) -> Iterator[None]:
    if not environment.words_on_terminal:
        with _now_and_then(words, environment):
            yield
        return
    # rich counts lines under a lock, and writes them after it: two threads would cross each other.
    one_at_a_time = threading.RLock()
    with (
        _beneath(environment, one_at_a_time) as console,
        Live(
            console=console,
            get_renderable=lambda: view(console),
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        ) as live,
        _drawn_anew(live, one_at_a_time),
    ):
        yield


@contextmanager
def _drawn_anew(live: Live, one_at_a_time: threading.RLock) -> Iterator[None]:
    """Draw several times a second while the block runs."""
    done = threading.Event()

    def draw() -> None:
        while not done.wait(1 / _PER_SECOND):
            with one_at_a_time:
                live.refresh()

    drawing = threading.Thread(target=draw, name="mphttp-progress", daemon=True)
    drawing.start()
    try:
        yield
    finally:
        done.set()
        drawing.join()


@contextmanager
def _beneath(environment: Environment, one_at_a_time: threading.RLock) -> Iterator[Console]:
    """Yield a console on stderr; what is said meanwhile stands above what it draws."""
    stderr: object = environment.stderr
    if not isinstance(stderr, Words):
        yield console_on(environment.stderr, environment)
        return
    made: list[Console] = []

    def above(words: str) -> None:
        with one_at_a_time:
            made[0].print(Text(words), end="", soft_wrap=True)

    with stderr.drawn(above) as stream:
        made.append(console_on(stream, environment))
        yield made[0]


@contextmanager
def _now_and_then(words: Callable[[], str], environment: Environment) -> Iterator[None]:
    done = threading.Event()

    def tell() -> None:
        while not done.wait(_NOW_AND_THEN):
            environment.say(words())

    teller = threading.Thread(target=tell, name="mphttp-progress", daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()


def rendered(bars: list[Bar], words: str, whole: int, width: int) -> RenderableType:
    """Lay out the bars of one moment.

    Args:
        bars: one for each path.
        words: what stands below.
        whole: bytes of the body, or those that are there.
        width: columns of the terminal; a narrow one has no bars.
    """
    table = Table.grid(padding=(0, 2), expand=False)
    for bar in bars:
        style = _STYLES[bar.state]
        drawn = ProgressBar(
            total=max(whole, 1),
            completed=min(bar.received, max(whole, 1)),
            complete_style=style,
            width=30,
        )
        table.add_row(
            # An interface may be named almost anything.
            Text(printable(bar.path), no_wrap=True, overflow="ellipsis"),
            *([drawn] if width >= _WITH_BARS else []),
            _right(words_for_size(bar.received)),
            _right(words_for_rate(bar.rate)),
            Text(bar.state, style, no_wrap=True),
        )
    layout = Table.grid()
    layout.add_row(table)
    layout.add_row(words)
    return layout


def listed(rows: list[Row], total: str, width: int, height: int) -> RenderableType:
    """Lay out several downloads; of those that a screen has no line for, how many they are.

    Args:
        rows: one for each download.
        total: what stands below.
        width: columns of the terminal; a narrow one has no sizes.
        height: its lines.
    """
    most = max(height - 3, 1)
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    for row in rows[:most]:
        name, part, size, rate, left = row.cells()
        told = (part, size, rate, left) if width >= _WITH_SIZES else (part, rate, left)
        table.add_row(Text(printable(name)), *map(_right, told))
    more = [Text(f"and {len(rows) - most} more")] if len(rows) > most else []
    # No table of all: where the last line is filled up, the ^C of a terminal begins another one.
    return Group(table, *more, Text(total))


def _right(words: str) -> Text:
    return Text(words, no_wrap=True, justify="right")
