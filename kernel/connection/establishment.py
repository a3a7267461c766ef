"""When a new subflow counts as open, and when one that is given up may be closed.

Pure: events, looks at the kernel and the time go in, the outcome comes out. Nothing here waits; who
waits is told until when (`next_deadline`).

    SYN left ──▶ SYN/ACK came ──▶ settled ──▶ open
        │             │
        └─────────────┴──▶ refused: closed by the peer, or never answered

A handshake that worked on our side says little: a peer that is at its limit resets the subflow when
our third packet arrives. One that accepts it answers with a fourth (RFC 8684, 3.2), and perhaps
with data: the second segment on a subflow settles it. Time alone is a bad judge, because a queue on
the way can hold back the reset for longer than the handshake took.
"""

from __future__ import annotations

from ..errors import OpenRefused
from ..events import Event, SubflowClosed, SubflowEstablished
from ..values import SubflowInfo, TCPState

OPEN_TIMEOUT = 5.0
"""Seconds without an answer after which a subflow counts as refused: three SYNs (RFC 6298)."""
SETTLE_ROUND_TRIPS = 4.0
"""How long the fourth packet is waited for; if it was lost, and no reset came, all is well."""
SETTLE_FLOOR = 0.1
"""Seconds; leaves room for a queue that fills up meanwhile."""
SETTLE_CEILING = 1.0
"""Seconds; the first estimate of a round trip can be far too long after a lost SYN."""
DRAIN_FLOOR = 0.005
DRAIN_ROUND_TRIPS = 3.0
DRAIN_CEILING = 0.2
"""Seconds that draining may last, or `DRAIN_ROUND_TRIPS` if that is longer.

A sender's subflow has taken more data than is on its way, and sends all of it before it is silent:
up to 0.1 s over 50 Mbit/s (measured). Whenever a subflow is closed, a Linux sender sends everything
again that isn't acknowledged on any subflow, so that it is best closed while little is.
"""

_FOURTH_PACKET = 2  # the second that we receive; the first was the SYN/ACK
_REFUSED = "the peer refused it"  # by a reset, of which an event tells, or a look
_NEVER_ANSWERED = (
    "packets of this path are dropped somewhere: a firewall, or strict reverse-path filtering here "
    "(`sysctl net.ipv4.conf.all.rp_filter` and that of the interface must not be 1)"
)


class Opening:
    """A subflow whose SYN has left.

    Args:
        subflow: what `Control.open` returned.
        now: the time then, in seconds of any clock that never goes back.
        timeout: seconds until it must be established.

    Attributes:
        outcome: the subflow as it was when it counted as open, or why it doesn't; None until then.
        established_at: when the handshake ended on this side, or None.
        answered: whether the peer has said something, be it no; once there is an outcome.
    """

    def __init__(self, subflow: SubflowInfo, now: float, *, timeout: float = OPEN_TIMEOUT) -> None:
        self.subflow = subflow
        self.outcome: SubflowInfo | OpenRefused | None = None
        self.established_at: float | None = None
        self.answered = True
        self._began_at = now
        self._timeout = timeout
        self.on_info(subflow, now)

    @property
    def next_deadline(self) -> float | None:
        """The time at which `on_time` has something to say, or None if the outcome is known."""
        if self.outcome is not None:
            return None
        if self.established_at is None:
            return self._began_at + self._timeout
        return self.established_at + self._settling

    def on_event(self, event: Event, now: float) -> None:
        """Take an event; those of other subflows are passed over."""
        match event:
            case SubflowEstablished() if event.tuple == self.subflow.tuple:
                self._established(now)
            case SubflowClosed() if event.tuple == self.subflow.tuple:
                self._refuse(_REFUSED, errno=event.error)
            case _:
                pass

    def on_info(self, subflow: SubflowInfo, now: float) -> None:
        """Take a look at the subflow; looks at others are passed over."""
        if subflow.id != self.subflow.id:
            return
        self.subflow = subflow
        if subflow.state not in (TCPState.SYN_SENT, TCPState.ESTABLISHED):
            self._refuse(subflow.error or _REFUSED)
        if subflow.established:
            self._established(now)
        if subflow.segments_received >= _FOURTH_PACKET and self.outcome is None:
            self.outcome = subflow

    def on_gone(self) -> None:
        """Take that the connection has no such subflow any more; an event may have told why."""
        self._refuse(_REFUSED)

    def on_time(self, now: float) -> None:
        """Take the time."""
        deadline = self.next_deadline
        if deadline is None or now < deadline:
            return
        if self.established_at is None:
            self.outcome, self.answered = self.never_answered(self._timeout), False
        else:
            self.outcome = self.subflow

    def never_answered(self, seconds: float) -> OpenRefused:
        """Return what it means that nobody has answered for so long, also if that isn't the end."""
        return self._refusal(f"nobody answered in {seconds:.2g} s", hint=_NEVER_ANSWERED)

    @property
    def _settling(self) -> float:
        assert self.established_at is not None
        handshake = self.established_at - self._began_at
        round_trip = self.subflow.rtt or handshake
        return min(max(SETTLE_ROUND_TRIPS * round_trip, SETTLE_FLOOR), SETTLE_CEILING)

    def _established(self, now: float) -> None:
        if self.established_at is None:
            self.established_at = now

    def _refuse(self, why: str, *, errno: int = 0, hint: str = "") -> None:
        if self.outcome is None:
            self.outcome = self._refusal(why, errno=errno, hint=hint)

    def _refusal(self, why: str, *, errno: int = 0, hint: str = "") -> OpenRefused:
        local, remote = self.subflow.tuple
        what = f"the subflow from {local.host} to {remote.host} was not opened: {why}"
        return OpenRefused(what, errno=errno, hint=hint)


class Draining:
    """A subflow that the peer was asked to stop using (`set_backup`), before it is closed.

    It is done when nothing has arrived on either side for one round trip, or when that takes too
    long.

    Args:
        subflow: the last look at it.
        now: the time when the peer was asked, in seconds.
    """

    def __init__(self, subflow: SubflowInfo, now: float) -> None:
        self.subflow = subflow
        self.done = False
        self._quiet_since = now
        self._give_up_at = now + max(DRAIN_ROUND_TRIPS * subflow.rtt, DRAIN_CEILING)

    @property
    def next_deadline(self) -> float | None:
        """The time of the next look that can end it, or None if it is done."""
        quiet = max(self.subflow.rtt, DRAIN_FLOOR)
        return None if self.done else min(self._quiet_since + quiet, self._give_up_at)

    def on_info(self, subflow: SubflowInfo, now: float) -> None:
        """Take a look at the subflow; looks at others are passed over."""
        if subflow.id != self.subflow.id:
            return
        if subflow.carried > self.subflow.carried:
            self._quiet_since = now
        self.subflow = subflow
        if not subflow.established:
            self.done = True

    def on_time(self, now: float) -> None:
        """Take the time; look at the subflow first."""
        deadline = self.next_deadline
        if deadline is not None and now >= deadline:
            self.done = True
