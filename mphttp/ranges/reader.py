"""Whoever reads a body that several connections bring: what every door does alike."""

from __future__ import annotations

import time
from typing import Protocol

from .assembly import Assembly
from .link import words_of

_SLICE = 0.1
"""Seconds for which the first response is waited for, before a look at what others brought."""
_SHORT_SLICE = 0.02
"""The same once there are others."""
MOST_SILENCE = 30.0
"""Seconds for which others may be silent where the first response broke off, which would have been
an error at once, and the caller waits without a limit."""


class TooShortError(OSError):
    """The first response ended before its length, and nobody brings the rest."""


class First(Protocol):
    """The first response, as a blocking door reads on in it.

    Attributes:
        failures: what `read` raises where the response broke off.
    """

    failures: tuple[type[Exception], ...]

    def read(self, seconds: float) -> bytes | None:
        """Return what comes next, None if nothing does in time, b"" at its end."""

    def over(self) -> None:
        """Record that nothing more of it is wanted."""


class Reader:
    """Reads a body: in the first response, and what others brought.

    Args:
        assembly: where they meet.
        timeout: seconds for which nobody may bring anything while it is waited for, or None.
    """

    def __init__(self, assembly: Assembly, timeout: float | None) -> None:
        self.assembly = assembly
        self._timeout = timeout
        self._waits_since = time.monotonic()
        self._left = timeout
        self._position = 0  # as long as it is passed on
        self._lost: Exception | None = None

    def next(self, first: First) -> bytes:
        """Return the next bytes, b"" at the end.

        Raises:
            TimeoutError: nobody brought anything in time.
            TooShortError: the first response was, and nobody brings the rest.
            OSError: nobody is left who could bring the rest, or what came early can't be read.
            Exception: the first response's failure, where nobody else brings the rest.
        """
        self.begin()
        while self.assembly.passing:
            data = self._pass(first)
            if data is not None:
                return data
        self.start()
        while not self.assembly.done:
            data = self.assembly.ready() or self._more(first)
            if data:
                self.assembly.first.rest(time.monotonic())
                return data
            self.check()
        return b""

    def _pass(self, first: First) -> bytes | None:
        """Read on in the first response alone; None where nothing comes, or others may help now."""
        try:
            part = first.read(self.slice)
        except first.failures as error:
            self.fail(error)
            return None
        return self.passed(part)

    def _more(self, first: First) -> bytes:
        """Read on in the first response, or wait for others; return what there is to give now."""
        if not self.assembly.reads_first():
            if self.assembly.first_is_over:
                first.over()
            self.assembly.wait(self.slice)
            return b""
        self.assembly.first.wait(time.monotonic())
        try:
            part = first.read(self.slice)
        except first.failures as error:
            self.lose(error)
            return b""
        return self.take(part)

    # What doors that don't block put together themselves.

    @property
    def slice(self) -> float:
        """Seconds for which to wait before another look."""
        slice_ = _SHORT_SLICE if self.assembly.shared else _SLICE
        return slice_ if self._left is None else min(slice_, self._left)

    def begin(self) -> None:
        """Record that the caller waits from now on."""
        self._waits_since, self._left = time.monotonic(), self._timeout

    def passed(self, part: bytes | None) -> bytes | None:
        """Record what the first response brought while nobody helped it; return what to give.

        Args:
            part: as `First.read` returns it.

        Returns:
            b"" at the end; None where there is to be another look.
        """
        if part:
            self._position += len(part)
            return part
        if part is None:
            self.check()
            return None
        if self._position < self.assembly.resource.length:
            self.fail(TooShortError("the server ended the response too early"))
        return b""

    def fail(self, error: Exception) -> None:
        """Record that the first response broke off, which is the end unless others may help now."""
        if self.assembly.passing:
            raise error
        self.start()
        self.lose(error)

    def start(self) -> None:
        """Let others help from where the first response is."""
        self.assembly.start(self._position)

    def came_before(self, data: bytes) -> None:
        """Record what of the first response was given already."""
        if self.assembly.passing:
            self._position += len(data)
        else:
            self.assembly.from_first(data)

    def take(self, part: bytes | None) -> bytes:
        """Record what the first response brought (`First.read`); return what to give."""
        if part is None:
            return b""
        if not part:
            self.lose(TooShortError("the server ended the response too early"))
        return self.assembly.from_first(part)

    def lose(self, error: Exception) -> None:
        """Go on without the first response: what ended it is raised where others can't."""
        self._lost = error
        self.assembly.lose_first(words_of(error))

    def check(self) -> None:
        """Raise what ends the body: nobody brings anything, or nobody could."""
        stuck = self.assembly.stuck
        if stuck:
            raise self._lost or OSError(stuck)
        silent = time.monotonic() - max(self._waits_since, self.assembly.heard_at)
        if self._timeout is not None:
            self._left = self._timeout - silent
            if self._left <= 0:
                raise TimeoutError("timed out")
        if self._lost is not None and silent >= MOST_SILENCE:
            raise self._lost
