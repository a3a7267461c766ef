"""What goes on, and what is tried again."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...units import duration
from .option import switch, value


def _offset(text: str) -> int | str:
    if text == "-":
        return text
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise ValueError(f"{text!r} is no offset: a number of bytes, or - for the file's own size")
    return int(text)


def _attempts(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError(f"{text!r} is no number of attempts, such as 5")
    return int(text)


@dataclass(frozen=True, kw_only=True)
class AgainSettings:
    """What goes on, and what is tried again."""

    continue_at: int | str | None = value(
        "-C",
        "--continue-at",
        metavar="OFFSET",
        parse=_offset,
        means="go on after so many bytes, which you vouch for; - goes on where the file ends if a "
        "strong validator shows that it is the same object, and starts over if not; with -T, leave "
        "out so many bytes of the file",
    )
    retry: int = value(
        "--retry",
        metavar="N",
        parse=_attempts,
        default=0,
        means="try again so often after what may pass: time-out, no connection, a broken body, "
        "status 408, 429, 500, 502, 503, 504",
    )
    retry_delay: float | None = value(
        "--retry-delay",
        metavar="TIME",
        parse=duration,
        means="wait so long before each (default: 1s, then twice as long)",
    )
    retry_max_time: float | None = value(
        "--retry-max-time",
        metavar="TIME",
        parse=duration,
        means="begin no attempt later than this after the first",
    )
    retry_all_errors: bool = switch(
        "--retry-all-errors", means="try again after any error of the transfer"
    )
