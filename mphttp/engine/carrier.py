"""What responses come over, as strategies and reports see it: subflows, paths, events.

A `Carrier` is a connection (`connection`), or several that bring parts of one body
(`mphttp.ranges`). What tells them apart is where their state is read and who carries out calls.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from functools import lru_cache
from typing import Protocol

from mphttp.kernel.addresses import unmapped
from mphttp.kernel.connection_events import SubflowClosed as Told
from mphttp.kernel.errors import KernelError
from mphttp.kernel.events import (
    AddressAnnounced,
    AddressRemoved,
    ConnectionClosed,
    Event,
    Overflow,
    SubflowClosed,
    SubflowEstablished,
    SubflowPriority,
)
from mphttp.kernel.interfaces.paths import path_of
from mphttp.kernel.mechanism import Control
from mphttp.kernel.values import ConnectionInfo, FourTuple, Path, SocketAddress
from mphttp.strategies import Command

from .calls import Calls
from .exchange import Exchange
from .ledger import Entry, Ledger
from .loop import Engine
from .paths import usable_paths

_LOOK_EVERY = 0.2
"""Seconds between two looks while a strategy works: what a subflow carried is lost when it ends."""
_PATHS_FOR = 1.0
"""Seconds for which the list of paths is taken as it was."""
_PATH_LOST = "its interface is down, or its route or address is gone; `Handover` opens another"


class Taken(Protocol):
    """The state at some moment, perhaps not read yet."""

    @property
    def bytes_received(self) -> int:
        """Bytes that had come over all of it, in order."""

    def decode(self) -> ConnectionInfo:
        """Read it into values."""


class Reader(Protocol):
    """Takes down the state of what responses come over."""

    @property
    def multipath(self) -> bool:
        """Whether it speaks MPTCP, as far as is known."""

    def all(self) -> Taken:
        """Take down everything; raises NoSuchSubflow when it is closed."""

    def bytes_only(self) -> Taken:
        """Do as `all` does, for less where only bytes can be new since the last time."""


class Carrier:
    """What one or more responses come over.

    Args:
        reader: takes down its state.
        remote: where the peer is.
        engine: wakes it.
        path_names: the paths that may be used, preferred first, or None for all.

    Attributes:
        lock: for all that is not said to be free of it.
        settled: notified when the reports of responses that have ended are final.
        ledger: the book of subflows.
        gone: ids of subflows that ended with an earlier response.
        refused_hint: what mends it where the peer refuses a subflow, or one is reset.
        joins: whether further subflows are MPTCP's, which a middlebox may refuse to all.
    """

    refused_hint = "`mphttp doctor URL` tries each path"
    joins = False

    def __init__(
        self,
        reader: Reader,
        remote: SocketAddress,
        engine: Engine,
        path_names: tuple[str, ...] | None,
    ) -> None:
        self.lock = threading.RLock()
        self.settled = threading.Condition(self.lock)
        self.engine = engine
        self.remote = unmapped(remote)
        self.path_names = path_names
        self._reader = reader
        self._announced: dict[int, SocketAddress] = {}
        self._untold: list[Entry] = []  # have ended, and an event may still tell why
        self._paths: list[Path] = []
        self._paths_until = -math.inf
        self._exchanges: list[Exchange] = []
        self._ended: list[Exchange] = []
        self._closed = False
        self._look_at = math.inf
        self.gone: frozenset[int] = frozenset()
        self._initial: int | None = None
        self.ledger = self.new_ledger()

    def _begin(self, control: Control | None, before: Taken, now: float) -> None:
        """Take what carries out the calls, and the state before the first response."""
        self._before = before
        self.ledger.observe(before.decode(), now)
        self._initial = next((entry.id for entry in self.ledger.open()), None)
        self._calls = Calls(
            control,
            self.ledger,
            self.remote,
            self._path,
            hint=self.refused_hint,
            joins=self.engine.joins if self.joins else None,
        )
        self.engine.add(self, control.token if control else None)
        if control:  # what was announced before that, no event tells again
            self._announced.update(control.announced())

    @property
    def protocol(self) -> str:
        """The protocol as the report names it: "mptcp" or "tcp"."""
        return "mptcp" if self._reader.multipath else "tcp"

    @property
    def mechanism_name(self) -> str:
        """Name of what carries out the calls, "none" where nothing does."""
        raise NotImplementedError

    @property
    def busy(self) -> bool:
        """Whether a subflow is being opened, or drained before it is closed."""
        return self._calls.busy

    # The reading side.

    def enter(self, exchange: Exchange) -> Taken:
        """Let a response begin; return the connection as it was before its first byte."""
        if self._exchanges:  # others are under way (HTTP/2): what came so far is theirs
            self._before = self._reader.all()
        self._exchanges.append(exchange)
        if exchange.wants_subflows:
            if (obstacle := exchange.obstacle(self.missing())) is not None:
                exchange.problem(*obstacle)
            if self._calls.control is not None:
                self._calls.control.listen()
        return self._before

    def leave(self, exchange: Exchange, *, whole: bool) -> Taken | None:  # noqa: ARG002  for those who override
        """Let a response end; return the connection as it is after its last byte.

        Args:
            exchange: the one that ends.
            whole: whether its body came to its end.
        """
        if exchange in self._exchanges:
            if exchange.engaged:
                self._at_the_end(exchange)
            self._exchanges.remove(exchange)
            if not self._closed:
                undisturbed = not exchange.engaged and not self._exchanges
                with contextlib.suppress(KernelError):
                    self._before = self._reader.bytes_only() if undisturbed else self._reader.all()
            if exchange.engaged:
                self._calls.retire(exchange)
                self.gone = self.ledger.gone()
                self._ended.append(exchange)
                self.engine.wake(self)
        return self._before

    def _at_the_end(self, exchange: Exchange) -> None:
        """Tell a response what went wrong at its very end, before any event or look would."""
        now = time.monotonic()
        self._paths_until = -math.inf
        self.paths()
        self.look(now)
        self._tell_untold()
        self._calls.unanswered(exchange, now)

    def missing(self) -> tuple[str, str] | None:
        """Say what keeps strategies from opening subflows, and what mends it, or None."""
        raise NotImplementedError

    # What strategies and reports ask for.

    def new_ledger(self) -> Ledger:
        """Make an empty book that knows the interfaces of this machine."""
        return Ledger(_interface_of, self._initial)

    def paths(self) -> list[Path]:
        """Return the paths that reach the peer, preferred first."""
        now = time.monotonic()
        with self.lock:
            if now >= self._paths_until:
                self._paths_until = now + _PATHS_FOR
                with contextlib.suppress(KernelError):
                    before, self._paths = self._paths, usable_paths(self.remote, self.path_names)
                    if before and before != self._paths:
                        self._tell_changes(before, now)
            return self._paths

    def _tell_changes(self, before: list[Path], now: float) -> None:
        """Say which paths with subflows are gone, or have another name.

        The subflows themselves only fall silent. A path that was never listed, as where routes
        depend on the source address, can't be lost.
        """
        for entry in self.ledger.alive():
            host = entry.tuple.local.host
            here = next((path for path in self._paths if path.address == host), None)
            if here is not None and here.name != entry.path:
                self._tell("path_renamed", entry, f"to {here.name}")
                entry.path = here.name
            elif here is None and self._is_lost(entry, before):
                what = f"{entry.path} doesn't reach the server any more"
                self._tell("path_lost", entry)
                self._trouble(what, _PATH_LOST)
                self._calls.failed(entry, what, _PATH_LOST, now)

    def _is_lost(self, entry: Entry, before: list[Path]) -> bool:
        host = entry.tuple.local.host
        if entry.path in {path.name for path in before} - {path.name for path in self._paths}:
            return True
        # The interface may have got another address, by DHCP, or only prefer one (RFC 8981).
        return any(path.address == host for path in before) and _interface_of(host) == "?"

    def remotes(self) -> list[SocketAddress]:
        """Return the peer's addresses: the connection's own, then those that it announced."""
        port = self.remote.port
        announced = (SocketAddress(host, own or port) for host, own in self._announced.values())
        return list(dict.fromkeys([self.remote, *announced]))

    def _path(self, name: str, remote: SocketAddress) -> Path | None:
        path = next((path for path in self.paths() if path.name == name), None)
        if path is None or remote.host == self.remote.host:
            return path
        # Another address may need another source address, if only one of its family.
        return next(iter(usable_paths(remote, (name,))), None)

    def bytes_received(self) -> int | None:
        """Return the bytes that have come over the connection; None when it is closed."""
        if self._closed:
            return None
        try:
            return self._reader.bytes_only().bytes_received
        except KernelError:
            return None

    def unread(self) -> int | None:
        """Return the bytes that lie ready for the application; None for all that it hasn't read."""
        return None

    def look(self, now: float) -> ConnectionInfo | None:
        """Read the connection, and write down what is new; None when it is closed."""
        if self._closed:
            return None
        try:
            info = self._reader.all().decode()
        except KernelError:
            return None
        for entry in self.ledger.observe(info, now):
            self._tell("subflow_closed", entry, entry.info.error)
            self._ended_by_itself(entry, entry.info.error, now)
        return info

    def _ended_by_itself(self, entry: Entry, reason: str, now: float) -> None:
        """Take that a subflow has ended, perhaps though nobody wanted that."""
        if entry.opened_at is None or entry.closing or entry.told:
            return
        what = f"the subflow on {entry.path} ended" + (f": {reason}" if reason else "")
        self._calls.killed(entry, what, now)
        if reason:
            entry.told = True
            self._trouble(what, self.refused_hint)
        else:
            self._untold.append(entry)

    def _tell_untold(self) -> None:
        """Tell without a reason what no event has told with one, unless the connection is over."""
        untold, self._untold = [e for e in self._untold if not e.told], []
        if any(entry.info.established for entry in self.ledger.alive()):
            for entry in untold:
                entry.told = True
                self._trouble(f"the subflow on {entry.path} ended", self.refused_hint)

    # The engine's side.

    def carry_out(self, exchange: Exchange, command: Command, now: float) -> None:
        """Do what a strategy asked for."""
        self._calls.carry_out(exchange, command, now)
        self._look_at = min(self._look_at, now + _LOOK_EVERY)

    def turn(self, now: float) -> float | None:
        """Do all that is due; return when to be woken next, or None."""
        with self.lock:
            if self._closed:
                return None
            info = None
            if now >= self._look_at:
                self._tell_untold()  # that of the look before; since then an event had its time
            if self._calls.busy or now >= self._look_at:
                info = self.look(now)
            if now >= self._look_at:
                self._look_after()
                self._look_at = now + _LOOK_EVERY
            if any(exchange.engaged for exchange in self._exchanges):
                self.paths()
            self._settle_ended(now)
            self._calls.step(info, now)
            times = [exchange.turn(now) for exchange in list(self._exchanges)]
            times.append(self._calls.next_time(now))
            if any(exchange.engaged for exchange in self._exchanges):
                self._look_at = min(self._look_at, now + _LOOK_EVERY)
                times.append(self._look_at)
        return min((when for when in times if when is not None), default=None)

    def _look_after(self) -> None:
        """Do what is to be done at each look."""

    def on_event(self, event: Event, now: float) -> None:
        """Take what the kernel told of this connection."""
        with self.lock:
            if self._closed:
                return
            self._calls.on_event(event, now)
            match event:
                case SubflowEstablished():
                    self._tell("subflow_established", self._entry(event.tuple))
                case SubflowClosed():
                    self._subflow_closed(event, now)
                case SubflowPriority():
                    detail = "backup" if event.backup else "regular"
                    self._tell("subflow_priority", self._entry(event.tuple), detail)
                case AddressAnnounced():
                    self._announced[event.remote_id] = event.remote
                    self._tell("address_announced", detail=event.remote.host)
                case AddressRemoved():
                    self._announced.pop(event.remote_id, None)
                    self._tell("address_removed", detail=f"id {event.remote_id}")
                case ConnectionClosed():
                    self._tell("connection_closed")
                case Overflow():
                    self.look(now)
                case _:
                    pass  # the turn that follows every event is all that is needed

    def _subflow_closed(self, event: SubflowClosed, now: float) -> None:
        entry = self.ledger.newest(event.tuple)
        if entry is None:
            return
        if self.ledger.closed(event.tuple, now):  # else a look has told already, without a reason
            self._tell("subflow_closed", entry, _reason(event))
        elif event.error:
            for exchange in self._exchanges:
                exchange.explain("subflow_closed", entry, _reason(event))
        if event.error:
            self._ended_by_itself(entry, _reason(event), now)
        elif entry.opened_at is not None and not entry.closing:  # in good order
            entry.told = True
            self._calls.killed(entry, f"the subflow on {entry.path} ended", now)

    def fail(self, error: Exception) -> None:
        """Take a fault of ours: the strategies end, the bytes go on."""
        with self.lock:
            for exchange in self._exchanges:
                exchange.give_up(f"mphttp itself failed with {type(error).__name__}: {error}")

    def after_fork(self) -> None:
        """Leave the connection to the parent process, whose thread may have held the lock."""
        self.lock = threading.RLock()
        self.settled = threading.Condition(self.lock)
        with self.lock:
            self._closed = True
            self._settle_all(time.monotonic())

    def _tell(self, kind: str, entry: Entry | None = None, detail: str = "") -> None:
        for exchange in self._exchanges:
            exchange.note(kind, entry, detail)

    def _trouble(self, what: str, hint: str = "") -> None:
        for exchange in self._exchanges:
            exchange.problem(what, hint)

    def _entry(self, four_tuple: FourTuple) -> Entry | None:
        return next((e for e in self.ledger.open() if e.tuple == four_tuple), None)

    def _settle_ended(self, now: float) -> None:
        ended, self._ended = self._ended, []
        if ended and any(entry.closing for entry in self.ledger.open()):
            self.look(now)  # no event may have told yet that one is closed
        for exchange in ended:
            self._calls.release(exchange, now)
            exchange.settle(self.ledger)
        if ended:
            # What was to end may have had to stay, since the others ended meanwhile.
            alive = frozenset(entry.id for entry in self.ledger.alive())
            self.gone -= alive
            for exchange in self._exchanges:
                exchange.stayed(alive)
            self.settled.notify_all()
            self.ledger.forget(min((e.sent_at for e in self._exchanges), default=now))

    def _settle_all(self, now: float) -> None:
        self.ledger.all_closed(now)
        for exchange in self._ended + self._exchanges:
            exchange.settle(self.ledger)
        self.settled.notify_all()
        self._ended, self._exchanges = [], []


def _interface_of(address: str) -> str:
    """Name the interface that has a local address, as it was within the last second."""
    return _interface_in(address, int(time.monotonic()))


@lru_cache(maxsize=256)
def _interface_in(address: str, _second: int) -> str:
    path = None
    with contextlib.suppress(KernelError):
        path = path_of(address)
    return path.name if path else "?"


def _reason(event: SubflowClosed) -> str:
    """Say why a subflow closed, where the kernel tells."""
    return Told(None, event.tuple, event.error, event.reset_reason).reason
