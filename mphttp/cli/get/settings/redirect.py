"""Whether redirects are followed, and how."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .option import switch, value


def redirects(text: str) -> int:
    """Read how many redirects are followed; -1 is any number.

    Raises:
        ValueError: it is no number.
    """
    if not re.fullmatch(r"-1|[0-9]{1,9}", text):
        raise ValueError(f"{text!r} is no number of redirects, such as 5; -1 is without end")
    return int(text)


@dataclass(frozen=True, kw_only=True)
class RedirectSettings:
    """What is done with redirects."""

    location: bool = switch("-L", "--location", means="follow redirects")
    post301: bool = switch("--post301", means="stay with POST after a redirect by status 301")
    post302: bool = switch("--post302", means="stay with POST after a redirect by status 302")
    post303: bool = switch("--post303", means="stay with POST after a redirect by status 303")
    max_redirs: int = value(
        "--max-redirs",
        metavar="N",
        parse=redirects,
        default=50,
        means="follow no more (default 50; -1 is without end)",
    )
