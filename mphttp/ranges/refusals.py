"""Why nobody but the first response brings anything, for a while or for good."""

from __future__ import annotations

import time

from .news import News
from .resource import Refusal

_LEAST_WAIT = 1.0
"""Seconds for which a busy server is left alone even if it asks for less."""
_MOST_WAIT = 30.0
"""Seconds for which a busy server is waited for where nobody but it could bring the rest."""


class Refusals:
    """What keeps connections from bringing parts of one body; any thread may call it.

    Args:
        news: the body's lock, and who is to hear of it.

    Attributes:
        alone: why the first response has to go on alone, or "".
    """

    def __init__(self, news: News) -> None:
        self.alone = ""
        self._news = news
        self._not_before = 0.0
        self._busy_since: float | None = None
        self._given_up = ""
        self._waits: list[str] = []

    def refused(self, refusal: Refusal) -> None:
        """Record that a server didn't give a part, and why."""
        with self._news:
            if refusal.wait is None:
                self.alone = self.alone or refusal.what
                return
            now, wait = time.monotonic(), max(_LEAST_WAIT, refusal.wait)
            self._not_before = max(self._not_before, now + wait)
            self._busy_since = now if self._busy_since is None else self._busy_since
            self._news.tell()

    def unkept(self, what: str) -> None:
        """Record that what comes early can't be kept."""
        with self._news:
            if not self.alone:
                self.alone = what
                self._waits.append(what)

    def give_up(self, why: str) -> None:
        """Record that nobody will be asked any more, where nobody is there."""
        with self._news:
            self._given_up = self._given_up or why
            self._news.tell()

    def joined(self) -> None:
        """Record that somebody is there again."""
        self._given_up = ""

    def heard(self) -> None:
        """Record that something came."""
        self._busy_since = None

    def waits(self, why: str) -> None:
        """Record that a connection waits, which shows nowhere else."""
        with self._news:
            self._waits.append(why)

    def told(self) -> list[str]:
        """Return why connections wait, each reason once."""
        with self._news:
            told, self._waits = self._waits, []
            return told

    @property
    def busy_for(self) -> float:
        """Seconds for which the server asked to be left alone, 0.0 if it didn't."""
        return max(0.0, self._not_before - time.monotonic())

    def stuck(self, *, anybody: bool) -> str:
        """Return why what is missing won't come, "" as long as it may.

        Args:
            anybody: whether a connection is there that could be asked.
        """
        if self._busy_since is not None and self._not_before - self._busy_since > _MOST_WAIT:
            wait = f"{self.busy_for:.0f} s"
            return f"the server is busy, and asks to be left alone for {wait}"
        return "" if anybody else self.alone or self._given_up
