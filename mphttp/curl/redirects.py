"""Where redirects lead, how many there are, and how much of their bodies is read."""

from __future__ import annotations

import pycurl

from .head import Head
from .message import Message
from .request import CurlRequest

_DRAINED = 65536
"""Bytes of a redirect's body that are read, so that its connection can be used again."""


class Redirects:
    """Those of one request.

    Args:
        wanted: what is asked for, and how many there may be.
    """

    def __init__(self, wanted: CurlRequest) -> None:
        self._wanted = wanted
        self._next: Message | None = None
        self._count = 0
        self._drained = 0

    def take(self, message: Message, head: Head) -> bool:
        """Record a response's head; return whether it leads elsewhere.

        Args:
            message: what was asked.
            head: the answer.

        Raises:
            pycurl.error: it points nowhere, or there were too many.
        """
        if not (self._wanted.follow_redirects and head.redirects):
            return False
        most = self._wanted.max_redirects
        if 0 <= most <= self._count:
            words = f"there are more than {most} redirects"
            raise pycurl.error(pycurl.E_TOO_MANY_REDIRECTS, words)
        self._next = message.redirected(head.status, head.value(b"location") or b"")
        return True

    @property
    def pending(self) -> bool:
        """Whether what comes is the body of a response that leads elsewhere."""
        return self._next is not None

    def drains(self, size: int) -> bool:
        """Record so many bytes of that; return whether more of it is read."""
        self._drained += size
        return self._drained <= _DRAINED

    def follow(self, code: int) -> Message | None:
        """Return what is to be sent now that libcurl is done with what pointed there.

        Args:
            code: its error code, 0 for none.
        """
        following, self._next = self._next, None
        ended = not code or self._drained > _DRAINED  # which libcurl takes for an error
        if following is None or not ended:
            return None
        self._count += 1
        self._drained = 0
        return following
