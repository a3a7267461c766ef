"""Subflows that the peer was asked to avoid, closed when nothing comes over them any more. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

from mphttp.kernel.connection.establishment import Draining
from mphttp.kernel.values import SubflowInfo

from .subflow import State, SubflowRecord
from .table import SubflowTable

_TAKES_OVER = 16 * 1024
"""Bytes that another subflow must have brought before the one that brought all is closed."""
_TAKES_OVER_WITHIN = 2.0
_TAKES_OVER_ROUND_TRIPS = 8
"""Seconds, or round trips, after which it stays, since the other doesn't take over."""


@dataclass(slots=True, eq=False)
class Drain:
    """A subflow that drains.

    Args:
        transfer: whose command it was; None for nobody's.
        record: the subflow.
        machine: tells when nothing comes any more.
        until: when it ends or stays, whatever comes.
    """

    transfer: Hashable
    record: SubflowRecord
    machine: Draining
    until: float


class Drains:
    """The subflows of one connection that drain.

    Args:
        table: the connection's subflows.
    """

    def __init__(self, table: SubflowTable) -> None:
        self._table = table
        self._drains: list[Drain] = []

    def __bool__(self) -> bool:
        return bool(self._drains)

    @property
    def machines(self) -> list[Draining]:
        """What tells when each is done."""
        return [drain.machine for drain in self._drains]

    @property
    def owners(self) -> list[tuple[SubflowRecord, Hashable]]:
        """Each, and the transfer whose command it was."""
        return [(drain.record, drain.transfer) for drain in self._drains]

    def begin(self, record: SubflowRecord, transfer: Hashable, now: float) -> None:
        """Record that the peer was asked to avoid a subflow."""
        until = now + max(_TAKES_OVER_WITHIN, _TAKES_OVER_ROUND_TRIPS * record.info.rtt)
        self._drains.append(Drain(transfer, record, Draining(record.info, now), until))

    def forget(self, transfer: Hashable) -> None:
        """Drop those of a transfer that has ended: nothing of it is on its way any more."""
        self._drains = [drain for drain in self._drains if drain.transfer != transfer]

    def on_snapshot(self, rows: Mapping[int, SubflowInfo], now: float) -> None:
        """Look at what the kernel tells of them, by id."""
        for drain in self._drains:
            if drain.record.id in rows:
                drain.machine.on_info(rows[drain.record.id], now)

    def on_time(self, now: float) -> list[SubflowRecord]:
        """Return those that are to end now."""
        over = []
        for drain in list(self._drains):
            drain.machine.on_time(now)
            record = drain.record
            if record.state is not State.DRAINING:
                self._drains.remove(drain)
            elif drain.machine.done and (now >= drain.until or self.works_without(record)):
                self._drains.remove(drain)
                over.append(record)
        return over

    def works_without(self, record: SubflowRecord) -> bool:
        """Return whether another subflow is known to work, or this one isn't known to either.

        Something on the way may let the handshake of the others pass, but no data.
        """
        least = min(_TAKES_OVER, record.info.carried)
        others = (other for other in self._table.alive() if other is not record)
        return any(other.info.carried >= least for other in others)
