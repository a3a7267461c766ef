"""One body put together of what several connections bring; here threads meet.

The reader (whoever iterates over the body) reads the first response itself, in its own thread or
task, and takes from the store what others brought. Each other connection has a thread (`worker`).
The engine opens, pauses and closes them (`control`).

Until somebody helps, whoever reads passes on what the first response brings, and only counts it: a
body of which there may never be parts costs next to nothing more. `begin` says that others are to
help, and `start` from where on, which the reader alone knows.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from .news import News
from .plan import Fetch, First, Plan, Source
from .refusals import Refusals
from .resource import Resource
from .store import MEMORY, Place, Store

_MOST_UNREAD = 64 * 1024
"""Bytes of the first response that may lie unread before it is the reader who is slow."""


class Assembly:
    """What has come of one body, and who brings the rest; any thread may call it.

    Args:
        resource: what is fetched.
        unread: tells how many bytes of the first response lie in its socket.
        place: a file in which each byte has its place; None for memory and a temporary file.

    Attributes:
        first: the first response, as the plan knows it.
        news: the lock, and how to wait for what is new.
        refusals: why others bring nothing.
        passing: whether nobody is to help so far.
        shared: whether anybody but the first response was ever asked to bring something.
        heard_at: when something came last, of `time.monotonic`.
        on_change: called when a connection has come or gone.
    """

    def __init__(
        self, resource: Resource, unread: Callable[[], int], place: Place | None = None
    ) -> None:
        self.resource = resource
        self.first = First(0, streams=True)
        self.news = News()
        self.refusals = Refusals(self.news)
        self.passing = True
        self.shared = False
        self.heard_at = time.monotonic()
        self.on_change: Callable[[], None] = lambda: None
        self._unread = unread
        self._plan = Plan(resource.length)
        self._store = Store(place)
        self._position = 0

    def begin(self, position: int) -> None:
        """Let others help, as soon as the reader hears of it.

        Args:
            position: bytes of the body that the reader has been given at least.
        """
        with self.news:
            self._position = position
            self.passing = False
            self.news.tell()

    # The reader.

    def start(self, position: int) -> None:
        """Let others help from here on; any number of calls do the same as one.

        Args:
            position: bytes of the body that the reader passed on.
        """
        if self.first.planned:
            return
        with self.news:
            self._position = self.first.brought = position
            self._plan.stream(self.first, time.monotonic(), position)
            if self.first.ended:
                self._plan.leave(self.first)
            self.first.planned = True
            self.news.tell()
        self.on_change()

    @property
    def done(self) -> bool:
        """Whether the reader has been given every byte."""
        return self._position == self.resource.length

    def ready(self) -> bytes:
        """Return what is here of what the reader wants next, b"" for nothing.

        Raises:
            OSError: the temporary file can't be read.
        """
        if not self.shared:
            return b""
        with self.news:
            data = self._store.take(self._position)
            self._position += len(data)
            return data

    def reads_first(self) -> bool:
        """Return whether the reader is to read on in the first response."""
        if not self.shared:
            return bool(self.first.fetches)
        with self.news:
            wanted = self._plan.may(self.first, time.monotonic())
            return wanted and self._plan.needed(self.first)

    @property
    def first_is_over(self) -> bool:
        """Whether nothing of the first response is wanted any more, though more would come."""
        with self.news:
            return not self._plan.needed(self.first)

    def from_first(self, data: bytes) -> bytes:
        """Record what the first response brought; return what of it the reader is given now."""
        with self.news:
            self.first.brought += len(data)
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
            self.heard_at = now
            self.refusals.heard()
            if self.shared and self._plan.complete:
                self.news.tell()
            return given

    def lose_first(self, why: str) -> None:
        """Record that the first response broke off: others may bring the rest."""
        with self.news:
            self._plan.leave(self.first)
            self.first.error = why or "it broke off"
            self.news.tell()
        self.on_change()

    def wait(self, seconds: float) -> None:
        """Wait until something may be ready."""
        with self.news:
            if not self._plan.have.covers(self._position, self._position + 1):
                self.news.wait(seconds)

    @property
    def orphaned(self) -> bool:
        """Whether the first response brings nothing any more, and something is missing."""
        with self.news:
            return not (self.first.goes_on or self._plan.complete or self.news.closed)

    @property
    def stuck(self) -> str:
        """Why nobody brings what is missing, not even by and by; "" as long as somebody may."""
        with self.news:
            others = self._plan.others()
            if self.first.goes_on or self._plan.complete or any(o.fetches for o in others):
                return ""
            return self.refusals.stuck(anybody=bool(others))

    # The workers.

    def join(self, source: Source) -> None:
        """Let a connection bring parts."""
        with self.news:
            self.shared = True
            self.refusals.joined()
            self._plan.join(source)

    def part_with(self, source: Source) -> None:
        """Record that a connection is gone."""
        with self.news:
            self._plan.leave(source)
            self.news.tell()
        self.on_change()

    def assign(self, source: Source) -> list[Fetch]:
        """Return what a connection is to be asked for now."""
        with self.news:
            now = time.monotonic()
            fetches: list[Fetch] = []
            while not self._held_back() and (fetch := self._plan.next(source, now)):
                fetches.append(fetch)
            return fetches

    def _held_back(self) -> bool:
        """Return whether the reader is slow, or the server wants to be left alone."""
        if self.news.closed or not self.first.planned or self._plan.complete:
            return True
        if self.refusals.busy_for:
            return True
        if self.first.fetches and self.first.active:
            return not self.first.waited_for and self._unread() > _MOST_UNREAD
        return self._plan.ahead(self._position) > MEMORY

    def bring(self, source: Source, data: bytes) -> None:
        """Take the next bytes of a part.

        Raises:
            OSError: they can't be kept.
        """
        with self.news:
            if self.news.closed or not source.fetches:
                return
            begin = source.fetches[0].position
            try:
                for start, stop in self._plan.new(source, len(data)):
                    self._store.put(start, data[start - begin : stop - begin])
            except OSError as error:
                what = f"what comes early can't be kept: {error.strerror or error}"
                self.refusals.unkept(what)
                raise OSError(what) from error
            self.heard_at = time.monotonic()
            self._plan.came(source, len(data), self.heard_at)
            self.refusals.heard()
            if self._plan.complete or begin <= self._position < begin + len(data):
                self.news.tell()

    def give_back(self, source: Source) -> None:
        """Record that what a connection was asked for is anybody's."""
        with self.news:
            source.fetches.clear()
            self.news.tell()

    # The engine.

    def delivered(self) -> int:
        """Return the bytes of the body that the network has brought."""
        with self.news:
            here = self._plan.have.size if self.first.planned else self._position
            goes_on = not self.first.planned or self._plan.needed(self.first)
            return min(here + (self._unread() if goes_on else 0), self.resource.length)

    def left(self) -> int:
        """Return the bytes of the body that the network hasn't brought."""
        return self.resource.length - self.delivered()

    def unread(self) -> int:
        """Return the bytes that lie ready for the reader, in order."""
        with self.news:
            ready = self._plan.ahead(self._position)
            return ready + (self._unread() if self.first.goes_on else 0)

    def end_first(self) -> None:
        """Let the first response be over; the reader closes it."""
        with self.news:
            self.first.ended = self.first.ended or self.first.goes_on
            self._plan.leave(self.first)
            self.news.tell()

    def pause(self, source: Source, paused: bool) -> None:
        """Let a connection end what it has begun, and begin nothing, or let it go on."""
        with self.news:
            source.active = not paused
            self.news.tell()

    def close(self) -> None:
        """Forget all; whoever waits is woken, and connections end."""
        with self.news:
            if not self.news.closed:
                self._store.close()
                self.news.close()

    def after_fork(self) -> None:
        """Forget all, in a child process; a thread of the parent's may have held the lock."""
        self.news.after_fork()
        self.close()
