"""Subflows that end or fall silent though nobody asked for it, and who is told: pure."""

from __future__ import annotations

from collections.abc import Sequence

from mphttp.kernel.connection_events import SubflowClosed as Told
from mphttp.kernel.events import SubflowClosed
from mphttp.kernel.values import ConnectionInfo, Path

from .effects import Explain
from .failures import Failures
from .outbox import Outbox
from .subflow import State, SubflowRecord
from .table import SubflowTable

PATH_LOST = "its interface is down, or its route or address is gone; `Handover` opens another"


class Endings:
    """Finds out which subflows have ended, and tells why once that is known.

    Args:
        table: the connection's subflows.
        outbox: takes the effects.
        failures: is told of each that ended by itself.
        reasons_later: whether an event may tell why one ended that a look finds ended; else one
            that ended without a reason had done its work.
    """

    def __init__(
        self, table: SubflowTable, outbox: Outbox, failures: Failures, *, reasons_later: bool
    ) -> None:
        self._table = table
        self._outbox = outbox
        self._failures = failures
        self._reasons_later = reasons_later
        self._untold: list[SubflowRecord] = []  # ended; an event may still tell why

    def on_event(self, event: SubflowClosed, now: float) -> None:
        """Record that the kernel tells of an end."""
        record = self._table.newest(event.tuple)
        if record is None or record.opened_at is None:
            return
        reason = Told(None, event.tuple, event.error, event.reset_reason).reason
        asked = _asked_to_end(record)
        if record.state is not State.CLOSED:  # else a look has told already, without a reason
            self._table.end(record, now)
            self._outbox.note("subflow_closed", record, reason if event.error else "")
        elif event.error:
            self._outbox.put(Explain("subflow_closed", record, reason))
        if asked or record.told:
            return
        if event.error:
            self._killed(record, reason, now)
        else:  # in good order
            record.told = True
            self._failures.killed(record, f"the subflow on {record.path} ended", now)

    def _killed(self, record: SubflowRecord, reason: str, now: float) -> None:
        """Record that a subflow has ended though nobody asked for that."""
        what = f"the subflow on {record.path} ended" + (f": {reason}" if reason else "")
        self._failures.killed(record, what, now)
        if reason:
            record.told = True
            self._outbox.trouble(what, self._failures.hint)
        else:
            self._untold.append(record)

    def tell_untold(self) -> None:
        """Tell without a reason what no event has told with one, unless the connection is over."""
        untold, self._untold = [r for r in self._untold if not r.told], []
        if any(record.info.established for record in self._table.alive()):
            for record in untold:
                record.told = True
                what = f"the subflow on {record.path} ended"
                self._outbox.trouble(what, self._failures.hint)

    def on_snapshot(self, info: ConnectionInfo, now: float) -> None:
        """Take a look at the kernel's state."""
        unasked = {record.id for record in self._table.open() if not _asked_to_end(record)}
        for record in self._table.observe(info, now):
            if record.opened_at is None:
                continue
            self._outbox.note("subflow_closed", record, record.info.error)
            killed = bool(record.info.error) or self._reasons_later
            if killed and record.id in unasked and not record.told:
                self._killed(record, record.info.error, now)

    def on_paths(self, before: Sequence[Path], after: Sequence[Path], now: float) -> None:
        """Record which paths reached the peer, and which do now.

        Subflows of a path that is gone only fall silent. A path that was never listed, as where
        routes depend on the source address, can't be lost.
        """
        names = {path.address: path.name for path in after}
        listed = {path.address for path in before}
        gone = {path.name for path in before} - {path.name for path in after}
        for record in self._table.alive():
            host = record.tuple.local.host
            name = names.get(host)
            # The interface may have got another address, by DHCP, or only prefer one (RFC 8981).
            moved = host in listed and self._table.path_of(record.tuple) == "?"
            if name is not None and name != record.path:
                self._outbox.note("path_renamed", record, f"to {name}")
                record.path = name
            elif name is None and (record.path in gone or moved):
                what = f"{record.path} doesn't reach the server any more"
                self._outbox.note("path_lost", record)
                self._outbox.trouble(what, PATH_LOST)
                self._failures.failed(record, what, PATH_LOST, now)


def _asked_to_end(record: SubflowRecord) -> bool:
    """Return whether a subflow was on its way out before it ended."""
    return record.left_at is not None and record.left_at != record.closed_at
