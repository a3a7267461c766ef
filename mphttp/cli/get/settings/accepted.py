"""Which answers are wanted, and what has to hold of their bodies."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...units import size
from .option import Option, several, switch, value

_HEX = re.compile(r"[0-9a-f]{64}")


def digest(text: str) -> str:
    """Check a SHA-256 digest in hexadecimal, and return it in lower case; or @ and a file's name.

    Raises:
        ValueError: it is none.
    """
    if text.startswith("@"):
        return text
    if not _HEX.fullmatch(text.lower()):
        raise ValueError(f"{text!r} is no SHA-256 digest, which has 64 hexadecimal digits")
    return text.lower()


@dataclass(frozen=True, kw_only=True)
class AcceptedSettings:
    """Which answers are wanted."""

    time_cond: str | None = value(
        "-z",
        "--time-cond",
        metavar="DATE",
        parse=str,
        means="only what is newer than this date, or than a file of this name; with a - before it, "
        "older",
    )
    etag_save: str | None = value(
        "--etag-save", metavar="FILE", parse=str, means="write the object's entity tag there"
    )
    etag_compare: str | None = value(
        "--etag-compare", metavar="FILE", parse=str, means="only what hasn't the entity tag there"
    )
    max_filesize: int | None = value(
        "--max-filesize",
        metavar="SIZE",
        parse=size,
        means="fail if the body is larger",
    )
    fail: bool = switch("-f", "--fail", means="no output if status is 400 or up")
    fail_with_body: bool = switch(
        "--fail-with-body", means="the output is written, and the exit code is that of -f"
    )
    sha256: tuple[str, ...] = several(
        Option(
            ("--sha256",),
            "fail, and leave no file, if the body isn't the one with this digest; @FILE names a "
            "list of digests and names, as sha256sum writes it",
            "HEX|@FILE",
            digest,
        )
    )
