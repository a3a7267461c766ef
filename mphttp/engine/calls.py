"""The calls that strategies make on one connection, from the command to what came of it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from mphttp.kernel.connection.establishment import Draining, Opening
from mphttp.kernel.errors import KernelError, NotReady, OpenRefused
from mphttp.kernel.events import Event
from mphttp.kernel.mechanism import Control
from mphttp.kernel.values import ConnectionInfo, Path, SocketAddress, SubflowInfo
from mphttp.strategies import Close, Command, CommandFailed, Open, OpenFailed, SetBackup, SetOption

from .backoff import PROVEN, Backoff, Joins, Pair
from .exchange import Exchange
from .ledger import Entry, Ledger

_READY_EVERY = 0.005
"""Seconds between two tries to open while the connection isn't fully established."""
_READY_WITHIN = 3.0
"""Seconds after which an open that is never possible has failed."""
_LOOKS_A_ROUND_TRIP = 8
_LOOK_AT_MOST_EVERY = 0.002
"""Seconds; a subflow that settles or drains is looked at so often, or every 8th round trip."""
_NOTHING = 4 * 1024
"""Bytes below which a subflow that ended has brought as good as nothing."""
_TAKES_OVER = 16 * 1024
"""Bytes that another subflow must have brought before the one that brought all is closed."""
_TAKES_OVER_WITHIN = 2.0
_TAKES_OVER_ROUND_TRIPS = 8
"""Seconds, or round trips, after which it stays, since the other doesn't take over."""
_UNANSWERED = 1.0
"""Seconds after which no answer to a SYN is a fault: the second one leaves then (RFC 6298)."""


@dataclass(slots=True)
class _Waiting:
    """An open that the kernel doesn't take yet."""

    exchange: Exchange
    command: Open
    until: float


@dataclass(slots=True)
class _Opening:
    """A subflow whose SYN has left, and who asked for it."""

    exchanges: list[Exchange]
    entry: Entry
    machine: Opening
    began_at: float


@dataclass(slots=True)
class _Draining:
    """A subflow that the peer was asked to avoid, closed when nothing comes any more."""

    exchange: Exchange
    entry: Entry
    machine: Draining
    until: float


