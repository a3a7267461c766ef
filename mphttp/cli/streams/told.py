"""Reports of streams, a line each, written as they end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mphttp.report import Report

from ..environment import Environment, write_all
from ..exits import unwritable

Tell = Callable[[Report], None]


@contextmanager
def told_in(name: str | None, environment: Environment) -> Iterator[Tell]:
    """Give what takes reports.

    Args:
        name: of the file, which begins anew; "-" is stdout; None for none.
        environment: has stdout.

    Raises:
        Failure: the file can't be written.
    """
    if name is None:
        yield lambda _: None
        return
    if name == "-":
        yield lambda report: environment.write_json(report.to_dict())
        return
    try:
        with open(name, "wb", buffering=0) as file:
            yield lambda report: write_all(file, _line(report).encode())
    except OSError as error:
        raise unwritable(name, error) from error


def _line(report: Report) -> str:
    return json.dumps(report.to_dict()) + "\n"
