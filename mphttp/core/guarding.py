"""Ends a path that makes its transfers slower than the preferred one alone would be: pure."""

from __future__ import annotations

import math

from mphttp.kernel.values import ConnectionInfo

from .effects import CloseSubflow
from .failures import Failures
from .outbox import Outbox
from .path_guard import Look, PathGuard
from .subflow import Cause, SubflowRecord
from .table import SubflowTable

_LOOK_EVERY = 0.025
"""Seconds between two looks while more than one path is in use."""
_SILENT = 0.1
_SILENT_ROUND_TRIPS = 3
"""Seconds, or round trips, without a byte after which a path isn't called weak but silent."""
_MENDS = 1.0
"""Seconds in which the peer sends again what a subflow had when it was killed."""
_HINT = "the transfer goes on without it; name the paths that are to be used (paths=, --path)"


class Guarding:
    """Watches what the paths of a connection bring, and closes what only holds up the others.

    A subflow that no transfer asked for is left alone, as is every one on the preferred path: that
    of the connection's first subflow, or of the oldest that the peer may use.

    Args:
        table: the connection's subflows.
        outbox: takes the effects.
        failures: is told of each path that was ended.
    """

    def __init__(self, table: SubflowTable, outbox: Outbox, failures: Failures) -> None:
        self._table = table
        self._outbox = outbox
        self._failures = failures
        self._guard = PathGuard()
        self._seen: dict[int, SubflowRecord] = {}
        self._mends_until = -math.inf

    @property
    def watches(self) -> bool:
        """Whether the kernel is to be looked at often."""
        return bool(self._suspects())

    def next_time(self, now: float) -> float | None:
        """Return when to look next, or None."""
        return now + _LOOK_EVERY if self.watches else None

    def _regular(self) -> list[SubflowRecord]:
        return [record for record in self._table.alive() if not record.backup]

    def _preferred(self) -> str | None:
        first = min(self._regular(), key=lambda record: not record.initial, default=None)
        return None if first is None else first.path

    def _suspects(self) -> list[SubflowRecord]:
        preferred = self._preferred()
        return [r for r in self._regular() if r.path != preferred and r.wanted_by]

    def weigh(self, info: ConnectionInfo, now: float, waiting: int | None) -> None:
        """Take a look at the kernel's state.

        Args:
            info: what there is.
            now: the time, in seconds.
            waiting: bytes that came and can't be delivered yet; None where that isn't known.
        """
        preferred = self._preferred()
        if preferred is None or waiting is None or info.bytes_received is None:
            self._guard.forget()
            return
        suspects = self._suspects()
        look = self._look(info.bytes_received, now, waiting)
        if now < self._mends_until:  # others wait for what was lost, and no path holds them up
            self._guard.forget()
            return
        harmful = self._guard.look(look, preferred, {record.path for record in suspects})
        if harmful is not None:
            ended = [record for record in suspects if record.path == harmful]
            self._tell(ended[0], self._guard.rate(preferred), self._guard.rate(harmful), now)
            self._end(ended, now)

    def _look(self, delivered: int, now: float, waiting: int) -> Look:
        came: dict[str, int] = {}
        for record in self._table.open():
            came[record.path] = came.get(record.path, 0) + record.info.bytes_received
        seen = {record.id: record for record in self._table.open()}
        if seen.keys() != self._seen.keys():  # counters of one that has gone are gone, too
            if any(self._seen[number].failed for number in self._seen.keys() - seen.keys()):
                self._mends_until = now + _MENDS
            self._seen = seen
            self._guard.forget()
        rtt, idle = dict[str, float](), dict[str, float]()
        for record in self._regular():
            rtt[record.path] = record.info.rtt
            last = record.info.last_data_received
            idle[record.path] = min(last, idle.get(record.path, last))
        return Look(now, delivered, came, waiting, rtt, idle)

    def _tell(self, record: SubflowRecord, alone: float, brings: float, now: float) -> None:
        rates = f"{_kbit(brings)} of its own beside {_kbit(alone)}"
        silent = record.info.last_data_received > max(
            _SILENT, _SILENT_ROUND_TRIPS * record.info.rtt
        )
        why = "it fell silent" if silent else f"it brings {rates}"
        what = f"{record.path} held up the other path, and was closed: {why}"
        self._outbox.note("path_held_up", record, rates)
        self._outbox.trouble(what, _HINT)
        self._failures.held_up(record, what, _HINT, now)

    def _end(self, records: list[SubflowRecord], now: float) -> None:
        for record in records:
            record.move(Cause.CLOSE, now)
            self._outbox.put(CloseSubflow(record.info))


def _kbit(rate: float) -> str:
    return f"{rate * 8 / 1e3:.0f} kbit/s"
