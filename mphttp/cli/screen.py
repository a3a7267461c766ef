"""A terminal that `rich` draws on."""

from __future__ import annotations

import re
from typing import TextIO

from rich.console import Console

from .environment import Environment

_SIZE = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)


def console_on(stream: TextIO, environment: Environment) -> Console:
    """Return a console on a terminal; what is drawn on it is to be `printable`.

    Args:
        stream: the terminal.
        environment: whether colour is welcome, and what the terminal is told to be.
    """
    told = environment.environ
    # rich asks `isdigit`, which holds for "\u00b2", too, and then takes that for a number.
    sizes = {n: told[n] for n in ("COLUMNS", "LINES") if _SIZE.fullmatch(told.get(n, ""))}
    terminal = {n: told[n] for n in ("TERM", "COLORTERM") if n in told}
    return Console(
        file=stream,
        force_terminal=True,
        color_system="standard" if environment.colour else None,
        highlight=False,
        markup=False,
        emoji=False,
        _environ={**sizes, **terminal},
    )
