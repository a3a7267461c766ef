"""A body of which libcurl brings the first response, and other connections what comes early."""

from __future__ import annotations

import time
from collections.abc import Callable

import pycurl

from mphttp.ranges.assembly import Assembly
from mphttp.ranges.reader import MOST_SILENCE

from .loop import Loop

_PIECES = 16
"""Pieces of at most 128 KiB that others brought, given at one look."""


class Alone:
    """A body that libcurl brings alone.

    Args:
        give: takes each piece of it.
    """

    def __init__(self, give: Callable[[bytes], object]) -> None:
        self._give = give

    @property
    def heard_at(self) -> float:
        """When something came last that libcurl doesn't know of, of `time.monotonic`."""
        return 0.0

    @property
    def overdue(self) -> bool:
        """Whether others have been silent for long, where the first response broke off."""
        return False

    def rest(self) -> None:
        """Take that the caller does something else."""

    def wait(self) -> None:
        """Take that the caller waits for what comes."""

    def came(self, chunk: bytes) -> None:
        """Take what libcurl brought."""
        self._give(chunk)

    def look(self) -> None:
        """Give what others brought, and let libcurl do what is wanted of the first response."""

    def goes_on(self, code: int, words: str) -> bool:  # noqa: ARG002  for those who override
        """Tell whether others bring the rest, now that libcurl is done.

        Args:
            code: its error code, 0 for none.
            words: what it says of it.
        """
        return False

    def outcome(self, code: int, words: str) -> tuple[int, str]:
        """Return libcurl's error code and words as they are for the whole body."""
        return code, words

    def close(self) -> None:
        """Look no more."""


class Joined(Alone):
    """Puts both in order.

    Args:
        assembly: what others bring.
        easy: libcurl's handle of the first response.
        loop: runs it, and looks here when others have brought something.
        give: takes each piece of the body.
        look: calls `look`, and keeps what it raises.
    """

    def __init__(
        self,
        assembly: Assembly,
        easy: pycurl.Curl,
        loop: Loop,
        give: Callable[[bytes], object],
        look: Callable[[], None],
    ) -> None:
        self._assembly = assembly
        self._easy = easy
        self._loop = loop
        super().__init__(give)
        self._look = look
        self._runs = True  # libcurl goes on with the first response
        self._paused = False
        self._position = 0  # as long as libcurl alone brings something
        self._broke: tuple[int, str] | None = None
        self._descriptor = assembly.news.fileno()
        loop.watch(self._descriptor, look)

    @property
    def heard_at(self) -> float:
        """When something came last, of `time.monotonic`."""
        return self._assembly.heard_at

    def rest(self) -> None:
        """Take that the caller does something else."""
        self._assembly.first.rest(time.monotonic())

    def wait(self) -> None:
        """Take that the caller waits for what comes."""
        self._assembly.first.wait(time.monotonic())

    def came(self, chunk: bytes) -> None:
        """Take what libcurl brought."""
        if self._assembly.passing:
            self._position += len(chunk)
            self._give(chunk)
            return
        self._assembly.start(self._position)
        self._hand_on(self._assembly.from_first(chunk))
        if self._assembly.shared:
            self._loop.soon(self._look)

    def look(self) -> None:
        """Give what others brought, and let libcurl do what is wanted of the first response."""
        self._assembly.news.seen()
        if self._assembly.passing:
            return
        self._assembly.start(self._position)
        for _ in range(_PIECES):
            piece = self._assembly.ready()
            if not piece:
                break
            self._hand_on(piece)
        else:
            self._loop.soon(self._look)
        self._steer()

    def _hand_on(self, piece: bytes) -> None:
        if piece:
            self.rest()
            self._give(piece)
            self.wait()

    def _steer(self) -> None:
        assembly = self._assembly
        if not self._runs:
            if assembly.done or assembly.stuck:
                self._loop.end(self._easy)
        elif assembly.first.read_whole:
            """libcurl is about to say so."""
        elif assembly.first_is_over:
            self._loop.end(self._easy)
        elif assembly.reads_first() is self._paused:
            self._paused = not self._paused
            self._easy.pause(pycurl.PAUSE_RECV if self._paused else pycurl.PAUSE_CONT)

    def goes_on(self, code: int, words: str) -> bool:
        """Tell whether others bring the rest, now that libcurl is done.

        Args:
            code: its error code, 0 for none.
            words: what it says of it.
        """
        assembly = self._assembly
        if assembly.passing:
            return False
        assembly.start(self._position)
        if self._runs and not assembly.done:
            self._runs = False
            if assembly.first_is_over:
                assembly.end_first()
            else:
                self._broke = code or pycurl.E_PARTIAL_FILE, words
                assembly.lose_first(words)
            self._loop.soon(self._look)
        return not assembly.done and not assembly.stuck

    @property
    def overdue(self) -> bool:
        """Whether the others have been silent for long, where the first response broke off."""
        silent = time.monotonic() - self.heard_at
        return self._broke is not None and silent >= MOST_SILENCE

    def outcome(self, code: int, words: str) -> tuple[int, str]:
        """Return libcurl's error code and words as they are for the whole body."""
        if self._assembly.passing:
            return code, words
        if self._assembly.done:
            return 0, ""
        if code:
            return code, words
        return self._broke or (pycurl.E_RECV_ERROR, self._assembly.stuck)

    def close(self) -> None:
        """Look no more."""
        self._loop.unwatch(self._descriptor)
        if self._assembly.passing:  # else its carrier does
            self._assembly.close()
