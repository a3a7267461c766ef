"""Whether an object is wanted at all: `-z` and `--etag-compare`, and what they leave behind."""

from __future__ import annotations

import calendar
import os
import re
from dataclasses import dataclass
from email.utils import formatdate, mktime_tz, parsedate_tz
from pathlib import Path

import httpx

from ..environment import Environment
from ..exits import ExitCode, Failure, usage
from ..printable import decoded
from .settings import Settings
from .target import target

_DAY = re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII)
_WORDS = re.compile(
    "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|GMT|UTC?|Z)"
    "[a-z]*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class TimeCondition:
    """What `-z` asks for.

    Args:
        date: in seconds since 1970.
        older: whether what is older is wanted, not what is newer.
    """

    date: float
    older: bool

    @property
    def field(self) -> tuple[str, str]:
        """The header field that asks for it (RFC 9110, 13.1.3 and 13.1.4)."""
        name = "If-Unmodified-Since" if self.older else "If-Modified-Since"
        return name, formatdate(self.date, usegmt=True)

    def met(self, modified: float) -> bool:
        """Whether an object of a date is wanted, for servers that don't look at the field."""
        return modified < self.date if self.older else modified > self.date


def time_condition(settings: Settings) -> TimeCondition | None:
    """Return what `-z` asks for, or None.

    Raises:
        Failure: it is neither a file nor a date.
    """
    text = settings.time_cond
    if text is None:
        return None
    older = text.startswith("-")
    text = text.removeprefix("-").removeprefix("=")
    date = _date(text)
    if date is None:
        try:
            date = os.stat(text).st_mtime // 1
        except (OSError, ValueError) as error:
            what = f"-z: {text!r} is neither a date nor a file"
            raise usage(
                what, "a date is such as '20260131' or '31 Jan 2026 12:00:00 GMT'"
            ) from error
    return TimeCondition(date, older)


def _date(text: str) -> float | None:
    """Read a date that curl reads alike, or None."""
    if day := _DAY.fullmatch(text):
        try:
            return calendar.timegm((*map(int, day.groups()), 0, 0, 0))
        except ValueError:
            return None
    months = re.search("[a-z]{3}", text, re.IGNORECASE)
    if not months or re.search("[a-z]", _WORDS.sub("", text), re.IGNORECASE):
        return None
    found = parsedate_tz(text if ":" in text else f"{text} 00:00:00")
    try:
        return None if found is None else float(mktime_tz(found))
    except (ValueError, OverflowError):
        return None


def modified(response: httpx.Response) -> float | None:
    """Return when an object was changed last, if the server says so."""
    found = parsedate_tz(response.headers.get("last-modified", ""))
    try:
        return None if found is None else float(mktime_tz(found))
    except (ValueError, OverflowError):
        return None


def compared_tag(settings: Settings) -> str | None:
    """Return what If-None-Match asks for `--etag-compare`, or None.

    Raises:
        Failure: the file can't be read, and `--etag-save` won't make one either.
    """
    name = settings.etag_compare
    if name is None:
        return None
    try:
        text = decoded(Path(name).read_bytes())
    except FileNotFoundError as error:
        if settings.etag_save is None:
            raise Failure(ExitCode.READ, f"{name} can't be read: {error.strerror}") from error
        text = ""
    except OSError as error:
        raise Failure(ExitCode.READ, f"{name} can't be read: {error.strerror or error}") from error
    return text.partition("\n")[0].strip() or '""'


def save_tag(name: str, response: httpx.Response, environment: Environment) -> None:
    """Write an answer's entity tag; nothing if it has none, since the one before is another's.

    Raises:
        Failure: it can't be written.
    """
    tag = next((value for key, value in response.headers.raw if key.lower() == b"etag"), None)
    with target(name, environment) as sink:
        sink.write(tag + b"\n" if tag else b"")
