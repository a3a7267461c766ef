"""One daemon thread for the process: it wakes connections when time, bytes or the kernel say so.

Strategies run on it, so they never meet a lock, sync and async callers are served alike, and no
event loop is blocked by the kernel. It survives a fork (the child starts its own), a connection
whose turn fails (its strategies end, its bytes go on), lost events (all connections look anew), a
strategy that never comes back (another thread takes its place, see `guard`), and whatever else is
raised in it (it starts again, and a warning says so).
"""

from __future__ import annotations

import logging
import math
import os
import select
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from mphttp.core.backoff import Backoff, Joins
from mphttp.kernel.errors import KernelError
from mphttp.kernel.events import ConnectionClosed, Event, ListenerClosed, ListenerCreated, Overflow
from mphttp.kernel.hints import hint_for
from mphttp.kernel.mechanism import Mechanism
from mphttp.kernel.readonly.mechanism import ReadonlyMechanism

from .guard import Abandoned, Guard
from .mechanisms import Mechanisms
from .timers import Timers

T = TypeVar("T")

_log = logging.getLogger("mphttp.engine")
_PAUSE = 0.05
"""Seconds before the thread starts again after a fault, so that one that stays is no busy loop."""
_MORE_THREADS = "the limit on threads or processes is reached (`ulimit -u`, TasksMax= of systemd)"


class Woken(Protocol):
    """What the engine wakes: a connection. Times are of `time.monotonic`, in seconds."""

    def turn(self, now: float) -> float | None:
        """Do all that is due; return when to be woken next, or None."""

    def on_event(self, event: Event, now: float) -> None:
        """Record what the kernel told of this connection; a turn follows."""

    def fail(self, error: Exception) -> None:
        """Take a fault of ours: give up control, let the bytes go on."""

    def after_fork(self) -> None:
        """Belong to the parent from now on."""

    def shut_down(self) -> None:
        """Let whoever reads see that nothing more comes."""