class Calls:
    """What is asked of a connection's subflows, and who asked for which.

    Everything here runs under the connection's lock. A subflow that two responses asked for is
    opened once, and closed when the last of them is done with it; it is paused when none of them
    wants the peer to use it. One that a strategy keeps stays, as a backup, for the next response.

    Args:
        control: carries out the calls; None where the connection is plain TCP.
        ledger: the book of the subflows.
        remote: where the peer is.
        path: finds the path with a name to an address of the peer.
        hint: what mends it where the peer refuses a subflow, or one is reset.
        joins: is told which address pairs refuse subflows; None where they are none of MPTCP's.
    """

    def __init__(
        self,
        control: Control | None,
        ledger: Ledger,
        remote: SocketAddress,
        path: Callable[[str, SocketAddress], Path | None],
        *,
        hint: str = "",
        joins: Joins | None = None,
    ) -> None:
        self.control = control
        self._ledger = ledger
        self._remote = remote
        self._path = path
        self._hint = hint
        self._joins = joins
        self._backoff = Backoff()
        self._owners: dict[int, set[Exchange]] = {}
        self._users: dict[int, set[Exchange]] = {}  # those who want the peer to use it
        self._waiting: list[_Waiting] = []
        self._openings: list[_Opening] = []
        self._drainings: list[_Draining] = []

    @property
    def busy(self) -> bool:
        """Whether something is under way, so that the kernel is to be looked at often."""
        return bool(self._openings or self._drainings)

    def carry_out(self, exchange: Exchange, command: Command, now: float) -> None:
        """Do what a strategy asked for, now or by and by; the exchange hears what came of it."""
        try:
            match command:
                case Open():
                    self._open(exchange, command, now)
                case Close():
                    entry = self._entry(command.subflow.id)
                    self._close(exchange, entry, now, lost=command.lost)
                    exchange.answer()
                case SetBackup():
                    entry = self._entry(command.subflow.id)
                    self._set_backup(exchange, entry, command.backup)
                    exchange.answer()
                case SetOption():
                    entry = self._entry(command.subflow.id)
                    option = (command.level, command.name, command.value)
                    self._controlled().setsockopt(entry.info, *option)
                    exchange.answer()
        except KernelError as error:
            failed = OpenFailed if isinstance(command, Open) else CommandFailed
            refused = isinstance(error, OpenRefused) and not error.errno
            exchange.fail(failed(str(error)), error.hint or (self._hint if refused else ""))

    def _controlled(self) -> Control:
        if self.control is None:
            raise KernelError(
                "the connection is plain TCP: it has no subflows to control",
                hint="`mphttp doctor URL` tells what the server offers",
            )
        return self.control

    def _entry(self, subflow_id: int) -> Entry:
        self._controlled()
        entry = next((e for e in self._ledger.open() if e.id == subflow_id), None)
        if entry is None:
            raise KernelError(f"subflow {subflow_id} is closed already")
        return entry

    # Open.

    def _open(self, exchange: Exchange, command: Open, now: float) -> None:
        control = self._controlled()
        remote = SocketAddress(*command.remote) if command.remote else self._remote
        path = self._path(command.path.name, remote)
        if path is None:
            raise KernelError(f"no path {command.path.name!r} reaches the server")
        shared = self._shared(exchange, path.name, remote)
        if shared is not None:
            self._owners[shared.id].add(exchange)
            if not command.backup:
                self._set_backup(exchange, shared, False)
            exchange.answer(exchange.subflow(shared))
            return
        pair = (path.address, remote)
        pending = next((o for o in self._openings if _pair(o.entry) == pair), None)
        if pending is not None and pending.entry.backup == command.backup:
            pending.exchanges.append(exchange)
            return
        resting = self._backoff.refusal(pair, now, alone=not self._ledger.alive())
        if resting is not None:
            raise resting
        try:
            subflow = control.open(path, remote, backup=command.backup)
        except NotReady:
            self._waiting.append(_Waiting(exchange, command, now + _READY_WITHIN))
            return
        except OpenRefused as refused:
            if not refused.errno:  # else no SYN has left
                self._failed(pair, str(refused), refused.hint or self._hint, now, refused=True)
                self._joins_refused(pair, now)
            raise
        entry = self._ledger.add(subflow, opened_at=None, backup=command.backup)
        exchange.note("subflow_opening", entry)
        self._owners[entry.id] = {exchange}
        self._users[entry.id] = set() if command.backup else {exchange}
        self._openings.append(_Opening([exchange], entry, Opening(subflow, now), now))

    def _shared(self, exchange: Exchange, path: str, remote: SocketAddress) -> Entry | None:
        """Find a subflow that another response asked for and this one didn't."""
        for entry in self._ledger.alive():
            owners = self._owners.get(entry.id, set())
            same = entry.path == path and entry.tuple.remote == remote
            if same and owners and exchange not in owners:
                return entry
        return None

    def _retry(self, waiting: _Waiting, now: float) -> None:
        self._waiting.remove(waiting)
        try:
            self._open(waiting.exchange, waiting.command, now)
        except KernelError as error:
            waiting.exchange.fail(OpenFailed(str(error)), error.hint)
            return
        if self._waiting and self._waiting[-1].command is waiting.command:
            self._waiting[-1].until = waiting.until
            if now >= waiting.until:
                self._waiting.pop()
                message = "the connection was not fully established in time"
                waiting.exchange.fail(OpenFailed(message), "no data was exchanged yet")

    def _conclude(self, opening: _Opening, now: float) -> None:
        """Tell the strategy, once it is known, what came of an open."""
        outcome = opening.machine.outcome
        if outcome is None:
            return
        self._openings.remove(opening)
        entry = opening.entry
        if isinstance(outcome, KernelError):
            hint = outcome.hint or self._hint
            self._drop(entry)
            entry.closed_at = now
            answered = opening.machine.answered
            self.failed(entry, str(outcome), hint, now, refused=answered)
            if answered:
                self._joins_refused(_pair(entry), now)
            for exchange in opening.exchanges:
                exchange.note("subflow_refused", entry, str(outcome))
                exchange.fail(OpenFailed(str(outcome)), hint)
            return
        entry.opened_at = opening.machine.established_at
        self._backoff.opened(_pair(entry))
        if self._joins is not None:
            self._joins.worked(_pair(entry), now)
        for exchange in opening.exchanges:
            self._owners[entry.id].add(exchange)
            if not entry.backup:
                self._users[entry.id].add(exchange)
            exchange.answer(exchange.subflow(entry))

    def failed(
        self, entry: Entry, what: str, hint: str, now: float, *, refused: bool = False
    ) -> None:
        """Take that a subflow was refused, or ended though nobody asked for that.

        Args:
            entry: the subflow.
            what: what happened, in a sentence.
            hint: what mends it, or "".
            now: the engine's clock, in seconds.
            refused: whether the peer said no to it.
        """
        if entry.failed:
            self._backoff.explain(_pair(entry), what, hint)
            return
        entry.failed = True
        lived = 0.0 if entry.opened_at is None else now - entry.opened_at
        came = entry.info.bytes_received
        self._failed(_pair(entry), what, hint, now, came=came, lived=lived, refused=refused)

    def _failed(
        self,
        pair: Pair,
        what: str,
        hint: str,
        now: float,
        *,
        came: int = 0,
        lived: float = 0.0,
        refused: bool,
    ) -> None:
        beside = [e.info.bytes_received for e in self._ledger.alive() if _pair(e) == pair]
        proven = max((came, *beside)) >= PROVEN
        self._backoff.failed(pair, what, hint, now, proven=proven, refused=refused, lived=lived)

    def _joins_refused(self, pair: Pair, now: float, *, killed: bool = False) -> None:
        """Take that somebody said no to a subflow, so that others may know; silence is none."""
        joined = any(not entry.initial for entry in self._ledger.alive())
        if self._joins is not None and not joined:  # else it is a limit
            self._joins.refused(pair, now, killed=killed)

    def killed(self, entry: Entry, what: str, now: float) -> None:
        """Take that a subflow ended though nobody asked for that; see `failed`."""
        if not entry.failed and not entry.initial and entry.info.bytes_received < _NOTHING:
            self._joins_refused(_pair(entry), now, killed=True)
        self.failed(entry, what, self._hint, now)

    def _worked(self, entry: Entry, now: float) -> None:
        """Take that a subflow ends since that was wanted."""
        if entry.opened_at is not None and entry.info.bytes_received:
            self._backoff.worked(_pair(entry), now)

    def unanswered(self, exchange: Exchange, now: float) -> None:
        """Say which of the subflows that a response asked for got no answer before its end."""
        for opening in self._openings:
            if exchange not in opening.exchanges or opening.machine.established_at is not None:
                continue
            waited = now - opening.began_at
            if waited >= _UNANSWERED:
                refusal = opening.machine.never_answered(waited)
                exchange.note("subflow_refused", opening.entry, str(refusal))
                exchange.problem(str(refusal), refusal.hint)
                self.failed(opening.entry, str(refusal), refusal.hint, now)

    # Close.

    def _close(self, exchange: Exchange, entry: Entry, now: float, *, lost: bool) -> None:
        owners = self._owners.get(entry.id, set())
        owners.discard(exchange)
        if owners:
            return  # another response still wants it
        if self._is_last(entry):
            raise KernelError("the last subflow that works can't be closed")
        entry.closing = True
        control = self._controlled()
        if lost:
            self.failed(entry, f"nothing came over {entry.path} any more", self._hint, now)
        else:
            self._worked(entry, now)
        if entry.backup or (lost and self._withdrawn(entry)):
            self._drop(entry)
            return
        # The peer stops using it, what is on its way arrives, and only then it goes: nothing has to
        # be sent twice.
        control.set_backup(entry.info, True)
        until = now + max(_TAKES_OVER_WITHIN, _TAKES_OVER_ROUND_TRIPS * entry.info.rtt)
        self._drainings.append(_Draining(exchange, entry, Draining(entry.info, now), until))

    def _withdrawn(self, entry: Entry) -> bool:
        """Withdraw the address of a subflow, unless one that works has it, too."""
        host = entry.tuple.local.host
        if any(o is not entry and o.tuple.local.host == host for o in self._ledger.open()):
            return False
        try:
            self._controlled().withdraw(entry.info)
        except KernelError:  # not every mechanism and kernel can: then it is closed like any other
            return False
        return True

    def _is_last(self, entry: Entry) -> bool:
        return not any(other is not entry for other in self._ledger.alive())

    def _drop(self, entry: Entry) -> None:
        """End a subflow at once."""
        entry.closing = True
        self._owners.pop(entry.id, None)
        if self.control is not None:
            with contextlib.suppress(KernelError):  # it may be gone already
                self.control.close(entry.info)

    def _set_backup(self, exchange: Exchange, entry: Entry, backup: bool) -> None:
        users = self._users.setdefault(entry.id, set())
        others = users - {exchange}
        if (backup and not others) or (not backup and entry.backup):
            self._controlled().set_backup(entry.info, backup)
            entry.backup = backup
            exchange.note("subflow_paused" if backup else "subflow_resumed", entry)
        self._users[entry.id] = others if backup else users | {exchange}

    def retire(self, exchange: Exchange) -> None:
        """Count what only this response asked for as gone, unless its strategy keeps it.

        `release` ends it a little later, on the engine's thread; the next response must not build
        on it. One subflow always stays. Any thread may call this.
        """
        if exchange.keeps:
            return
        for entry in self._ledger.alive():
            owners = self._owners.get(entry.id)
            if owners == {exchange} and not self._is_last(entry):
                entry.closing = True

    def release(self, exchange: Exchange, now: float) -> None:
        """End what only this response asked for and was retired; pause what it alone used."""
        self._waiting = [w for w in self._waiting if w.exchange is not exchange]
        for opening in [o for o in self._openings if exchange in o.exchanges]:
            opening.exchanges.remove(exchange)
            if not opening.exchanges:
                self._openings.remove(opening)
                opening.entry.opened_at = opening.machine.established_at
                self._drop(opening.entry)
                opening.entry.closed_at = now
        for draining in [d for d in self._drainings if d.exchange is exchange]:
            self._drainings.remove(draining)  # nothing of this response is on its way any more
            if draining.entry.closed_at is None and self._end_drained(draining.entry):
                draining.entry.closed_at = now
        done = [i for i, owners in self._owners.items() if owners <= {exchange}]
        for entry in self._ledger.open():
            if entry.id not in done or not entry.closing:
                continue
            if self._is_last(entry):
                entry.closing = False  # those that were to stay are gone since
            else:
                self._worked(entry, now)
                self._drop(entry)
                entry.closed_at = now
        self._owners = {i: o - {exchange} for i, o in self._owners.items() if i not in done}
        for entry in self._ledger.alive():
            used = exchange in self._users.get(entry.id, ())
            if used and not entry.initial and not self._is_last(entry):
                with contextlib.suppress(KernelError):  # it may be gone, or there is no control
                    self._set_backup(exchange, entry, True)
        alive = {entry.id for entry in self._ledger.open()}
        self._users = {i: u - {exchange} for i, u in self._users.items() if i in alive}

    # What time and the kernel bring.

    def on_event(self, event: Event, now: float) -> None:
        """Take an event of this connection."""
        for opening in list(self._openings):
            opening.machine.on_event(event, now)
            self._conclude(opening, now)

    def step(self, info: ConnectionInfo | None, now: float) -> None:
        """Do what is due.

        Args:
            info: the connection as it is now, if it was looked at.
            now: the engine's clock, in seconds.
        """
        rows = {subflow.id: subflow for subflow in info.subflows} if info else {}
        for waiting in list(self._waiting):
            self._retry(waiting, now)
        for opening in list(self._openings):
            if opening.entry.id in rows:
                opening.machine.on_info(rows[opening.entry.id], now)
            elif info is not None:
                opening.machine.on_gone()
            opening.machine.on_time(now)
            self._conclude(opening, now)
        self._drainings = [d for d in self._drainings if not self._drained(d, rows, now)]

    def next_time(self, now: float) -> float | None:
        """Return when there is more to do, or None."""
        times = [now + _READY_EVERY] if self._waiting else []
        machines: list[Opening | Draining] = [opening.machine for opening in self._openings]
        machines += [draining.machine for draining in self._drainings]
        for machine in machines:
            often = max(_LOOK_AT_MOST_EVERY, machine.subflow.rtt / _LOOKS_A_ROUND_TRIP)
            times += [when for when in (machine.next_deadline, now + often) if when is not None]
        return min(times, default=None)

    def _drained(self, draining: _Draining, rows: dict[int, SubflowInfo], now: float) -> bool:
        entry, machine = draining.entry, draining.machine
        if entry.closed_at is not None:
            return True
        if entry.id in rows:
            machine.on_info(rows[entry.id], now)
        machine.on_time(now)
        if machine.done and (now >= draining.until or self._works_without(entry)):
            self._end_drained(entry)
            return True
        return False

    def _works_without(self, entry: Entry) -> bool:
        """Tell whether another subflow is known to work, or this one isn't known to either."""
        others = (other for other in self._ledger.alive() if other is not entry)
        least = min(_TAKES_OVER, entry.info.bytes_received)
        return any(other.info.bytes_received >= least for other in others)

    def _end_drained(self, entry: Entry) -> bool:
        """End a subflow that has drained, unless those that were to take over don't do so.

        They may be gone since, or something on the way lets their handshake pass, but no data.
        """
        if self._is_last(entry) or not self._works_without(entry):
            entry.closing = False
            with contextlib.suppress(KernelError):
                self._controlled().set_backup(entry.info, False)
            return False
        self._drop(entry)
        return True


def _pair(entry: Entry) -> Pair:
    return entry.tuple.local.host, entry.tuple.remote
