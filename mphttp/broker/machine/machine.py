"""The thread that looks after connections which nobody claims; what it does is decided in `care`.

It has a thread, sockets and a clock of its own, so that nothing that happens here holds up those
who ask the broker. Whatever goes wrong in it is logged, and it goes on.
"""

from __future__ import annotations

import math
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path as File

from mphttp.kernel.errors import KernelError, ProtocolError
from mphttp.kernel.events import ConnectionClosed, Event
from mphttp.kernel.interfaces.monitor import InterfaceMonitor
from mphttp.kernel.path_manager.endpoints import read_settings
from mphttp.kernel.path_manager.events import decode_event
from mphttp.kernel.reading.listing import SocketLister

from ..namespace import Namespace
from .calls import Ask, Call, Failure, Hand, Join
from .care import Caretaker
from .carrying import carry_out, find_out
from .connection import Further
from .handed import Handed
from .rules_found import RulesFile

RULES = "/etc/mphttp/mphttpd.toml"
"""Where the rules are, unless another file is named."""
_LOOK_EVERY = 1.0
"""Seconds between two looks at endpoints, limits and rules while there are connections."""
_FRESH = 0.05
"""Seconds for which endpoints and limits are taken as they were."""
_MOST_CLAIMS = 1 << 16
"""Claims that wait to be heeded, where no thread is to be had."""
_PAUSE = 0.5
"""Seconds after a fault, so that one that stays is no busy loop."""
_AGAIN_AFTER = 60.0
"""Seconds after which the same fault is told again."""

Log = Callable[[str], None]


class Machine:
    """Looks after the connections of the network namespace of the thread that makes it.

    Args:
        rules: the file of rules; it may be absent.
        log: takes one line.

    Raises:
        KernelError: the kernel's path manager can't be used.
    """

    def __init__(self, rules: str, log: Log) -> None:
        self._log = log
        self._rules = RulesFile(File(rules), log)
        self._by_program = False
        self._namespace = Namespace()
        self._lister = SocketLister()
        self._interfaces = InterfaceMonitor()
        self._care = Caretaker()
        self._handed = Handed(self._lister, log)
        self._claims: deque[int] = deque(maxlen=_MOST_CLAIMS)
        self._runs = False
        self._trouble, self._trouble_at = "", -math.inf
        self._waker = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.epoll()
        for fd in (self._waker, self._namespace.fileno(), self._interfaces.fileno()):
            self._poll.register(fd, select.EPOLLIN)
        self._read_at = -math.inf

    def start(self) -> None:
        """Begin to look after connections, those that there are among them.

        Where no thread is to be had, it is tried again with each claim.
        """
        self._runs = True
        try:
            threading.Thread(target=self._main, name="mphttpd-machine", daemon=True).start()
        except (RuntimeError, MemoryError) as error:
            self._runs = False
            self._tell_trouble(f"no thread: {error}")

    def claim(self, token: int) -> None:
        """Take that a client looks after a connection by itself; any thread may say so."""
        self._claims.append(token)
        if not self._runs:
            self.start()
        os.eventfd_write(self._waker, 1)

    def _main(self) -> None:
        lost = True  # what was before isn't known
        while True:
            try:
                if lost:
                    self._look_anew()
                    lost = False
                self._turn()
            except Exception as error:  # a fault of ours, or no memory: it must go on
                self._tell_trouble(repr(error))
                time.sleep(_PAUSE)
                lost = True

    def _tell_trouble(self, what: str) -> None:
        """Log a fault, unless it is the same one over and over."""
        now = time.monotonic()
        if what != self._trouble or now >= self._trouble_at + _AGAIN_AFTER:
            self._trouble, self._trouble_at = what, now
            self._log(f"trouble with the connections that nobody claims: {what}")

    def _turn(self) -> None:
        """Wait for something to happen, and do what follows."""
        self._poll.poll(self._sleep())
        with suppress(BlockingIOError):
            os.eventfd_read(self._waker)
        news = bool(self._interfaces.events())
        events, overflow = self._events()
        now = time.monotonic()
        for event in events:
            self._take(event, now)
        if overflow:
            self._look_anew()
        if news or self._due(now):
            self._read_settings(now)
        self._heed_claims()
        self._care.on_time(now)
        self._make_calls(now)

    def _sleep(self) -> float | None:
        times = [when for when in (self._care.next_time(), self._look_at()) if when is not None]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _look_at(self) -> float | None:
        return self._read_at + _LOOK_EVERY if self._care.busy else None

    def _due(self, now: float) -> bool:
        """Whether endpoints and limits are to be read, as before each decision."""
        wanted = self._care.next_time()
        if wanted is not None and wanted <= now:
            return now >= self._read_at + _FRESH
        look_at = self._look_at()
        return look_at is not None and now >= look_at

    # What the kernel tells.

    def _events(self) -> tuple[list[Event], bool]:
        """Read all that waits; tell whether something was lost."""
        events: list[Event] = []
        while (batch := self._namespace.events()) != []:
            if batch is None:
                return events, True
            for _, payload in batch:
                try:
                    event = decode_event(payload)
                except ProtocolError:
                    return events, True
                if event is not None:
                    events.append(event)
        return events, False

    def _take(self, event: Event, now: float) -> None:
        self._care.on_event(event, now)
        if isinstance(event, ConnectionClosed):
            self._handed.end(event.token)
        else:
            self._handed.on_event(event, now)

    def _look_anew(self) -> None:
        """Find out which connections there are, where their events were lost."""
        now, listings = time.monotonic(), self._lister.connections()
        self._read_settings(now)
        for token in self._care.forget_all_but(one.connection.token for one in listings):
            self._handed.end(token)
        self._handed.end_all_but({one.connection.token for one in listings})
        for one in listings:
            token, first = one.connection.token, one.connection.tuple
            others = [s for s in one.subflows if s.info.tuple != first]
            further = [Further(s.info.tuple, s.local_id, s.remote_id) for s in others]
            if not (one.connection.fell_back or self._handed.has(token)):
                self._care.found(token, first, further, now)

    # What is set up.

    def _read_settings(self, now: float) -> None:
        self._read_at = now
        with suppress(KernelError):  # as they were, then
            self._care.configure(
                read_settings(lambda message, dump: self._namespace.request(message, dump=dump))
            )
        rules = self._rules.changed()
        if rules is not None:
            self._by_program = any(rule.programs for rule in rules)
            self._care.use_rules(rules)

    # What follows.

    def _heed_claims(self) -> None:
        while self._claims:
            token = self._claims.popleft()
            self._care.claim(token)
            self._handed.end(token)

    def _make_calls(self, now: float) -> None:
        while calls := self._care.take_calls():
            for call in calls:
                self._heed_claims()
                self._make(call, now)

    def _make(self, call: Call, now: float) -> None:
        if self._care.is_claimed(call.token):
            return
        match call:
            case Ask():
                told = find_out(call, self._lister, programs=self._by_program)
                self._care.told(call, told, now)
            case Hand():
                self._handed.take(call, self._namespace)
            case Join(_, local, remote) if local.host is None:
                host = self._namespace.source_towards(remote.host)
                if host is None:
                    self._care.failed(call, Failure.REFUSED, now)
                else:
                    self._make(self._care.named(call, host), now)
            case _:
                failure = carry_out(call, self._namespace)
                if failure is not None:
                    self._care.failed(call, failure, now)
