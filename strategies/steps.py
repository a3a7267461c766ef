"""The steps that several strategies share: they yield commands, and live with those that fail."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any

from .commands import Close, Command, CommandFailed, Open, OpenFailed, Until
from .strategy import Steps
from .view import Path, Remote, Subflow, Transfer

CLOSED, HELD_UP = "subflow_closed", "path_held_up"
ENDS = (CLOSED, HELD_UP)
"""Kinds of events that tell of a subflow's end."""
RETRY_ALONE = 0.5
"""Seconds until a path is asked again where the transfer has no subflow left."""


def open_first(
    paths: Iterable[Path], *, backup: bool = False, remote: Remote | None = None
) -> Generator[Command, Any, Subflow | None]:
    """Open a subflow on the first of these paths that takes one.

    Args:
        paths: in the order of trying.
        backup: as for `Open`.
        remote: as for `Open`.

    Returns:
        the subflow, or None if no path took one.
    """
    for path in paths:
        try:
            subflow: Subflow = yield Open(path, backup, remote)
        except OpenFailed:
            continue
        return subflow
    return None


def reopen(
    transfer: Transfer, subflow: Subflow | None, paths: Callable[[], Iterable[Path]]
) -> Steps:
    """Ask for another subflow whenever one has ended by itself, until no path takes one.

    Something on the way may have lost its state, which costs one handshake. Where each is killed,
    the next is refused for a while, and opened otherwise if that can be (`multipath="auto"`).

    Args:
        transfer: the strategy's.
        subflow: that was opened, or None where none was.
        paths: returns those that may be used now, in the order of trying.
    """
    while subflow is not None:
        while not (ended := killed(transfer)).get(subflow.id):
            if ended.get(subflow.id) is False:
                return
            yield Until(event=ENDS)
        subflow = yield from open_first(paths())
        while subflow is None and not transfer.subflows:  # else nothing comes any more
            yield Until(elapsed=transfer.elapsed + RETRY_ALONE)
            subflow = yield from open_first(paths())


def killed(transfer: Transfer) -> dict[int, bool]:
    """Tell which subflows have ended since the last step: whether by themselves.

    Those that held up the others were ended here, for good.
    """
    ended = {e.subflow: e.kind == CLOSED for e in transfer.events if e.kind in ENDS}
    held_up = {e.subflow: False for e in transfer.events if e.kind == HELD_UP}
    return {number: by_itself for number, by_itself in (ended | held_up).items() if number}


def close(subflow: Subflow, *, lost: bool = False) -> Steps:
    """Close a subflow, which may have ended by itself meanwhile, or be the last that is left."""
    try:
        yield Close(subflow, lost)
    except CommandFailed:
        return
