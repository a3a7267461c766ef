"""The subflows that are being opened, from the command to what came of it: pure."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from mphttp.kernel.connection.establishment import Opening
from mphttp.kernel.errors import KernelError, NotReady, OpenRefused
from mphttp.kernel.events import Event
from mphttp.kernel.values import SubflowInfo
from mphttp.strategies import OpenFailed

from .effects import CloseSubflow, OpenSubflow
from .failures import Failures
from .outbox import Outbox
from .subflow import Cause, State, SubflowRecord
from .table import SubflowTable

_READY_EVERY = 0.005
"""Seconds between two tries to open while the connection isn't fully established."""
_READY_WITHIN = 3.0
"""Seconds after which an open that is never possible has failed."""
_ROOM_WITHIN = 1.0
"""Seconds for which a peer may still count a subflow that has ended, against its limit."""
_ROOM_FIRST = 0.1
"""Seconds after which a peer that has no room yet is asked again; doubled each time."""
_UNANSWERED = 1.0
"""Seconds after which no answer to a SYN is a fault: it is sent again then (RFC 6298)."""


@dataclass(slots=True, eq=False)
class _Open:
    """One subflow that is being opened, for one transfer or more.

    Args:
        transfers: those that asked for it, and haven't ended.
        call: what the kernel is asked.
        until: when it has failed if the connection isn't ready for it, or the peer has no room.
        asked: whether the call is under way, or done.
        asks_at: when it is asked next, if it isn't.
        without_room: how often the peer has refused it.
        began_at: when the SYN left.
        record: the subflow, once its SYN has left.
        machine: what becomes of it then.
    """

    transfers: list[Hashable]
    call: OpenSubflow
    until: float
    asked: bool = True
    asks_at: float = 0.0
    without_room: int = 0
    began_at: float = 0.0
    record: SubflowRecord | None = None
    machine: Opening | None = field(default=None)


