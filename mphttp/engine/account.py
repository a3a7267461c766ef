"""What each subflow carried for one response, from looks at the connection before and after it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

from mphttp.core import SubflowRecord, SubflowTable
from mphttp.kernel.values import ConnectionInfo, SubflowInfo
from mphttp.report import SubflowReport


class Taken(Protocol):
    """The state of a connection at some moment, perhaps not read yet."""

    @property
    def bytes_received(self) -> int:
        """Bytes that had come over all of it, in order."""

    @property
    def bytes_acked(self) -> int:
        """Bytes that the peer had acknowledged, in order."""

    def decode(self) -> ConnectionInfo:
        """Read it into values."""


@dataclass
class Account:
    """One response's share of a connection; times are the engine's clock, in seconds.

    Args:
        sent_at: when the request was sent.
        before: the connection before the first byte of the response.
        gone: ids of subflows that were to end with an earlier response.
        ended_at: when the response ended, or None while it is under way.
        after: the connection after its last byte; what came later is another's.
        whole: whether the body came to its end.
    """

    sent_at: float
    before: Taken | None = None
    gone: frozenset[int] = frozenset()
    ended_at: float | None = None
    after: Taken | None = None
    whole: bool = False

    def delivered(self, total: int) -> int:
        """Return the bytes that came for this response, of all that came over the connection."""
        return total - self.before.bytes_received if self.before is not None else 0

    def carried(self, record: SubflowRecord) -> int:
        """Return the TCP payload that came over a subflow for this response, in bytes."""
        return self._counted(record, _bytes_received, 0)

    def brought(self, record: SubflowRecord) -> int:
        """Return the TCP payload that the peer acknowledged on a subflow meanwhile, in bytes."""
        return self._counted(record, _bytes_acked, _SYN)

    def _counted(
        self, record: SubflowRecord, count: Callable[[SubflowInfo], int], at_first: int
    ) -> int:
        last = count(record.info)
        after = _of(record, self._end, count, default=last)
        if record.closed_at is not None and record.closed_at <= self._until:
            after = max(after, last)  # of one that was reset, the kernel forgets what came
        return max(0, after - _of(record, self._begin, count, default=at_first))

    def table(self, empty: SubflowTable) -> SubflowTable:
        """Fill the table of a response that the engine had nothing to do with."""
        for taken, at in ((self.before, self.sent_at), (self.after, self.ended_at)):
            if taken is not None and at is not None:
                empty.observe(taken.decode(), at)
        return empty

    def rows(
        self, table: SubflowTable, alive: Callable[[], set[int]], *, numbered: bool
    ) -> list[SubflowReport]:
        """Tell of every subflow that was alive during the response, oldest first.

        Args:
            table: the connection's subflows.
            alive: tells the ids of those that are alive now.
            numbered: whether their ids are the kernel's, or another mechanism's.
        """
        # What was to end with the response before may still have been there for a moment.
        gone = self.gone - alive() if self.gone else self.gone
        records = [r for r in table.during(self.sent_at, self._until) if r.id not in gone]
        rows = [self._row(record, numbered=numbered) for record in records]
        if self.before is not None and self.after is not None:
            came = self.after.bytes_received - self.before.bytes_received
            missing = came - sum(row.bytes_received for row in rows)
            ended = [n for n, record in enumerate(records) if record.closed_at is not None]
            if missing > 0 and ended:
                # Since the last look it came over the one that has ended, and that forgot it.
                last = rows[ended[-1]]
                rows[ended[-1]] = replace(last, bytes_received=last.bytes_received + missing)
        return rows

    def _row(self, record: SubflowRecord, *, numbered: bool) -> SubflowReport:
        ended = record.closed_at
        if self.ended_at is not None and (ended is None or ended > self.ended_at):
            ended = record.left_at  # what came after the response is no end that it can tell
        return SubflowReport(
            id=record.id if numbered else None,
            path=record.path,
            local=record.tuple.local,
            remote=record.tuple.remote,
            opened_at=self._since_request(record.opened_at or 0.0),
            closed_at=None if ended is None else self._since_request(ended),
            bytes_received=self.carried(record),
            initial=record.initial,
            backup=record.backup,
            bytes_sent=self.brought(record),
        )

    def _since_request(self, at: float) -> float:
        return round(max(0.0, at - self.sent_at), 6)

    @property
    def _until(self) -> float:
        return math.inf if self.ended_at is None else self.ended_at

    @cached_property
    def _begin(self) -> ConnectionInfo:
        return self.before.decode() if self.before else _NOTHING

    @property
    def _end(self) -> ConnectionInfo:
        return self.after.decode() if self.after else _NOTHING


_NOTHING = ConnectionInfo(0, 0, True, ())


_SYN = 1
"""Which `tcpi_bytes_acked` of whoever sent it counts."""


def _bytes_received(row: SubflowInfo) -> int:
    return row.bytes_received


def _bytes_acked(row: SubflowInfo) -> int:
    return row.bytes_acked


def _of(
    record: SubflowRecord,
    info: ConnectionInfo,
    count: Callable[[SubflowInfo], int],
    *,
    default: int,
) -> int:
    """Return what a subflow had counted at some moment; the default where it wasn't there."""
    return next((count(row) for row in info.subflows if row.id == record.id), default)
