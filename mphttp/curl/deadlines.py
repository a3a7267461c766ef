"""How long a transfer may take yet, over all its connections."""

from __future__ import annotations

import time

import pycurl

from .request import Limits

_NEVER = 2**31 - 1
"""Milliseconds; 0 would be libcurl's own 300 s for connecting."""


class Deadlines:
    """A transfer's limits, from the moment this is made. Times are of `time.monotonic`.

    Args:
        limits: as the caller gave them.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        now = time.monotonic()
        self._end = None if limits.total is None else now + limits.total
        self.connects()

    def connects(self) -> None:
        """Take that a first attempt to connect to a server begins; all of them share one limit."""
        connect = self._limits.connect
        self._connected_by = None if connect is None else time.monotonic() + connect

    @property
    def connectable(self) -> bool:
        """Whether there is time for another attempt to connect."""
        now = time.monotonic()
        ends = (end for end in (self._end, self._connected_by) if end is not None)
        return all(now < end for end in ends)

    @property
    def over(self) -> bool:
        """Whether the whole has taken as long as it may."""
        return self._end is not None and time.monotonic() >= self._end

    def overdue(self, heard_at: float) -> bool:
        """Whether a limit is reached, where libcurl doesn't watch them any more.

        Args:
            heard_at: when something came last.
        """
        silence = self._limits.silence
        silent = silence is not None and time.monotonic() - heard_at >= silence
        return self.over or silent

    def apply(self, easy: pycurl.Curl) -> None:
        """Have libcurl watch what is left of them."""
        easy.setopt(pycurl.TIMEOUT_MS, _left(self._end) or 0)
        easy.setopt(pycurl.CONNECTTIMEOUT_MS, _left(self._connected_by) or _NEVER)
        if self._limits.silence is not None:
            easy.setopt(pycurl.LOW_SPEED_LIMIT, 1)
            easy.setopt(pycurl.LOW_SPEED_TIME, max(1, round(self._limits.silence)))


def _left(end: float | None) -> int | None:
    """Return the whole milliseconds that are left; at least one, since 0 is no limit to libcurl."""
    return None if end is None else min(max(1, round((end - time.monotonic()) * 1e3)), _NEVER)
