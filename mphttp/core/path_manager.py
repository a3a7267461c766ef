"""Who asked for which subflow of a connection, and what follows from it: pure.

Commands of strategies, events, snapshots of the kernel's state and the time go in. Effects come out
(`take_effects`): calls of the kernel, each of which is told back by `completed` or `failed`, and
words for transfers. The rules:

- A subflow that two transfers asked for is opened once, and closed when the last of them is done
  with it. It is paused when none of them wants the peer to use it.
- What a strategy closes is drained first: the peer is asked to avoid it, what is on its way
  arrives, and nothing has to be sent twice.
- The last subflow that works is never closed, whoever asks, and whatever was decided before the
  others went.
- Each command has one answer, also where its transfer ends meanwhile: then nobody hears it.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from mphttp.kernel.connection.establishment import Draining, Opening
from mphttp.kernel.errors import KernelError
from mphttp.kernel.events import (
    AddressAnnounced,
    AddressRemoved,
    ConnectionClosed,
    Event,
    SubflowClosed,
    SubflowEstablished,
    SubflowPriority,
)
from mphttp.kernel.values import ConnectionInfo, Path, SocketAddress, SubflowInfo
from mphttp.strategies import Close, Command, CommandFailed, Open, OpenFailed, SetBackup, SetOption

from .backoff import Backoff, Joins
from .drains import Drains
from .effects import (
    CloseSubflow,
    Effect,
    KernelCall,
    OpenSubflow,
    SetSubflowBackup,
    SetSubflowOption,
    WithdrawAddress,
)
from .endings import Endings
from .failures import Failures
from .guarding import Guarding
from .openings import Openings
from .outbox import Outbox
from .peer import Peer
from .subflow import Cause, State, SubflowRecord
from .table import SubflowTable

_LOOKS_A_ROUND_TRIP = 8
_LOOK_AT_MOST_EVERY = 0.002
"""Seconds; a subflow that settles or drains is looked at so often, or every 8th round trip."""


@dataclass(frozen=True, slots=True)
class _Change:
    """What hangs on a call that changes one subflow.

    Args:
        record: the one.
        transfer: whose command it answers; None for nobody's.
    """

    record: SubflowRecord
    transfer: Hashable | None = None


class PathManager:
    """Opens, pauses and closes the subflows of one connection for its transfers.

    A transfer is whatever the caller tells it by, as long as it can be in a set.

    Args:
        table: the connection's subflows.
        remote: where the peer is.
        hint: what mends it where the peer refuses a subflow, or one is reset.
        joins: is told which address pairs refuse subflows; None where they are none of MPTCP's.
        harm: knows which address pairs held up others, also of other connections.
        reasons_later: whether events tell why a subflow ended (`Endings`).

    Attributes:
        peer: where the peer can be reached.
        endings: which subflows end by themselves, and who is told.
        controlled: whether the kernel takes calls for this connection; a plain TCP one takes none.
    """

    def __init__(
        self,
        table: SubflowTable,
        remote: SocketAddress,
        *,
        hint: str = "",
        joins: Joins | None = None,
        harm: Backoff | None = None,
        reasons_later: bool = True,
    ) -> None:
        self.controlled = True
        self._table = table
        self.peer = Peer(remote)
        self._outbox = Outbox()
        self._failures = Failures(table, hint, joins, harm)
        self._openings = Openings(table, self._outbox, self._failures)
        self.endings = Endings(table, self._outbox, self._failures, reasons_later=reasons_later)
        self._guarding = Guarding(table, self._outbox, self._failures)
        self._drains = Drains(table)
        self._changes: dict[KernelCall, _Change] = {}
        self._retired: dict[Hashable, bool] = {}  # by transfer, whether it keeps its subflows

    def take_effects(self) -> list[Effect]:
        """Return what is to be done, in this order, and forget it."""
        return self._outbox.take()

    @property
    def busy(self) -> bool:
        """Whether something is under way, so that the kernel is to be looked at often."""
        return bool(self._openings.machines or self._drains)

    @property
    def attends(self) -> bool:
        """Whether the kernel is to be looked at often, if only for other paths (`Guarding`)."""
        return self.busy or (self.controlled and self._guarding.watches)

    # Commands.

    def command(
        self, transfer: Hashable, command: Command, now: float, path: Path | None = None
    ) -> None:
        """Record what a strategy asks for; an `Answer` or a `Failure` comes of it, now or later.

        Args:
            transfer: whose strategy.
            command: any but `Until`.
            now: the time, in seconds.
            path: that of an `Open`, as the kernel knows it; None where it doesn't reach the peer.
        """
        try:
            if not self.controlled:
                raise CommandFailed("the connection is plain TCP: it has no subflows to control")
            match command:
                case Open():
                    self._open(transfer, command, now, path)
                case Close(subflow, lost):
                    self._close(transfer, self._record(subflow.id), now, lost=lost)
                case SetBackup(subflow, backup):
                    record = self._record(subflow.id)
                    self._use(transfer, record, use=not backup, answers=transfer)
                case SetOption(subflow, level, name, value):
                    record = self._record(subflow.id)
                    call = SetSubflowOption(record.info, level, name, value)
                    self._call(call, record, transfer)
        except CommandFailed as error:
            hint = "" if self.controlled else "`mphttp doctor URL` tells what the server offers"
            self._outbox.fail(transfer, error, hint)

    def _record(self, subflow_id: int) -> SubflowRecord:
        record = self._table.get(subflow_id)
        if record is None or record.state is State.CLOSING:
            raise CommandFailed(f"subflow {subflow_id} is closed already")
        return record

    def _call(
        self, call: KernelCall, record: SubflowRecord, transfer: Hashable | None = None
    ) -> None:
        self._changes[call] = _Change(record, transfer)
        self._outbox.put(call)

    def _open(self, transfer: Hashable, command: Open, now: float, path: Path | None) -> None:
        if path is None:
            raise OpenFailed(f"no path {command.path.name!r} reaches the server")
        remote = self.peer.of(command)
        shared = self._table.wanted_by_others(transfer, path.name, remote)
        if shared is None:
            call = OpenSubflow(path, remote, command.backup)
            self._openings.begin(transfer, call, now)
            return
        shared.wanted_by.add(transfer)
        if not command.backup:
            self._use(transfer, shared, use=True)
        self._outbox.answer(transfer, shared)

    def _close(self, transfer: Hashable, record: SubflowRecord, now: float, *, lost: bool) -> None:
        last = record.alive and self._table.is_last(record)
        if last and record.wanted_by <= {transfer}:
            raise CommandFailed("the last subflow that works can't be closed")
        record.wanted_by.discard(transfer)
        record.used_by.discard(transfer)
        if record.wanted_by or not record.alive:
            self._outbox.answer(transfer)  # another still wants it, or it is on its way out
            return
        if lost:
            what = f"nothing came over {record.path} any more"
            self._failures.failed(record, what, self._failures.hint, now)
        else:
            self._failures.worked(record, now)
        if record.backup:
            record.move(Cause.CLOSE, now)
            self._call(CloseSubflow(record.info), record, transfer)
        else:
            record.move(Cause.DRAIN, now)
            withdrawn = lost and not self._table.address_has_another(record)
            info = record.info
            avoid = WithdrawAddress(info) if withdrawn else SetSubflowBackup(info, True)
            self._call(avoid, record, transfer)

    def _use(
        self,
        transfer: Hashable,
        record: SubflowRecord,
        *,
        use: bool,
        answers: Hashable | None = None,
    ) -> None:
        """Record whether a transfer wants the peer to use a subflow, and tell the peer."""
        others = record.used_by - {transfer}
        record.used_by = others | {transfer} if use else others
        if record.backup if use else not others:
            self._call(SetSubflowBackup(record.info, not use), record, answers)
        else:
            self._outbox.answer(answers)

    # What came of calls.

    def completed(self, call: KernelCall, now: float, subflow: SubflowInfo | None = None) -> None:
        """Record that a call was carried out.

        Args:
            call: which.
            now: the time, in seconds.
            subflow: what an `OpenSubflow` gave.
        """
        if isinstance(call, OpenSubflow):
            assert subflow is not None
            self._openings.completed(call, subflow, now)
            return
        change = self._changes.pop(call, None)
        if change is None:  # the end of what nobody waits for
            return
        record = change.record
        match call:
            case WithdrawAddress() if record.state is State.DRAINING:
                self._end(record, now)
            case SetSubflowBackup(_, True) if record.state is State.DRAINING:
                self._drains.begin(record, change.transfer, now)
            case SetSubflowBackup(_, backup) if record.alive and record.backup != backup:
                record.backup = backup
                kind = "subflow_paused" if backup else "subflow_resumed"
                self._outbox.note(kind, record, transfer=change.transfer)
            case _:
                pass
        self._outbox.answer(change.transfer)

    def failed(self, call: KernelCall, error: KernelError, now: float) -> None:
        """Record that a call was refused."""
        if isinstance(call, OpenSubflow):
            self._openings.failed(call, error, now)
            return
        change = self._changes.pop(call, None)
        if change is None:
            return
        record, transfer = change.record, change.transfer
        draining = record.state is State.DRAINING
        if isinstance(call, CloseSubflow):  # it may be gone already: a look tells
            self._outbox.answer(transfer)
        elif isinstance(call, WithdrawAddress) and draining:
            # Not every mechanism and kernel can: then it is closed like any other.
            self._call(SetSubflowBackup(record.info, True), record, transfer)
        else:
            if draining and isinstance(call, SetSubflowBackup) and call.backup:
                record.move(Cause.STAY, now)
            self._outbox.fail(transfer, CommandFailed(str(error)), error.hint)

    def _end(self, record: SubflowRecord, now: float) -> bool:
        """End a subflow at once, unless it is the last that works: then it stays."""
        drained = record.state is State.DRAINING
        if self._table.is_last(record) or (drained and not self._drains.works_without(record)):
            record.move(Cause.STAY, now)
            if drained:
                self._call(SetSubflowBackup(record.info, False), record)
            return False
        record.move(Cause.CLOSE, now)
        self._call(CloseSubflow(record.info), record)
        return True

    # A transfer's end.

    def unanswered(self, transfer: Hashable, now: float) -> None:
        """Tell a transfer that is about to end which of its opens had no answer for long."""
        self._openings.unanswered(transfer, now)

    def retire(self, transfer: Hashable, now: float, *, keep: bool = False) -> None:
        """Record that a response has ended: from now on nothing is built on what only it asked for.

        It is told at the very end of a response; `release`, a little later, closes it.

        Args:
            transfer: whose response.
            now: the time, in seconds.
            keep: whether what it asked for stays for the next response.
        """
        self._openings.leave(transfer)
        self._outbox.end(transfer)
        self._retired[transfer] = keep
        if keep:
            return
        for record in self._table.alive():
            wanted = any(self._retired.get(other, True) for other in record.wanted_by)
            if transfer in record.wanted_by and not wanted and not self._table.is_last(record):
                record.move(Cause.RETIRE, now)

    def release(self, transfer: Hashable, now: float) -> None:
        """End what only this transfer asked for and was retired; pause what it alone used."""
        self._openings.abandon(now)
        self._drains.forget(transfer)
        mine = [record for record in self._table.alive() if record.wanted_by == {transfer}]
        for record in self._table.open():
            self._leave(transfer, record, now)
        if not self._retired.pop(transfer, False):
            self._end_needless(mine, now)
        under_way = (change.transfer for change in self._changes.values())
        self._outbox.forget_all_but({*self._retired, *under_way})

    def _leave(self, transfer: Hashable, record: SubflowRecord, now: float) -> None:
        """Let one subflow be without a transfer that has ended."""
        record.wanted_by.discard(transfer)
        leaving = record.state in (State.RETIRED, State.DRAINING) and not record.wanted_by
        others = [(change.record, change.transfer) for change in self._changes.values()]
        others += self._drains.owners
        drains = any(r is record and t not in (transfer, None) for r, t in others)
        if leaving and not drains and self._end(record, now):
            self._failures.worked(record, now)
            self._table.end(record, now)
        used = transfer in record.used_by
        if used and record.alive and not record.initial and not self._table.is_last(record):
            self._use(transfer, record, use=False)
        record.used_by.discard(transfer)

    def _end_needless(self, records: list[SubflowRecord], now: float) -> None:
        """End what stayed as the last one, where an older one that had drained stays after all."""
        for record in records:
            if record.alive and not self._table.is_last(record):
                record.move(Cause.CLOSE, now)
                self._call(CloseSubflow(record.info), record)
                self._table.end(record, now)

    # What time and the kernel bring.

    def on_event(self, event: Event, now: float) -> None:
        """Record an event of this connection."""
        self._openings.on_event(event, now)
        note, newest = self._outbox.note, self._table.newest
        match event:
            case SubflowEstablished():
                note("subflow_established", newest(event.tuple))
            case SubflowClosed():
                self.endings.on_event(event, now)
            case SubflowPriority():
                detail = "backup" if event.backup else "regular"
                note("subflow_priority", newest(event.tuple), detail)
            case AddressAnnounced():
                self.peer.on_event(event)
                note("address_announced", detail=event.remote.host)
            case AddressRemoved():
                self.peer.on_event(event)
                note("address_removed", detail=f"id {event.remote_id}")
            case ConnectionClosed():
                note("connection_closed")
            case _:
                pass  # the look that follows every event is all that is needed

    def weigh(self, info: ConnectionInfo, now: float, waiting: int | None) -> None:
        """End a path that makes transfers slower than without it (`Guarding`); after a look.

        Args:
            info: what there is.
            now: when it was so, in seconds.
            waiting: bytes that came and can't be delivered yet; None where that isn't known.
        """
        if self.controlled:
            self._guarding.weigh(info, now, waiting)

    def on_snapshot(self, info: ConnectionInfo, now: float) -> None:
        """Take a look at the kernel's state."""
        self.endings.on_snapshot(info, now)
        rows = {subflow.id: subflow for subflow in info.subflows}
        self._openings.on_snapshot(rows, now)
        self._drains.on_snapshot(rows, now)

    def on_time(self, now: float) -> None:
        """Do what is due; look at the kernel first, if `busy`."""
        self._openings.on_time(now)
        for record in self._drains.on_time(now):
            self._end(record, now)

    def next_time(self, now: float) -> float | None:
        """Return when there is more to do, or None."""
        times = [self._openings.next_time(now), self._guarding.next_time(now)]
        machines: list[Opening | Draining] = [*self._openings.machines, *self._drains.machines]
        for machine in machines:
            often = max(_LOOK_AT_MOST_EVERY, machine.subflow.rtt / _LOOKS_A_ROUND_TRIP)
            times += [machine.next_deadline, now + often]
        return min((when for when in times if when is not None), default=None)
