"""Which subflows failed, and where none may be asked for again for a while: pure."""

from __future__ import annotations

from mphttp.kernel.errors import OpenRefused
from mphttp.kernel.values import SocketAddress
from mphttp.strategies import OpenFailed, PathRests

from .backoff import PROVEN, Backoff, Joins, Pair
from .subflow import SubflowRecord
from .table import SubflowTable


class Failures:
    """What one connection has seen of subflows that were refused or killed.

    Args:
        table: the connection's subflows.
        hint: what mends it where the peer refuses a subflow, or one is reset.
        joins: is told which address pairs refuse subflows; None where they are none of MPTCP's.
        harm: knows which address pairs held up others, also of other connections; None for a
            memory of this one's alone.
    """

    def __init__(
        self,
        table: SubflowTable,
        hint: str,
        joins: Joins | None,
        harm: Backoff | None = None,
    ) -> None:
        self.hint = hint
        self._table = table
        self._joins = joins
        self._harm = Backoff() if harm is None else harm
        self._backoff = Backoff()

    def refusal(
        self, address: str, remote: SocketAddress, now: float
    ) -> tuple[OpenFailed, str] | None:
        """Return what an open fails with as long as an address pair rests, and the hint; or None.

        What was refused or killed may be opened in another way meanwhile; what did harm may not.
        """
        pair, alone = (address, remote), not self._table.alive()
        if (harm := self._harm.refusal(pair, now, alone=alone)) is not None:
            return PathRests(str(harm)), harm.hint
        if (refusal := self._backoff.refusal(pair, now, alone=alone)) is not None:
            return OpenFailed(str(refusal)), refusal.hint
        return None

    def failed(
        self, record: SubflowRecord, what: str, hint: str, now: float, *, refused: bool = False
    ) -> None:
        """Take that a subflow was refused, or ended though nobody asked for that.

        Args:
            record: the subflow.
            what: what happened, in a sentence.
            hint: what mends it, or "".
            now: the time, in seconds.
            refused: whether the peer said no to it.
        """
        pair = _pair(record)
        if record.failed:
            self._backoff.explain(pair, what, hint)
            return
        record.failed = True
        came, lived = record.info.carried, _lived(record, now)
        self._failed(pair, what, hint, now, came=came, lived=lived, refused=refused)

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
        beside = [r.info.carried for r in self._table.alive() if _pair(r) == pair]
        proven = max((came, *beside)) >= PROVEN
        self._backoff.failed(pair, what, hint, now, proven=proven, refused=refused, lived=lived)

    def no_syn(self, address: str, remote: SocketAddress, error: OpenRefused, now: float) -> None:
        """Take that the peer refused a subflow at once."""
        pair = (address, remote)
        self._failed(pair, str(error), error.hint or self.hint, now, refused=True)
        self._join_refused(pair, now)

    def join_refused(self, record: SubflowRecord, now: float) -> None:
        """Take that somebody said no to a subflow, so that others may know; silence is none."""
        self._join_refused(_pair(record), now)

    def _join_refused(self, pair: Pair, now: float) -> None:
        if self._joins is not None and not self._any_joined:
            self._joins.refused(pair, now)

    @property
    def _any_joined(self) -> bool:
        """Whether another subflow has joined, so that a refusal is a limit."""
        return any(not record.initial for record in self._table.alive())

    def joined(self, record: SubflowRecord, now: float) -> None:
        """Take that a subflow was established."""
        self._backoff.opened(_pair(record))
        if self._joins is not None:
            self._joins.worked(_pair(record), now)

    def killed(self, record: SubflowRecord, what: str, now: float) -> None:
        """Take that a subflow ended though nobody asked for that; see `failed`."""
        joins = None if record.failed or record.initial else self._joins
        if joins is not None and not self._any_joined:
            came = record.info.carried
            joins.killed(_pair(record), now, brought=came, lived=_lived(record, now))
        self.failed(record, what, self.hint, now)

    def held_up(self, record: SubflowRecord, what: str, hint: str, now: float) -> None:
        """Take that a subflow ends since it made the others slower; see `failed`."""
        record.failed = True
        self._harm.failed(_pair(record), what, hint, now, harmful=True)

    def worked(self, record: SubflowRecord, now: float) -> None:
        """Take that a subflow ends since that was wanted."""
        if record.opened_at is not None and record.info.carried:
            self._backoff.worked(_pair(record), now)
            self._harm.worked(_pair(record), now)
            if self._joins is not None and record.info.carried >= PROVEN:
                self._joins.lasted(_pair(record))


def _pair(record: SubflowRecord) -> Pair:
    return record.tuple.local.host, record.tuple.remote


def _lived(record: SubflowRecord, now: float) -> float:
    return 0.0 if record.opened_at is None else now - record.opened_at