class Engine:
    """The thread, its timers, and who is to be woken by which token.

    Attributes:
        joins: between which addresses no subflow can join a connection.
        harm: between which addresses a subflow held up the others.
        failure: why there is no thread, where none could be had.
    """

    def __init__(self) -> None:
        self.joins = Joins()
        self.harm = Backoff()
        self._connections: weakref.WeakSet[Woken] = weakref.WeakSet()
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.failure: KernelError | None = None
        self._guard = Guard(self._replace_thread)
        self._mechanisms = Mechanisms(self._adopt)
        self._woken: deque[Woken] = deque()
        self._timers: Timers[Woken] = Timers()
        self._asleep_until = -math.inf  # awake: it looks at timers before it sleeps
        self._by_token: weakref.WeakValueDictionary[int, Woken] = weakref.WeakValueDictionary()

    def after_fork(self) -> None:
        """Start anew in a child process: threads don't survive a fork."""
        inherited = list(self._connections)
        if self._thread is not None:
            os.close(self._waker)
        self._connections = weakref.WeakSet()
        self._reset()
        for connection in inherited:
            connection.after_fork()

    def start(self) -> bool:
        """Start the thread unless it runs; return whether it does, or else have the `failure`."""
        if self._thread is None:
            with self._lock:
                began = self._thread is None and self._start_once()
            if began:
                self._choose()  # what it opens is the process's, for good, as the thread is
        return self._thread is not None

    def _start_once(self) -> bool:
        waker = None
        try:
            self._poll = select.epoll()
            self._waker = waker = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            self._poll.register(waker, select.EPOLLIN)
            self._guard.start()
            self._start_thread()
        except (OSError, RuntimeError) as error:  # no descriptor or no thread is to be had
            self._thread = None
            if waker is not None:
                os.close(waker)
            number = getattr(error, "errno", None) or 0
            what = f"strategies can't run: {error}"
            self.failure = KernelError(what, hint=hint_for(number) or _MORE_THREADS)
            return False
        self.failure = None
        return True

    def _start_thread(self) -> None:
        """Let a new thread be the engine's, which it is before it runs."""
        self._thread = threading.Thread(target=self._main, name="mphttp-engine", daemon=True)
        self._thread.start()

    def _replace_thread(self) -> None:
        """Let another thread go on where the engine's is stuck in a strategy."""
        _log.warning("a strategy has not come back: another thread goes on without it")
        self._start_thread()

    def guarded(self, function: Callable[[], T], give_up: Callable[[], None]) -> T:
        """Call what may never come back: only on the engine's thread is that looked after.

        Args:
            function: a strategy's code.
            give_up: told, on another thread, if it doesn't come back.

        Raises:
            TooManyAbandoned: it wasn't called: others haven't come back.
        """
        if threading.current_thread() is not self._thread:
            return function()
        return self._guard.run(function, give_up)

    @property
    def mechanism(self) -> Mechanism:
        """What carries out the calls of a connection that is made now."""
        if not self.start():
            assert self.failure is not None
            return ReadonlyMechanism(self.failure)
        return self._choose()

    def _choose(self) -> Mechanism:
        try:
            return self._mechanisms.for_new_connections()
        except OSError as error:
            return ReadonlyMechanism(KernelError(f"subflows can't be controlled: {error}"))

    def _adopt(self, mechanism: Mechanism) -> None:
        """Have the events of a mechanism read."""
        events = mechanism.fileno()
        if events is not None:
            self._poll.register(events, select.EPOLLIN)

    def add(self, connection: Woken, token: int | None) -> None:
        """Wake a connection on the events of its token from now on."""
        with self._lock:
            self._connections.add(connection)
            if token is not None:
                self._by_token[token] = connection

    def wake(self, connection: Woken) -> None:
        """Give a connection a turn now."""
        if not self.start():
            return
        self._woken.append(connection)
        os.eventfd_write(self._waker, 1)

    def wake_at(self, connection: Woken, when: float) -> None:
        """Give a connection a turn at a time, unless it has one before that."""
        if not self.start():
            return
        with self._lock:
            if not self._timers.set(connection, when):
                return
            sleeps_too_long = when < self._asleep_until
        if sleeps_too_long:
            os.eventfd_write(self._waker, 1)

    def _main(self) -> None:
        while True:
            try:
                self._loop()
            except Abandoned:  # another thread has taken over
                return
            except BaseException:  # whatever it is, strategies must go on
                _log.warning("the engine's thread has failed, and starts again", exc_info=True)
                time.sleep(_PAUSE)
                self._woken.extend(self._connections)

    def _loop(self) -> None:
        waker = self._waker
        while True:
            for fd, _ in self._poll.poll(self._sleep()):
                if fd == waker:
                    os.eventfd_read(waker)
                else:
                    self._dispatch(fd)
            self._give_turns()

    def _give_turns(self) -> None:
        """Wake all whose time has come; the thread, asleep, then holds on to none of them."""
        for connection in self._ready(time.monotonic()):
            self._turn(connection)

    def _sleep(self) -> float | None:
        """Return the poll time-out, and publish it, so that `wake_at` knows when to interrupt."""
        with self._lock:
            if self._woken:
                self._asleep_until = -math.inf
                return 0
            self._asleep_until = self._timers.next
        if self._asleep_until == math.inf:
            return None
        return max(0.0, self._asleep_until - time.monotonic())

    def shut_down(self) -> None:
        """Let whoever reads from any connection see that nothing more comes."""
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.shut_down()

    def _ready(self, now: float) -> list[Woken]:
        """Take those that are to have a turn now."""
        ready: dict[Woken, None] = {}
        while self._woken:
            ready[self._woken.popleft()] = None
        with self._lock:
            ready.update(dict.fromkeys(self._timers.take_due(now)))
        return list(ready)

    def _turn(self, connection: Woken) -> None:
        try:
            when = connection.turn(time.monotonic())
        except Exception as error:  # a fault of ours must not end everybody's downloads
            connection.fail(error)
            return
        if when is not None:
            self.wake_at(connection, when)

    def _dispatch(self, descriptor: int) -> None:
        """Pass on the events that wait at a mechanism's descriptor."""
        found = (m for m in self._mechanisms.all() if m.fileno() == descriptor)
        mechanism = next(found, None)
        try:
            events = mechanism.events() if mechanism is not None else [Overflow()]
        except Exception:  # a fault of ours must not end everybody's strategies
            mechanism, events = None, [Overflow()]
        if mechanism is None:
            self._poll.unregister(descriptor)  # looks tell what it would have told
        self._pass_on(events)

    def _pass_on(self, events: Iterable[Event]) -> None:
        now = time.monotonic()
        for event in events:
            for connection in self._concerned(event):
                try:
                    connection.on_event(event, now)
                except Exception as error:  # as above
                    connection.fail(error)
                self._woken.append(connection)

    def _concerned(self, event: Event) -> list[Woken]:
        with self._lock:
            if isinstance(event, Overflow):
                return list(self._connections)
            if isinstance(event, ListenerCreated | ListenerClosed):
                return []
            if isinstance(event, ConnectionClosed):
                # The token can be another connection's soon.
                connection = self._by_token.pop(event.token, None)
            else:
                connection = self._by_token.get(event.token)
        return [] if connection is None else [connection]


engine = Engine()
"""The process's one."""

os.register_at_fork(after_in_child=engine.after_fork)