class Openings:
    """Opens subflows for transfers, each of which has one answer.

    Args:
        table: the connection's subflows.
        outbox: takes the effects.
        failures: knows where none may be opened for a while.
    """

    def __init__(self, table: SubflowTable, outbox: Outbox, failures: Failures) -> None:
        self._table = table
        self._outbox = outbox
        self._failures = failures
        self._opens: list[_Open] = []

    @property
    def machines(self) -> list[Opening]:
        """What waits for the peer."""
        return [opening.machine for opening in self._opens if opening.machine is not None]

    def begin(self, transfer: Hashable, call: OpenSubflow, now: float) -> None:
        """Open a subflow, or wait for the same one that another transfer asked for."""
        for opening in self._opens:
            before = opening.call
            if (before.path, before.remote, before.backup) == (call.path, call.remote, call.backup):
                opening.transfers.append(transfer)
                return
        resting = self._failures.refusal(call.path.address, call.remote, now)
        if resting is not None:
            self._outbox.fail(transfer, *resting)
            return
        self._opens.append(_Open([transfer], call, now + _READY_WITHIN))
        self._outbox.put(call)

    def completed(self, call: OpenSubflow, subflow: SubflowInfo, now: float) -> None:
        """Take that the SYN has left."""
        opening = self._taken(call)
        # A look may have seen it established before this was told.
        opening.record = record = self._table.get(subflow.id) or self._table.add(
            subflow, opened_at=None, path=call.path.name
        )
        record.backup = call.backup
        opening.machine, opening.began_at = Opening(subflow, now), now
        if not opening.transfers:
            self._abandon(opening, now)
            return
        for transfer in opening.transfers:
            self._outbox.note("subflow_opening", record, transfer=transfer)
        self._conclude(opening, now)

    def failed(self, call: OpenSubflow, error: KernelError, now: float) -> None:
        """Take that the kernel sent no SYN."""
        opening = self._taken(call)
        too_early = isinstance(error, NotReady)
        if too_early and now < opening.until and opening.transfers:
            opening.asked, opening.asks_at = False, now + _READY_EVERY
            return
        refused = isinstance(error, OpenRefused) and not error.errno  # else no SYN has left
        if refused and self._asks_again(opening, now):
            return
        self._opens.remove(opening)
        what, hint = str(error), error.hint
        if isinstance(error, OpenRefused) and refused:
            hint = hint or self._failures.hint
            self._failures.no_syn(call.path.address, call.remote, error, now)
        if too_early:
            what = "the connection was not fully established in time"
            hint = "no data was exchanged yet"
        for transfer in opening.transfers:
            self._outbox.fail(transfer, OpenFailed(what), hint)

    def _taken(self, call: OpenSubflow) -> _Open:
        return next(opening for opening in self._opens if opening.call is call)

    def unanswered(self, transfer: Hashable, now: float) -> None:
        """Tell a transfer that ends which of its subflows had no answer for long."""
        for opening in self._opens:
            machine, record = opening.machine, opening.record
            waited = now - opening.began_at
            mine = transfer in opening.transfers and waited >= _UNANSWERED
            if not mine or machine is None or record is None or machine.established_at is not None:
                continue
            refusal = machine.never_answered(waited)
            self._outbox.note("subflow_refused", record, str(refusal), transfer)
            self._outbox.trouble(str(refusal), refusal.hint, transfer)
            self._failures.failed(record, str(refusal), refusal.hint, now)

    def leave(self, transfer: Hashable) -> None:
        """Give a transfer that has ended no answer any more."""
        for opening in self._opens:
            if transfer in opening.transfers:
                opening.transfers.remove(transfer)

    def abandon(self, now: float) -> None:
        """End what nobody waits for any more."""
        for opening in [o for o in self._opens if not o.transfers]:
            if not opening.asked:
                self._opens.remove(opening)
            elif opening.record is not None:
                self._abandon(opening, now)

    def _abandon(self, opening: _Open, now: float) -> None:
        self._opens.remove(opening)
        record, machine = opening.record, opening.machine
        assert record is not None
        assert machine is not None
        if record.state is State.OPENING or (record.alive and not self._table.is_last(record)):
            if record.opened_at is None:
                record.opened_at = machine.established_at
            record.move(Cause.CLOSE, now)
            self._outbox.put(CloseSubflow(record.info))
            self._table.end(record, now)
            self._failures.worked(record, now)

    def on_event(self, event: Event, now: float) -> None:
        """Take an event of the connection."""
        for opening in list(self._opens):
            if opening.machine is not None:
                opening.machine.on_event(event, now)
                self._conclude(opening, now)

    def on_snapshot(self, rows: dict[int, SubflowInfo], now: float) -> None:
        """Take a look at the kernel's state: the subflows that there are, by id."""
        for opening in list(self._opens):
            if opening.machine is None or opening.record is None:
                continue
            if opening.record.id in rows:
                opening.machine.on_info(rows[opening.record.id], now)
            else:
                opening.machine.on_gone()
            self._conclude(opening, now)

    def on_time(self, now: float) -> None:
        """Do what is due."""
        for opening in list(self._opens):
            if not opening.asked:
                if now >= opening.asks_at:
                    opening.asked = True
                    self._outbox.put(opening.call)
            elif opening.machine is not None:
                opening.machine.on_time(now)
                self._conclude(opening, now)

    def next_time(self, now: float) -> float | None:
        """Return when to ask again for what the kernel or the peer wasn't ready for, or None."""
        return min((max(o.asks_at, now) for o in self._opens if not o.asked), default=None)

    def _conclude(self, opening: _Open, now: float) -> None:
        """Answer an open once its outcome is known."""
        record = opening.record
        outcome = opening.machine.outcome if opening.machine is not None else None
        if outcome is None or record is None:
            return
        if isinstance(outcome, KernelError):
            self._refused(opening, record, outcome, now)
        elif not opening.transfers:
            self._abandon(opening, now)
        else:
            self._opens.remove(opening)
            self._established(opening, record, now)

    def _refused(self, opening: _Open, record: SubflowRecord, why: KernelError, now: float) -> None:
        hint = why.hint or self._failures.hint
        if record.state is State.OPENING:
            record.move(Cause.REFUSED, now)
            self._outbox.put(CloseSubflow(record.info))
            self._table.end(record, now)
        answered = opening.machine is not None and opening.machine.answered
        if answered and self._asks_again(opening, now):
            for transfer in opening.transfers:
                self._outbox.note("subflow_refused", record, str(why), transfer)
            return
        self._opens.remove(opening)
        self._failures.failed(record, str(why), hint, now, refused=answered)
        if answered:
            self._failures.join_refused(record, now)
        for transfer in opening.transfers:
            self._outbox.note("subflow_refused", record, str(why), transfer)
            self._outbox.fail(transfer, OpenFailed(str(why)), hint)

    def _asks_again(self, opening: _Open, now: float) -> bool:
        """Ask a peer again that refused a subflow, if it may count one still that we have left.

        Who replaces one by another asks for more than there are at the end, and a server has its
        limit (`ip mptcp limits`). How long the old one takes to end there is the queue's to say.
        """
        again = now + _ROOM_FIRST * 2.0**opening.without_room
        if again >= opening.until or not opening.transfers:
            return False
        if not self._table.open():  # nothing comes meanwhile, and another path, or way, may do
            return False
        if not self._table.leaves_any(now - _ROOM_WITHIN):
            return False
        opening.asked, opening.record, opening.machine = False, None, None
        opening.asks_at, opening.without_room = again, opening.without_room + 1
        return True

    def _established(self, opening: _Open, record: SubflowRecord, now: float) -> None:
        if record.state is State.OPENING and opening.machine is not None:
            record.opened_at = opening.machine.established_at
            record.move(Cause.CONFIRMED, now)
        self._failures.joined(record, now)
        record.wanted_by.update(opening.transfers)
        if not record.backup:
            record.used_by.update(opening.transfers)
        for transfer in opening.transfers:
            self._outbox.answer(transfer, record)
