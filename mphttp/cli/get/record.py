"""`--report`: what happened, written also when it went wrong."""

from __future__ import annotations

from collections.abc import Sequence

from ..environment import Environment
from ..printable import json_text
from .target import target


def write_report(name: str, told: Sequence[dict[str, object]], environment: Environment) -> None:
    """Write the reports of a command line's transfers.

    One is an object over several lines; several are an object a line (JSON Lines), so that `jq`
    and the like read one or many in the same way.

    Args:
        name: the file, or "-" for stdout.
        told: a report for each transfer, in order.
        environment: where stdout is.

    Raises:
        Failure: it can't be written.
    """
    indent = 2 if len(told) == 1 else None
    with target(name, environment) as sink:
        for one in told:
            sink.write(json_text(one, indent).encode() + b"\n")
