"""What responses come over, as the engine drives it: commands, calls, events, endings.

A `Carrier` is a connection (`connection`), or several that bring parts of one body
(`mphttp.ranges`). What tells them apart is where their state is read (`observed`) and who carries
out calls (`kernel_calls`).

What is decided is the path manager's (`mphttp.core`). Here is who reads the kernel for it, makes
the calls that it wants, without a lock, and tells the transfers.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from dataclasses import replace

from mphttp.core import Answer, Explain, Failure, Note, Trouble
from mphttp.kernel.errors import KernelError
from mphttp.kernel.events import ConnectionCreated, ConnectionEstablished, Event, Overflow
from mphttp.kernel.mechanism import Control
from mphttp.kernel.values import Path, SocketAddress
from mphttp.strategies import Command, Open, Remote

from .account import Taken
from .driven import Driven
from .loop import Engine
from .managed import Managed
from .observed import Reader
from .transfers import Transfers

_log = logging.getLogger("mphttp.engine")
_BEGINS = (ConnectionCreated, ConnectionEstablished)
_LOOK_EVERY = 0.2
"""Seconds between two looks while a strategy works: what a subflow carried is lost when it ends."""


class Carrier(Managed):
    """What one or more transfers come over; the arguments are those of `Managed`.

    Attributes:
        transfers: those that come over it.
    """

    def __init__(
        self,
        reader: Reader,
        remote: SocketAddress,
        engine: Engine,
        path_names: tuple[str, ...] | None,
    ) -> None:
        super().__init__(reader, remote, engine, path_names)
        self.transfers = Transfers()
        self._look_at = math.inf

    def _begin(self, control: Control | None, before: Taken, now: float) -> None:
        """Record what carries out the calls, and the state before the first response."""
        self._before = before
        self._began = before, now
        self._calls.control = control
        self._controlled = control is not None
        self.engine.add(self, control.token if control else None)

    # The reading side.

    def enter(self, exchange: Driven) -> Taken:
        """Let a response begin; return the connection as it was before its first byte."""
        if self.transfers.under_way:  # others are under way (HTTP/2): what came so far is theirs
            self._before = self._reader.all()
        self.transfers.under_way.append(exchange)
        return self._before

    def withdraw(self, exchange: Driven) -> None:
        """Let a transfer go on over something else; under the lock."""
        if exchange in self.transfers.under_way:
            self.transfers.under_way.remove(exchange)
            if exchange.engaged:
                now = time.monotonic()
                self._manager.retire(exchange, now)
                self._manager.release(exchange, now)
                self._tell()

    def leave(self, exchange: Driven, now: float, *, whole: bool) -> Taken | None:  # noqa: ARG002  for those who override
        """Let a response end; return the connection as it is after its last byte.

        Args:
            exchange: the one that ends.
            now: when it does: what is seen only now had come before.
            whole: whether its body came to its end.
        """
        if exchange in self.transfers.under_way:
            if exchange.engaged:
                self.look(now)
                self._manager.endings.tell_untold()
                self._manager.unanswered(exchange, now)
                self._tell()
            self.transfers.under_way.remove(exchange)
            if not self._closed:
                undisturbed = not exchange.engaged and not self.transfers.under_way
                with contextlib.suppress(KernelError):
                    self._before = self._reader.bytes_only() if undisturbed else self._reader.all()
            if exchange.engaged:
                self._manager.retire(exchange, now, keep=exchange.keeps)
                self.transfers.ended.append(exchange)
                self.engine.wake(self)
        return self._before

    # What strategies ask for.

    def paths(self) -> list[Path]:
        """Return the paths that reach the peer, preferred first, as they were a moment ago."""
        if not self.reach.known(time.monotonic()):
            self.renew_paths()
        return self.reach.paths

    def renew_paths(self) -> None:
        """Look anew which paths reach the peer."""
        found, at = self.reach.find()
        with self.lock:
            before = self.reach.take(found, at)
            if found is not None and before and before != found:
                self._manager.endings.on_paths(before, found, at)
                self._tell()

    def remotes(self) -> list[SocketAddress]:
        """Return the peer's addresses: the connection's own, then those that it announced."""
        return self._manager.peer.addresses

    def path_of(self, command: Open) -> Path | None:
        """Return the path of an open as the kernel knows it; None if it doesn't reach the peer."""
        self.paths()
        return self.reach.path(command.path.name, self._manager.peer.of(command))

    @property
    def resting(self) -> bool:
        """Whether all transfers are streams that rest, and nothing is under way."""
        return self.transfers.resting and not self.busy

    def look(self, now: float) -> None:
        """Read the connection, and take what is new; under the lock, as long as it is open."""
        with self.lock:
            if self._closed:
                return
            try:
                info = self._reader.all().decode()
            except KernelError:
                return
            at = time.monotonic()
            # While we are who sends, what waits says nothing.
            waiting = None if self.transfers.sending else self.waiting()
            self._manager.on_snapshot(info, now)
            self._manager.weigh(info, at, waiting)
            self._tell()

    # What the path manager wants.

    def command(self, exchange: Driven, command: Command, now: float, path: Path | None) -> None:
        """Record what a strategy asks for; under the lock. `make_calls` is to follow without it."""
        _log.debug("%s: %s", exchange.name, command)
        if isinstance(command, Open) and path is not None:
            towards = self._manager.peer.of(command)
            command = replace(command, remote=Remote(*self.reach.address_from(path, towards)))
        self._manager.command(exchange, command, now, path)
        self._look_at = min(self._look_at, now + _LOOK_EVERY)
        self._tell()

    def open_otherwise(self, exchange: Driven, command: Open, path: Path, now: float) -> bool:  # noqa: ARG002  for those who override
        """Open what was refused in another way; return whether that is tried. Under the lock.

        Args:
            exchange: whose strategy asked for it.
            command: what it asked for.
            path: the command's, as the kernel knows it.
            now: the time.
        """
        return False

    def _tell(self) -> None:
        """Tell responses what concerns them, and keep the calls for the engine; under the lock."""
        if self._managed is None:
            return
        for effect in self._managed.take_effects():
            match effect:
                case Answer(Driven() as exchange, record):
                    exchange.answer(exchange.subflow(record) if record else None)
                case Failure(Driven() as exchange, error, hint):
                    exchange.fail(error, hint)
                case Note(kind, record, detail, transfer) if self._is_news(effect):
                    where = f" {record.id} on {record.path}" if record else ""
                    _log.debug("%s%s %s", kind, where, detail)
                    for exchange in self.transfers.concerned(transfer):
                        exchange.note(kind, record, detail)
                case Trouble(what, hint, transfer):
                    for exchange in self.transfers.concerned(transfer):
                        exchange.problem(what, hint)
                case Explain(kind, record, detail):
                    for exchange in self.transfers.concerned(None):
                        exchange.journal.explain(kind, record.id, detail)
                case Answer() | Failure() | Note():
                    pass
                case call:
                    self._calls.add(call)
                    self.engine.wake(self)

    def _is_news(self, note: Note) -> bool:  # noqa: ARG002  for those who override
        """Return whether an event is told by nobody else."""
        return True

    def make_calls(self) -> None:
        """Make all calls that are wanted; on the engine's thread, without the lock."""
        for call, outcome in self._calls.made():
            with self.lock:
                now = time.monotonic()
                if isinstance(outcome, KernelError):
                    self._manager.failed(call, outcome, now)
                else:
                    self._manager.completed(call, now, outcome)
                self._tell()

    # The engine's side.

    def turn(self, now: float) -> float | None:
        """Do all that is due; return when to be woken next, or None.

        On the engine's thread alone, which holds no lock: it steps strategies and makes calls.
        """
        self.transfers.stop_orphans()
        if self._closed:
            return None
        for number, announced in self._calls.listen().items():
            self._manager.peer.announce(number, announced)
        self._look_if_due(now)
        if self.transfers.engaged:
            self.paths()
        self._settle_ended(now)
        with self.lock:
            if self._managed is not None:
                self._managed.on_time(now)
                self._tell()
        self.make_calls()
        times = [exchange.turn(now) for exchange in list(self.transfers.under_way)]
        if self.resting:
            return None
        if self._managed is not None:
            times.append(self._managed.next_time(now))
        if self.transfers.engaged:
            self._look_at = min(self._look_at, now + _LOOK_EVERY)
            times.append(self._look_at)
        return min((when for when in times if when is not None), default=None)

    def _look_if_due(self, now: float) -> None:
        due = now >= self._look_at
        if due:
            with self.lock:
                # That of the look before: an event had its time.
                self._manager.endings.tell_untold()
                self._tell()
        if due or (self._managed is not None and self._managed.attends):
            self.look(now)
        if due:
            self._look_after()
            self._look_at = now + _LOOK_EVERY

    def _look_after(self) -> None:
        """Do what is to be done at each look."""

    def on_event(self, event: Event, now: float) -> None:
        """Record what the kernel told of this connection."""
        with self.lock:
            # A connection of which nothing was asked yet has nothing to do with how it began.
            if self._closed or (self._managed is None and isinstance(event, _BEGINS)):
                return
            if isinstance(event, Overflow):
                self.look(now)
                return
            self._manager.on_event(event, now)
            self._tell()

    def fail(self, error: Exception) -> None:
        """Take a fault of ours: the strategies end, the bytes go on."""
        _log.warning("a turn failed; the bytes go on without strategies", exc_info=error)
        for exchange in list(self.transfers.under_way):
            exchange.give_up(f"mphttp itself failed with {type(error).__name__}: {error}")

    def after_fork(self) -> None:
        """Leave the connection to the parent process, whose thread may have held the lock."""
        self.lock = threading.RLock()
        with self.lock:
            self._closed = True
            self._settle_all(time.monotonic())
            self.transfers.disown()

    def _settle_ended(self, now: float) -> None:
        """Close what responses that have ended leave behind, and fix their reports."""
        with self.lock:
            ended = self.transfers.take_ended()
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
            self.table.forget(self.transfers.begun_by(now))
        self.make_calls()

    def _settle_all(self, now: float) -> None:
        if self._table is not None or self.transfers.under_way:
            self.table.end_all(now)
        for exchange in self.transfers.ended + self.transfers.under_way:
            exchange.settle(self)
        self._calls.close()
        if self.transfers.end_all(self):
            self.engine.wake(self)
