"""What responses come over, as strategies and reports see it: subflows, paths, events.

A `Carrier` is a connection (`connection`), or several that bring parts of one body
(`mphttp.ranges`). What tells them apart is where their state is read and who carries out calls.

What is decided is the path manager's (`mphttp.core`). Here is who reads the kernel for it, makes
the calls that it wants, without a lock, and tells the responses.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from collections import deque
from dataclasses import replace
from functools import lru_cache
from typing import Protocol

from mphttp.core import (
    Answer,
    CloseSubflow,
    Explain,
    Failure,
    KernelCall,
    Note,
    OpenSubflow,
    PathManager,
    SetSubflowBackup,
    SetSubflowOption,
    SubflowRecord,
    SubflowTable,
    Trouble,
    WithdrawAddress,
)
from mphttp.kernel.addresses import family, unmapped
from mphttp.kernel.errors import KernelError, NoSuchSubflow
from mphttp.kernel.events import Event, Overflow
from mphttp.kernel.interfaces.honoured import left_by
from mphttp.kernel.interfaces.paths import path_of
from mphttp.kernel.mechanism import Control
from mphttp.kernel.values import FourTuple, Path, SocketAddress, SubflowInfo
from mphttp.report import SubflowReport
from mphttp.strategies import Command, Open, Remote

from .account import Account, Taken
from .exchange import Exchange
from .loop import Engine
from .paths import paths_to_any, usable_paths
from .request import Request

_log = logging.getLogger("mphttp.engine")
_LOOK_EVERY = 0.2
"""Seconds between two looks while a strategy works: what a subflow carried is lost when it ends."""
_PATHS_FOR = 1.0
"""Seconds for which the list of paths is taken as it was."""


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
        lock: for all that several threads change; held for moments, never while a strategy runs or
            a call is made.
        table: the subflows.
        refused_hint: what mends it where the peer refuses a subflow, or one is reset.
        joins: whether further subflows are MPTCP's, which a middlebox may refuse to all.
        reasons_later: whether events tell why a subflow ended, after a look may have found it so.
        asks_after: seconds after which the kernel asks an idle peer whether it is there, or None.
    """

    refused_hint = "`mphttp doctor URL` tries each path"
    joins = False
    reasons_later = True
    asks_after: float | None = None

    def __init__(
        self,
        reader: Reader,
        remote: SocketAddress,
        engine: Engine,
        path_names: tuple[str, ...] | None,
    ) -> None:
        self.lock = threading.RLock()
        self.engine = engine
        self.remote = unmapped(remote)
        self.path_names = path_names
        self._began_with: FourTuple | None = None
        self.device = 0  # index of the interface to which the first socket is bound, if to any
        self.also_at: tuple[SocketAddress, ...] = ()  # the peer, in the other family
        self._reader = reader
        self._control: Control | None = None
        self._listens = False
        self._calls: deque[KernelCall] = deque()
        self._paths: list[Path] = []
        self._paths_until = -math.inf
        self._exchanges: list[Exchange] = []
        self._ended: list[Exchange] = []
        self._orphans: list[Exchange] = []  # their strategies are still to be stopped
        self._closed = False
        self._look_at = math.inf
        self._initial: int | None = None
        self.table = self.new_table()
        self._manager = PathManager(
            self.table,
            self.remote,
            hint=self.refused_hint,
            joins=engine.joins if self.joins else None,
            harm=engine.harm if self.joins else None,
            reasons_later=self.reasons_later,
        )

    def _begin(self, control: Control | None, before: Taken, now: float) -> None:
        """Take what carries out the calls, and the state before the first response."""
        self._before = before
        self.table.observe(before.decode(), now)
        self._initial = next((record.id for record in self.table.open()), None)
        self._take_charge(control)

    def _take_charge(self, control: Control | None) -> None:
        self._control = control
        self._manager.controlled = control is not None
        self.engine.add(self, control.token if control else None)

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
        return self._manager.busy or bool(self._calls)

    # The reading side.

    def enter(self, exchange: Exchange) -> Taken:
        """Let a response begin; return the connection as it was before its first byte."""
        if self._exchanges:  # others are under way (HTTP/2): what came so far is theirs
            self._before = self._reader.all()
        self._exchanges.append(exchange)
        return self._before

    def withdraw(self, exchange: Exchange) -> None:
        """Let a transfer go on over something else; under the lock."""
        if exchange in self._exchanges:
            self._exchanges.remove(exchange)
            if exchange.engaged:
                now = time.monotonic()
                self._manager.retire(exchange, now)
                self._manager.release(exchange, now)
                self._tell()

    def leave(self, exchange: Exchange, *, whole: bool) -> Taken | None:  # noqa: ARG002  for those who override
        """Let a response end; return the connection as it is after its last byte.

        Args:
            exchange: the one that ends.
            whole: whether its body came to its end.
        """
        if exchange in self._exchanges:
            now = time.monotonic()
            if exchange.engaged:
                self.look(now)
                self._manager.tell_untold()
                self._manager.unanswered(exchange, now)
                self._tell()
            self._exchanges.remove(exchange)
            if not self._closed:
                undisturbed = not exchange.engaged and not self._exchanges
                with contextlib.suppress(KernelError):
                    self._before = self._reader.bytes_only() if undisturbed else self._reader.all()
            if exchange.engaged:
                self._manager.retire(exchange, now, keep=exchange.keeps)
                self._ended.append(exchange)
                self.engine.wake(self)
        return self._before

    def missing(self) -> tuple[str, str] | None:
        """Say what keeps strategies from opening subflows, and what mends it, or None."""
        raise NotImplementedError

    # What strategies and reports ask for.

    def new_table(self) -> SubflowTable:
        """Make an empty table that knows the interfaces of this machine."""
        return SubflowTable(self._interface_of, self._initial)

    def _interface_of(self, pair: FourTuple) -> str:
        """Name the interface by which a subflow leaves, as it was within the last second."""
        now = int(time.monotonic())
        if self._began_with in (None, pair):
            self._began_with = pair
            return _interface_in(pair.local.host, self.remote.host, self.device, now)
        return _interface_by(pair, now)

    def alive(self) -> list[SubflowRecord]:
        """Return the subflows that carry data, oldest first, after a look; under the lock."""
        return self.table.alive()

    def rows(self, account: Account, table: SubflowTable | None = None) -> list[SubflowReport]:
        """Tell of the subflows that were alive during a response, oldest first; under the lock.

        Args:
            account: of the response.
            table: what is known of them, if not this carrier's own.
        """
        numbered = self.mechanism_name != "none"
        known = self.table if table is None else table
        return account.rows(known, lambda: {r.id for r in self.table.alive()}, numbered=numbered)

    def delivered(self, account: Account) -> int | None:
        """Return the bytes that came for a response; None where that isn't known any more."""
        total = self.bytes_received()
        return None if total is None else account.delivered(total)

    def answered(self) -> None:
        """Take that the head of a response has come."""

    def gone(self) -> frozenset[int]:
        """Return the ids of subflows that ended with earlier responses, or are about to."""
        return self.table.leaving()

    def paths(self) -> list[Path]:
        """Return the paths that reach the peer, preferred first, as they were a moment ago."""
        if time.monotonic() >= self._paths_until:
            self.renew_paths()
        return self._paths

    def renew_paths(self) -> None:
        """Ask anew which paths reach the peer."""
        now = time.monotonic()
        with contextlib.suppress(KernelError):
            paths = paths_to_any(self.remote, self.also_at, self.path_names)
            with self.lock:
                before, self._paths = self._paths, paths
                if before and before != paths:
                    self._manager.on_paths(before, paths, now)
                    self._tell()
        # Not before: another thread would take the list for known that is still empty.
        self._paths_until = now + _PATHS_FOR

    def remotes(self) -> list[SocketAddress]:
        """Return the peer's addresses: the connection's own, then those that it announced."""
        return self._manager.remotes

    def path_of(self, command: Open) -> Path | None:
        """Return the path of an open as the kernel knows it; None if it doesn't reach the peer."""
        return self._path(command.path.name, self._manager.remote_of(command))

    def _path(self, name: str, remote: SocketAddress) -> Path | None:
        path = next((path for path in self.paths() if path.name == name), None)
        if path is None or remote.host == self.remote.host:
            return path
        # Another address may need another source address, if only one of its family.
        return next(iter(usable_paths(remote, (name,))), None)

    def reached_from(self, path: Path, remote: SocketAddress) -> SocketAddress:
        """Return an address of the peer, or the one of the other family if only that is reached."""
        if remote.host != self.remote.host or family(path.address) == family(remote.host):
            return remote
        return next(iter(self.also_at), remote)

    def bytes_received(self) -> int | None:
        """Return the bytes that have come over the connection; None when it is closed."""
        with self.lock:
            if self._closed:
                return None
            try:
                return self._reader.bytes_only().bytes_received
            except KernelError:
                return None

    def acknowledged(self, before: Taken) -> tuple[int | None, int | None]:  # noqa: ARG002  as above
        """Return the bytes that the peer has acknowledged since, and those that it hasn't yet.

        Args:
            before: the connection as it was then.
        """
        return None, None

    def ask_after(self, seconds: int) -> None:
        """Have an idle peer asked whether it is there, if the kernel can do that here.

        Args:
            seconds: of silence, and between two questions.
        """

    @property
    def resting(self) -> bool:
        """Whether all transfers are streams that rest, and nothing is under way."""
        exchanges = self._exchanges
        return bool(exchanges) and all(e.resting for e in exchanges) and not self.busy

    def wants_parts(self, asked: Request) -> bool:  # noqa: ARG002  as above
        """Tell whether a response shall be fetched in parts, if it can be: here it is."""
        return False

    def unread(self) -> int | None:
        """Return the bytes that lie ready for the application; None for all that it hasn't read."""
        return None

    def _waiting(self) -> int | None:
        """Return the bytes that came and can't be delivered yet; None while we are who sends."""
        sending = any(exchange.sends for exchange in self._exchanges)
        return None if sending else self.waiting()

    def waiting(self) -> int | None:
        """Return the bytes that came and wait for others; None where that isn't known."""
        return None

    def look(self, now: float) -> None:
        """Read the connection, and take what is new; under the lock, as long as it is open."""
        with self.lock:
            if self._closed:
                return
            try:
                info = self._reader.all().decode()
            except KernelError:
                return
            at, waiting = time.monotonic(), self._waiting()
            self._manager.on_snapshot(info, now)
            self._manager.weigh(info, at, waiting)
            self._tell()

    # What the path manager wants.

    def command(self, exchange: Exchange, command: Command, now: float, path: Path | None) -> None:
        """Take what a strategy asks for; under the lock. `make_calls` is to follow without it."""
        _log.debug("%s: %s", exchange.name, command)
        if isinstance(command, Open) and path is not None:
            towards = self._manager.remote_of(command)
            command = replace(command, remote=Remote(*self.reached_from(path, towards)))
        self._manager.command(exchange, command, now, path)
        self._look_at = min(self._look_at, now + _LOOK_EVERY)
        self._tell()

    def open_otherwise(self, exchange: Exchange, command: Open, path: Path, now: float) -> bool:  # noqa: ARG002  for those who override
        """Open in another way what couldn't be opened; tell whether that is tried. Under the lock.

        Args:
            exchange: whose strategy asked for it.
            command: what it asked for.
            path: the command's, as the kernel knows it.
            now: the time.
        """
        return False

    def _tell(self) -> None:
        """Tell responses what concerns them, and keep the calls for the engine; under the lock."""
        for effect in self._manager.take_effects():
            match effect:
                case Answer(Exchange() as exchange, record):
                    exchange.answer(exchange.subflow(record) if record else None)
                case Failure(Exchange() as exchange, error, hint):
                    exchange.fail(error, hint)
                case Note(kind, record, detail, transfer) if self._is_news(effect):
                    where = f" {record.id} on {record.path}" if record else ""
                    _log.debug("%s%s %s", kind, where, detail)
                    for exchange in self._concerned(transfer):
                        exchange.note(kind, record, detail)
                case Trouble(what, hint, transfer):
                    for exchange in self._concerned(transfer):
                        exchange.problem(what, hint)
                case Explain(kind, record, detail):
                    for exchange in list(self._exchanges):
                        exchange.explain(kind, record, detail)
                case Answer() | Failure() | Note():
                    pass
                case call:
                    self._calls.append(call)
                    self.engine.wake(self)

    def _is_news(self, note: Note) -> bool:  # noqa: ARG002  for those who override
        """Tell whether an event is told by nobody else."""
        return True

    def _concerned(self, transfer: object) -> list[Exchange]:
        if transfer is None:
            return list(self._exchanges)
        return [transfer] if isinstance(transfer, Exchange) else []

    def make_calls(self) -> None:
        """Make all calls that are wanted; on the engine's thread, without the lock."""
        while self._calls:
            call = self._calls.popleft()
            try:
                subflow = self._carry_out(call)
            except KernelError as error:
                with self.lock:
                    self._manager.failed(call, error, time.monotonic())
                    self._tell()
            else:
                with self.lock:
                    self._manager.completed(call, time.monotonic(), subflow)
                    self._tell()

    def _carry_out(self, call: KernelCall) -> SubflowInfo | None:
        control = self._control
        if control is None or self._closed:
            raise NoSuchSubflow("the connection is closed")
        match call:
            case OpenSubflow(path, remote, backup):
                return control.open(path, remote, backup=backup)
            case CloseSubflow(subflow):
                control.close(subflow)
            case WithdrawAddress(subflow):
                control.withdraw(subflow)
            case SetSubflowBackup(subflow, backup):
                control.set_backup(subflow, backup)
            case SetSubflowOption(subflow, level, name, value):
                control.setsockopt(subflow, level, name, value)
        return None

    # The engine's side.

    def turn(self, now: float) -> float | None:
        """Do all that is due; return when to be woken next, or None.

        On the engine's thread alone, which holds no lock: it steps strategies and makes calls.
        """
        self._stop_orphans()
        if self._closed:
            return None
        self._listen()
        self._look_if_due(now)
        if any(exchange.engaged for exchange in self._exchanges):
            self.paths()
        self._settle_ended(now)
        with self.lock:
            self._manager.on_time(now)
            self._tell()
        self.make_calls()
        times = [exchange.turn(now) for exchange in list(self._exchanges)]
        if self.resting:
            return None
        times.append(self._manager.next_time(now))
        if any(exchange.engaged for exchange in self._exchanges):
            self._look_at = min(self._look_at, now + _LOOK_EVERY)
            times.append(self._look_at)
        return min((when for when in times if when is not None), default=None)

    def _listen(self) -> None:
        """Have the connection's events told, and what was announced before that."""
        if self._listens or self._control is None:
            return
        self._listens = True
        self._control.listen()
        for number, remote in self._control.announced().items():
            self._manager.announce(number, remote)

    def _look_if_due(self, now: float) -> None:
        due = now >= self._look_at
        if due:
            with self.lock:
                self._manager.tell_untold()  # that of the look before: an event had its time
                self._tell()
        if due or self._manager.busy or self._manager.watches:
            self.look(now)
        if due:
            self._look_after()
            self._look_at = now + _LOOK_EVERY

    def _look_after(self) -> None:
        """Do what is to be done at each look."""

    def on_event(self, event: Event, now: float) -> None:
        """Take what the kernel told of this connection."""
        with self.lock:
            if self._closed:
                return
            if isinstance(event, Overflow):
                self.look(now)
                return
            self._manager.on_event(event, now)
            self._tell()

    def fail(self, error: Exception) -> None:
        """Take a fault of ours: the strategies end, the bytes go on."""
        _log.warning("a turn failed; the bytes go on without strategies", exc_info=error)
        for exchange in list(self._exchanges):
            exchange.give_up(f"mphttp itself failed with {type(error).__name__}: {error}")

    def shut_down(self) -> None:
        """Let whoever reads see that nothing more comes; here nobody reads."""

    def after_fork(self) -> None:
        """Leave the connection to the parent process, whose thread may have held the lock."""
        self.lock = threading.RLock()
        with self.lock:
            self._closed = True
            self._settle_all(time.monotonic())
            self._orphans.clear()  # the parent's to stop

    def _settle_ended(self, now: float) -> None:
        """Close what responses that have ended leave behind, and fix their reports."""
        with self.lock:
            ended, self._ended = self._ended, []
        if not ended:
            return
        for exchange in ended:
            exchange.stop()
        self.look(now)  # no event may have told yet that one is closed
        with self.lock:
            for exchange in ended:
                self._manager.release(exchange, now)
                exchange.settle(self)
            self._tell()
            self.table.forget(min((e.sent_at for e in self._exchanges), default=now))
        self.make_calls()

    def _settle_all(self, now: float) -> None:
        self.table.end_all(now)
        for exchange in self._ended + self._exchanges:
            exchange.settle(self)
        # Who turned to something else goes on over that.
        self._orphans += self._ended + [e for e in self._exchanges if self._is_all_of(e)]
        self._ended, self._exchanges = [], []
        self._calls.clear()
        if any(exchange.engaged for exchange in self._orphans):
            self.engine.wake(self)

    def _is_all_of(self, exchange: Exchange) -> bool:
        """Tell whether a response has nothing else that it comes over."""
        return exchange.comes_over(self)

    def _stop_orphans(self) -> None:
        """Stop the strategies of responses whose connection is closed."""
        while self._orphans:
            self._orphans.pop().stop()


@lru_cache(maxsize=256)
def _interface_by(pair: FourTuple, _second: int) -> str:
    """Name the interface of a subflow that somebody else opened, such as the kernel."""
    path = None
    with contextlib.suppress(KernelError):
        path = left_by(pair)
    return path.name if path else "?"


@lru_cache(maxsize=256)
def _interface_in(address: str, remote: str, device: int, _second: int) -> str:
    path = None
    with contextlib.suppress(KernelError):
        path = path_of(address, remote=remote, device=device)
    return path.name if path else "?"
