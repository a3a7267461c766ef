"""The book of one connection's subflows, kept from what the kernel tells and what was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from mphttp.kernel.values import ConnectionInfo, FourTuple, SubflowInfo


@dataclass(slots=True)
class Entry:
    """One subflow; times are the engine's clock, in seconds.

    Args:
        id: the kernel's unique id.
        path: name of the interface.
        tuple: both addresses.
        opened_at: when it was established, or None while it isn't.
        initial: whether the connection began with it.
        backup: what the peer was last asked.
        info: what the kernel last told.
        closed_at: when it ended, or None.
        closing: whether it is being closed.
        failed: whether it was refused, or ended though nobody wanted that.
        told: whether the reports have why.
    """

    id: int
    path: str
    tuple: FourTuple
    opened_at: float | None
    initial: bool
    backup: bool
    info: SubflowInfo
    closed_at: float | None = None
    closing: bool = False
    failed: bool = False
    told: bool = False

    @property
    def alive(self) -> bool:
        """Whether it is established and stays so."""
        return self.opened_at is not None and self.closed_at is None and not self.closing


class Ledger:
    """All subflows that a connection has had.

    Args:
        path_of: tells the interface that has a local address.
        initial: id of the subflow that the connection began with; None for the first seen here.
    """

    def __init__(self, path_of: Callable[[str], str], initial: int | None = None) -> None:
        self._path_of = path_of
        self._initial = initial
        self._entries: dict[int, Entry] = {}

    def observe(self, info: ConnectionInfo, now: float) -> list[Entry]:
        """Take what the kernel tells now.

        Returns:
            the subflows that have ended since.
        """
        for subflow in info.subflows:
            self._observe_one(subflow, now)
        present = {s.id for s in info.subflows if not s.closed}
        return [e for e in self.open() if e.id not in present and self._end(e, now)]

    def _observe_one(self, subflow: SubflowInfo, now: float) -> None:
        entry = self._entries.get(subflow.id)
        if entry is not None:
            if subflow.closed:  # the kernel forgets what came over one that was reset
                subflow = replace(
                    subflow, bytes_received=max(subflow.bytes_received, entry.info.bytes_received)
                )
            entry.info = subflow
            if not subflow.closed:
                entry.tuple = subflow.tuple  # one that connects again has another port
        elif subflow.established:
            # Not asked for by us: the first one, or the in-kernel path manager's.
            first = not self._entries if self._initial is None else subflow.id == self._initial
            self.add(subflow, opened_at=now, initial=first)

    def add(
        self,
        subflow: SubflowInfo,
        *,
        opened_at: float | None,
        initial: bool = False,
        backup: bool = False,
    ) -> Entry:
        """Write down a subflow that is new."""
        path = self._path_of(subflow.tuple.local.host)
        entry = Entry(subflow.id, path, subflow.tuple, opened_at, initial, backup, subflow)
        self._entries[subflow.id] = entry
        return entry

    def closed(self, four_tuple: FourTuple, now: float) -> Entry | None:
        """Write down that the subflow with these addresses ended; return it if it was open."""
        found = next((e for e in self.open() if e.tuple == four_tuple), None)
        return found if found and self._end(found, now) else None

    def newest(self, four_tuple: FourTuple) -> Entry | None:
        """Return the last subflow that had these addresses, ended or not."""
        entries = reversed(self._entries.values())
        return next((entry for entry in entries if entry.tuple == four_tuple), None)

    def all_closed(self, now: float) -> None:
        """Write down that the connection ended, and all subflows with it."""
        for entry in self.open():
            self._end(entry, now)

    @staticmethod
    def _end(entry: Entry, now: float) -> bool:
        entry.closed_at = now
        return True

    def open(self) -> list[Entry]:
        """Return those that haven't ended, established or not, oldest first."""
        return [entry for entry in self._entries.values() if entry.closed_at is None]

    def gone(self) -> frozenset[int]:
        """Return the ids of those that have ended or are about to."""
        return frozenset(
            i for i, e in self._entries.items() if e.closing or e.closed_at is not None
        )

    def alive(self) -> list[Entry]:
        """Return those that carry data, oldest first."""
        return [entry for entry in self._entries.values() if entry.alive]

    def since(self, then: float) -> Iterable[Entry]:
        """Return those that were established and had not ended by a time."""
        return [
            entry
            for entry in self._entries.values()
            if entry.opened_at is not None and (entry.closed_at is None or entry.closed_at >= then)
        ]

    def __getitem__(self, subflow_id: int) -> Entry:
        return self._entries[subflow_id]

    def forget(self, then: float) -> None:
        """Drop what ended before a time, so that a long-lived connection's book stays short."""
        gone = [
            i for i, e in self._entries.items() if e.closed_at is not None and e.closed_at < then
        ]
        for subflow_id in gone:
            del self._entries[subflow_id]
