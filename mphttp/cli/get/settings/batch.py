"""Many URLs: where they are listed, and how many are fetched at once."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .option import Option, several, switch, value

_MOST = 300


def _at_once(text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", text):
        raise ValueError(f"{text!r} is no number of transfers, such as 10")
    return min(int(text), _MOST) or 50


@dataclass(frozen=True, kw_only=True)
class BatchSettings:
    """Many URLs."""

    input_file: tuple[str, ...] = several(
        Option(
            ("--input-file",),
            "fetch the URLs in this file, too (- is stdin): one a line, each to a file of its name "
            "unless -o says where; lines that begin with # say nothing",
            "FILE",
            str,
        )
    )
    parallel: bool = switch("-Z", "--parallel", means="fetch several URLs at once")
    parallel_max: int = value(
        "--parallel-max",
        metavar="N",
        parse=_at_once,
        default=50,
        means="so many at once with -Z (default 50, at most 300)",
    )
    parallel_immediate: bool = switch(
        "--parallel-immediate", means="with -Z, connect anew rather than wait; so it is in any case"
    )
    fail_early: bool = switch("--fail-early", means="end all with the first that fails")
    one_deadline: bool = switch(
        "--one-deadline", means="--deadline is for all URLs together, not for each"
    )
