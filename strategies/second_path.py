"""The step that several strategies share: one more path, whichever works."""

from __future__ import annotations

from .commands import Open, OpenFailed
from .strategy import Steps
from .view import Transfer


def open_second_path(transfer: Transfer) -> Steps:
    """Open a subflow on the first unused path that takes one."""
    for path in transfer.unused_paths:
        try:
            yield Open(path)
        except OpenFailed:
            continue
        return
