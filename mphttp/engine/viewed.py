"""What a strategy sees of a transfer (strategies.Source), and how far its request is."""

from __future__ import annotations

import time

from mphttp.core import SubflowRecord
from mphttp.strategies import Path, Remote, Subflow

from .guard import unbroken
from .paths import seen_by_strategies, why_alone
from .progress import Progress
from .told import Told


class Viewed(Told):
    """A transfer, as far as its strategy sees it.

    Attributes:
        received: bytes of the response's body that the application has read.
        length: bytes of the response's body; None while that isn't known.
    """

    received: int
    length: int | None
    _progress: Progress

    def problem(self, what: str, hint: str = "") -> None:
        """Write down what didn't work."""
        raise NotImplementedError

    def note(self, kind: str, record: SubflowRecord | None = None, detail: str = "") -> None:
        """Write down an event, for the strategy and the report."""
        raise NotImplementedError

    @property
    def answered(self) -> bool:
        """Whether the response's head is there."""
        return self._progress.answered

    def subflow(self, record: SubflowRecord) -> Subflow:
        """Show a subflow to the strategy."""
        now = self._stepping.now
        return Subflow(
            id=record.id,
            path=seen_by_strategies(record.path),
            age=now - (record.opened_at if record.opened_at is not None else now),
            backup=record.backup,
            bytes_received=self._account.carried(record),
            rtt=record.info.rtt,
            state=record.info.state.name.lower(),
            initial=record.initial,
            idle=min(self._idle(record), now - self.sent_at),
            remote=Remote(*record.tuple.remote),
            heard=record.info.heard,
            bytes_sent=self._account.brought(record),
            queued=record.info.queued,
        )

    def _idle(self, record: SubflowRecord) -> float:
        """Return the seconds since something came over a subflow that the transfer waits for."""
        info, downloads = record.info, self.answered and self._all_sent
        return info.last_data_received if downloads else info.heard

    # What a view asks for (strategies.Source), on whatever thread its strategy runs.

    @unbroken
    def paths(self) -> tuple[Path, ...]:
        """Return the paths, preferred first; a strategy that asks wants more than one.

        Unless its caller allows one alone: then there is nothing to mend.
        """
        paths = tuple(seen_by_strategies(path.name) for path in self._carrier.paths())
        allowed = self._carrier.reach.names
        if not paths or (len(paths) < 2 and (allowed is None or len(set(allowed)) > 1)):
            self.problem(*why_alone(paths[0].name if paths else "", self._carrier.remote))
        return paths

    @unbroken
    def subflows(self) -> tuple[Subflow, ...]:
        """Return the live subflows, oldest first."""
        with self._carrier.lock:
            self._carrier.look(self._stepping.now)
            return tuple(self.subflow(record) for record in self._carrier.alive())

    @unbroken
    def remotes(self) -> tuple[Remote, ...]:
        """Return the peer's addresses, the connection's own first."""
        return tuple(Remote(*remote) for remote in self._carrier.remotes())

    @unbroken
    def delivered(self) -> int:
        """Return the bytes of the bodies that the network has delivered, in either direction."""
        sent = self._progress.counted
        came = self._carrier.delivered(self._account) if self._account.before else None
        if came is None:
            return sent + self.received
        return sent + (came if self.length is None else min(came, self.length))

    @unbroken
    def unacknowledged(self) -> int:
        """Return the bytes that were given to be sent and that the peer doesn't have."""
        self.bytes_sent()
        return max(self._progress.written - self._progress.acknowledged, self._progress.queued)

    @unbroken
    def owed_for(self) -> float:
        """Return the seconds for which the peer has owed something."""
        return self._stepping.now - self._progress.owed_since

    @unbroken
    def asked_for(self) -> float | None:
        """Return the seconds for which an idle peer hasn't told that it is there, None unasked."""
        after = self._carrier.asks_after
        if after is None:
            return None
        with self._carrier.lock:
            self._carrier.look(time.monotonic())
            regular = [r.info.heard for r in self._carrier.table.alive() if not r.backup]
        return max(0.0, min(regular, default=0.0) - after)

    @unbroken
    def unread(self) -> int | None:
        """Return the bytes that the application could read at once, where the carrier knows."""
        return self._carrier.unread()

    @unbroken
    def expect(self, seconds: float | None) -> None:
        """Record when the body is expected, if later than its deadline."""
        self.journal.expected = None if seconds is None else round(seconds, 3)
        if seconds is None:
            self.note("deadline_reachable")
        else:
            self.note("deadline_unreachable", detail=f"the body is expected after {seconds:.1f} s")

    # How far its request is.

    def bytes_sent(self) -> int:
        """Return the bytes of the request's body that the peer has acknowledged."""
        progress, before = self._progress, self._account.before
        if self._account.ended_at is None and before is not None and not self._all_sent:
            with self._carrier.lock:
                outgoing = self._carrier.outgoing
                given, held = outgoing.given, outgoing.held()
                acknowledged, queued = self._carrier.acknowledged(before)
                behind = None if queued is None else queued + held
                progress.take(acknowledged, behind, given, time.monotonic())
        return progress.acknowledged

    @property
    def sends(self) -> bool:
        """Whether the peer lacked something of the request's body at the last look."""
        return self._progress.acknowledged < self._progress.written

    @property
    def _all_sent(self) -> bool:
        progress = self._progress
        return self.answered and progress.complete and progress.acknowledged >= progress.written
