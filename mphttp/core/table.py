"""All subflows that a connection has had, kept from what the kernel tells and what was asked."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import replace
from itertools import takewhile

from mphttp.kernel.values import ConnectionInfo, FourTuple, SocketAddress, SubflowInfo

from .subflow import Cause, State, SubflowRecord


class SubflowTable:
    """The records of one connection.

    Those that have ended lie apart: a connection may have had thousands, and neither an open nor a
    close looks at them.

    Args:
        path_of: tells the interface by which a subflow leaves, by its addresses.
        initial: id of the subflow that the connection began with; None for the first seen here.

    Attributes:
        path_of: the same.
    """

    def __init__(self, path_of: Callable[[FourTuple], str], initial: int | None = None) -> None:
        self.path_of = path_of
        self._initial = initial
        self._began = False
        self._records: dict[int, SubflowRecord] = {}  # all, oldest first
        self._open: dict[int, SubflowRecord] = {}
        self._ended: deque[SubflowRecord] = deque()
        self._by_tuple: dict[FourTuple, SubflowRecord] = {}

    def observe(self, info: ConnectionInfo, now: float) -> list[SubflowRecord]:
        """Record what the kernel tells now.

        Returns:
            the subflows that have ended since.
        """
        for subflow in info.subflows:
            self._observe_one(subflow, now)
        present = {s.id for s in info.subflows if not s.closed}
        ended = [r for r in self._open.values() if r.id not in present]
        for record in ended:
            self.end(record, now)
        return ended

    def _observe_one(self, subflow: SubflowInfo, now: float) -> None:
        record = self._records.get(subflow.id)
        if record is not None:
            record.info = _with_all_that_came(subflow, record.info)
            moved = not subflow.closed and record.tuple != subflow.tuple
            if moved and record.closed_at is None:
                self._by_tuple.pop(record.tuple, None)  # one that connects again has another port
                record.tuple = subflow.tuple
                self._by_tuple[subflow.tuple] = record
        elif subflow.established:
            # Not asked for by us: the first one, or the in-kernel path manager's.
            first = not self._began if self._initial is None else subflow.id == self._initial
            self.add(subflow, opened_at=now, initial=first)

    def add(
        self,
        subflow: SubflowInfo,
        *,
        opened_at: float | None,
        initial: bool = False,
        path: str | None = None,
    ) -> SubflowRecord:
        """Record a subflow that is new.

        Args:
            subflow: what the kernel tells of it.
            opened_at: when it was established, or None while it isn't.
            initial: whether the connection began with it.
            path: name of the interface; None for what `path_of` tells.
        """
        self._began = True
        record = SubflowRecord(
            id=subflow.id,
            path=path or self.path_of(subflow.tuple),
            tuple=subflow.tuple,
            info=subflow,
            state=State.OPENING if opened_at is None else State.ESTABLISHED,
            initial=initial,
            opened_at=opened_at,
        )
        self._records[subflow.id] = self._open[subflow.id] = record
        self._by_tuple[subflow.tuple] = record
        return record

    def end(self, record: SubflowRecord, now: float) -> None:
        """Record that a subflow has ended."""
        record.move(Cause.ENDED, now)
        del self._open[record.id]
        self._ended.append(record)

    def end_all(self, now: float) -> None:
        """Record that the connection ended, and all subflows with it."""
        for record in self.open():
            self.end(record, now)

    def get(self, subflow_id: int) -> SubflowRecord | None:
        """Return one that hasn't ended, by its id, or None."""
        return self._open.get(subflow_id)

    def newest(self, four_tuple: FourTuple) -> SubflowRecord | None:
        """Return the last subflow that had these addresses, ended or not."""
        return self._by_tuple.get(four_tuple)

    def open(self) -> list[SubflowRecord]:
        """Return those that haven't ended, established or not, oldest first."""
        return list(self._open.values())

    def alive(self) -> list[SubflowRecord]:
        """Return those that carry data, oldest first."""
        return [record for record in self._open.values() if record.alive]

    def leaving(self) -> frozenset[int]:
        """Return the ids of those that have ended or are on their way out."""
        return frozenset(r.id for r in self._records.values() if r.left_at is not None)

    def leaves_any(self, since: float) -> bool:
        """Return whether one is on its way out that worked, or has ended since a time."""
        ended = takewhile(lambda r: (r.closed_at or 0.0) >= since, reversed(self._ended))
        return any(map(_worked_and_left, (*self._open.values(), *ended)))

    def is_last(self, record: SubflowRecord) -> bool:
        """Return whether no other subflow carries data."""
        return not any(r.alive for r in self._open.values() if r is not record)

    def address_has_another(self, record: SubflowRecord) -> bool:
        """Return whether another subflow has the same local address."""
        host = record.tuple.local.host
        return any(o is not record and o.tuple.local.host == host for o in self._open.values())

    def wanted_by_others(
        self, transfer: Hashable, path: str, remote: SocketAddress
    ) -> SubflowRecord | None:
        """Find a subflow that another transfer asked for and this one didn't.

        Args:
            transfer: this one.
            path: name of the interface by which it leaves.
            remote: address and port of the peer.
        """
        for record in self.alive():
            same = record.path == path and record.tuple.remote == remote
            if same and record.wanted_by and transfer not in record.wanted_by:
                return record
        return None

    def during(self, since: float, until: float) -> list[SubflowRecord]:
        """Return those that were established, and not on their way out, at some time between."""
        return [r for r in self._records.values() if _there(r, since, until)]

    def forget(self, before: float) -> None:
        """Drop what ended before a time, so that a long-lived connection's table stays short."""
        while self._ended and (self._ended[0].closed_at or 0.0) < before:
            record = self._ended.popleft()
            del self._records[record.id]
            if self._by_tuple.get(record.tuple) is record:
                del self._by_tuple[record.tuple]


def _with_all_that_came(now: SubflowInfo, before: SubflowInfo) -> SubflowInfo:
    """Keep what a subflow that was reset has carried, which the kernel forgets."""
    if not now.closed:
        return now
    received = max(now.bytes_received, before.bytes_received)
    return replace(
        now, bytes_received=received, bytes_acked=max(now.bytes_acked, before.bytes_acked)
    )


def _worked_and_left(record: SubflowRecord) -> bool:
    return record.opened_at is not None and record.left_at is not None and not record.failed


def _there(record: SubflowRecord, since: float, until: float) -> bool:
    if record.opened_at is None or record.opened_at > until:
        return False
    return record.left_at is None or record.left_at >= since
