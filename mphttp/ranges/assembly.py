"""One body put together of what several connections bring; here threads meet.

The reader (whoever iterates over the body) reads the first response itself, in its own thread or
task, and takes from the store what others brought. Each other connection has a thread (`worker`).
The engine opens, pauses and closes them (`control`).

Until somebody helps, whoever reads passes on what the first response brings, and only counts it: a
body of which there may never be parts costs next to nothing more. `begin` says that others are to
help, and `start` from where on, which the reader alone knows.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable

from .plan import Fetch, Plan, Source
from .resource import Refusal, Resource
from .store import MEMORY, Place, Store

_MOST_UNREAD = 64 * 1024
"""Bytes of the first response that may lie unread before it is the reader who is slow."""
_LEAST_WAIT = 1.0
"""Seconds for which a busy server is left alone even if it asks for less."""
_MOST_WAIT = 30.0
"""Seconds for which a busy server is waited for where nobody but it could bring the rest."""


class Assembly:
    """What has come of one body, and who brings the rest; any thread may call it.

    Args:
        resource: what is fetched.
        unread: tells how many bytes of the first response lie in its socket.
        place: a file in which each byte has its place; None for memory and a temporary file.

    Attributes:
        first: the first response, as the plan knows it.
        first_error: why it ended too early, or "".
        first_brought: bytes of the body that it brought.
        alone: why the first response has to go on alone, or "".
        passing: whether nobody is to help so far.
        on_change: called when a connection has come or gone.
    """

    def __init__(
        self, resource: Resource, unread: Callable[[], int], place: Place | None = None
    ) -> None:
        self.resource = resource
        self.first = Source(0, streams=True)
        self.first_error = ""
        self.first_brought = 0
        self.alone = ""
        self.passing = True
        self.on_change: Callable[[], None] = lambda: None
        self._unread = unread
        self._plan = Plan(resource.length)
        self._store = Store(place)
        self._position = 0
        self._news = threading.Condition()
        self._sources: list[Source] = []
        self._started = False
        self._shared = False
        self._first_ended = False
        self._closed = False
        self._heard_at = time.monotonic()
        self._not_before = 0.0
        self._busy_since: float | None = None
        self._given_up = ""
        self._news_of_waits: list[str] = []
        self._descriptor: int | None = None

    def begin(self, position: int) -> None:
        """Let others help, as soon as the reader hears of it.

        Args:
            position: bytes of the body that the reader has been given at least.
        """
        with self._news:
            self._position = position
            self.passing = False
            self._tell()

    # The reader.

    def start(self, position: int) -> None:
        """Let others help from here on; any number of calls do the same as one.

        Args:
            position: bytes of the body that the reader passed on.
        """
        if self._started:
            return
        with self._news:
            self._position = self.first_brought = position
            self._plan.stream(self.first, time.monotonic(), position)
            if self._first_ended:
                self._plan.leave(self.first)
            self._started = True
            self._tell()
        self.on_change()

    @property
    def done(self) -> bool:
        """Whether the reader has been given every byte."""
        return self._position == self.resource.length

    @property
    def shared(self) -> bool:
        """Whether anybody but the first response was ever asked to bring something."""
        return self._shared

    @property
    def first_fetches(self) -> bool:
        """Whether the first response goes on."""
        return bool(self.first.fetches) if self._started else not self._first_ended

    @property
    def first_read_whole(self) -> bool:
        """Whether the first response was read to its own end, if others are to help."""
        return not self.first_fetches and not self.first_error and not self._first_ended

    def ready(self) -> bytes:
        """Return what is here of what the reader wants next, b"" for nothing.

        Raises:
            OSError: the temporary file can't be read.
        """
        if not self._shared:
            return b""
        with self._news:
            data = self._store.take(self._position)
            self._position += len(data)
            return data

    def reads_first(self) -> bool:
        """Return whether the reader is to read on in the first response."""
        if not self._shared:
            return bool(self.first.fetches)
        with self._news:
            wanted = self._plan.may(self.first, time.monotonic())
            return wanted and self._plan.needed(self.first)

    @property
    def first_is_over(self) -> bool:
        """Whether nothing of the first response is wanted any more, though more would come."""
        with self._news:
            return not self._plan.needed(self.first)

    def reading(self) -> None:
        """Let all know that the reader waits for the first response."""
        self.first.wait(time.monotonic())

    def pausing(self) -> None:
        """Let all know that the reader does something else."""
        self.first.rest(time.monotonic())

    def from_first(self, data: bytes) -> bytes:
        """Record what the first response brought; return what of it the reader is given now."""
        with self._news:
            self.first_brought += len(data)
            if not self.first.fetches:  # ended while the reader waited: others bring it again
                return b""
            begin, now = self.first.fetches[0].position, time.monotonic()
            given = b""
            for start, stop in self._plan.new(self.first, len(data)):
                part = data if stop - start == len(data) else data[start - begin : stop - begin]
                if start == self._position:
                    given = part
                    self._position = stop
                else:
                    # Next after what lies ready, which is read before there is more of this.
                    self._store.hold(start, part)
            self._plan.came(self.first, len(data), now)
            self._heard_at, self._busy_since = now, None
            if self._shared and self._plan.complete:
                self._tell()
            return given

    def lose_first(self, why: str) -> None:
        """Record that the first response broke off: others may bring the rest."""
        with self._news:
            self._plan.leave(self.first)
            self.first_error = why or "it broke off"
            self._tell()
        self.on_change()

    def wait(self, seconds: float) -> None:
        """Wait until something may be ready."""
        with self._news:
            if not self._plan.have.covers(self._position, self._position + 1):
                self._news.wait(seconds)

    @property
    def orphaned(self) -> bool:
        """Whether the first response brings nothing any more, and something is missing."""
        with self._news:
            return not (self.first_fetches or self._plan.complete or self._closed)

    @property
    def stuck(self) -> str:
        """Why nobody brings what is missing, not even by and by; "" as long as somebody may."""
        with self._news:
            if self.first_fetches or self._plan.complete:
                return ""
            if any(source.fetches for source in self._sources):
                return ""
            if self._busy_since is not None and self._not_before - self._busy_since > _MOST_WAIT:
                wait = f"{self.busy_for:.0f} s"
                return f"the server is busy, and asks to be left alone for {wait}"
            return "" if self._sources else self.alone or self._given_up

    def give_up(self, why: str) -> None:
        """Record that nobody will be asked any more, where nobody is there."""
        with self._news:
            self._given_up = self._given_up or why
            self._tell()

    @property
    def heard_at(self) -> float:
        """When something came last, of `time.monotonic`."""
        return self._heard_at

    def fileno(self) -> int:
        """Return a descriptor that is readable when something may be ready (for event loops)."""
        with self._news:
            if self._descriptor is None:
                self._descriptor = os.eventfd(1, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            return self._descriptor

    def seen(self) -> None:
        """Make the descriptor unreadable until there is more."""
        with self._news, contextlib.suppress(BlockingIOError):
            if self._descriptor is not None:
                os.eventfd_read(self._descriptor)

    # The workers.

    def join(self, source: Source) -> None:
        """Let a connection bring parts."""
        with self._news:
            self._shared = True
            self._given_up = ""
            self._sources.append(source)
            self._plan.join(source)

    def part_with(self, source: Source) -> None:
        """Record that a connection is gone."""
        with self._news:
            if source in self._sources:
                self._sources.remove(source)
            self._plan.leave(source)
            self._tell()
        self.on_change()

    def assign(self, source: Source) -> list[Fetch]:
        """Return what a connection is to be asked for now."""
        with self._news:
            now = time.monotonic()
            fetches: list[Fetch] = []
            while not self._held_back(now) and (fetch := self._plan.next(source, now)):
                fetches.append(fetch)
            return fetches

    def _held_back(self, now: float) -> bool:
        """Return whether the reader is slow, or the server wants to be left alone."""
        if self._closed or not self._started or self._plan.complete or now < self._not_before:
            return True
        if self.first.fetches and self.first.active:
            return not self.first.waited_for and self._unread() > _MOST_UNREAD
        return self._ready_now() > MEMORY

    def _ready_now(self) -> int:
        """Return the bytes that are here of what the reader wants next, in order."""
        gaps = self._plan.have.missing(self._position, self.resource.length)
        return (gaps[0][0] if gaps else self.resource.length) - self._position

    def bring(self, source: Source, data: bytes) -> None:
        """Take the next bytes of a part.

        Raises:
            OSError: they can't be kept.
        """
        with self._news:
            if self._closed or not source.fetches:
                return
            begin = source.fetches[0].position
            try:
                for start, stop in self._plan.new(source, len(data)):
                    self._store.put(start, data[start - begin : stop - begin])
            except OSError as error:
                what = f"what comes early can't be kept: {error.strerror or error}"
                if not self.alone:
                    self.alone = what
                    self._news_of_waits.append(what)
                raise OSError(what) from error
            self._heard_at, self._busy_since = time.monotonic(), None
            self._plan.came(source, len(data), self._heard_at)
            if self._plan.complete or begin <= self._position < begin + len(data):
                self._tell()

    def give_back(self, source: Source) -> None:
        """Record that what a connection was asked for is anybody's."""
        with self._news:
            source.fetches.clear()
            self._news.notify_all()

    def idle(self, seconds: float) -> None:
        """Wait, as a connection that has nothing to bring."""
        with self._news:
            if not self._closed:
                self._news.wait(seconds)

    def refused(self, refusal: Refusal) -> None:
        """Record that a server didn't give a part, and why."""
        with self._news:
            if refusal.wait is None:
                self.alone = self.alone or refusal.what
            else:
                now, wait = time.monotonic(), max(_LEAST_WAIT, refusal.wait)
                self._not_before = max(self._not_before, now + wait)
                self._busy_since = now if self._busy_since is None else self._busy_since
                self._tell()

    def waits(self, why: str) -> None:
        """Record that a connection waits, which shows nowhere else."""
        with self._news:
            self._news_of_waits.append(why)

    def told_waits(self) -> list[str]:
        """Return why connections wait, each reason once."""
        with self._news:
            told, self._news_of_waits = self._news_of_waits, []
            return told

    @property
    def busy_for(self) -> float:
        """Seconds for which the server asked to be left alone, 0.0 if it didn't."""
        return max(0.0, self._not_before - time.monotonic())

    # The engine.

    def delivered(self) -> int:
        """Return the bytes of the body that the network has brought."""
        with self._news:
            here = self._plan.have.size if self._started else self._position
            goes_on = not self._started or self._plan.needed(self.first)
            return min(here + (self._unread() if goes_on else 0), self.resource.length)

    @property
    def left(self) -> int:
        """Bytes of the body that the network hasn't brought."""
        return self.resource.length - self.delivered()

    def unread(self) -> int:
        """Return the bytes that lie ready for the reader, in order."""
        with self._news:
            return self._ready_now() + (self._unread() if self.first_fetches else 0)

    def end_first(self) -> None:
        """Let the first response be over; the reader closes it."""
        with self._news:
            self._first_ended = self._first_ended or self.first_fetches
            self._plan.leave(self.first)
            self._tell()

    def pause(self, source: Source, paused: bool) -> None:
        """Let a connection end what it has begun, and begin nothing, or let it go on."""
        with self._news:
            source.active = not paused
            self._tell()

    def close(self) -> None:
        """Forget all; whoever waits is woken, and connections end."""
        with self._news:
            if self._closed:
                return
            self._closed = True
            self._store.close()
            self._tell()
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def after_fork(self) -> None:
        """Forget all, in a child process; a thread of the parent's may have held the lock."""
        self._news = threading.Condition()
        self.close()

    @property
    def closed(self) -> bool:
        """Whether nobody wants anything any more."""
        return self._closed

    def _tell(self) -> None:
        self._news.notify_all()
        if self._descriptor is not None:
            os.eventfd_write(self._descriptor, 1)
