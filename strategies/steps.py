"""The steps that several strategies share: they yield commands, and live with those that fail."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

from .commands import Close, Command, CommandFailed, Open, OpenFailed
from .strategy import Steps
from .view import Path, Remote, Subflow


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


def close(subflow: Subflow, *, lost: bool = False) -> Steps:
    """Close a subflow, which may have ended by itself meanwhile, or be the last that is left."""
    try:
        yield Close(subflow, lost)
    except CommandFailed:
        return
