"""What a strategy sees: one transfer, as it stands at this step."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

_THINKS = 5
"""So many times as long may it take to answer as to acknowledge, before it is a silence."""
_HARDLY_ANYTHING = 32 * 1024
"""Bytes that are on their way, or wait for it, even where whoever gives them is slow."""


@dataclass(frozen=True, slots=True)
class Path:
    """A way out of this machine that reaches the destination.

    Args:
        name: the interface's name, such as "wlan0".
        metered: whether it costs money by what it carries, as far as this machine tells.
    """

    name: str
    metered: bool = field(default=False, compare=False)


class Remote(NamedTuple):
    """Where the peer can be reached.

    Args:
        host: IPv4 or IPv6 address.
        port: TCP port.
    """

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Subflow:
    """A live subflow.

    Args:
        id: its number, never used again in this connection.
        path: where it leaves.
        age: seconds since it was opened.
        backup: whether the peer avoids it.
        bytes_received: TCP payload that came over it during this transfer.
        rtt: smoothed round-trip time in seconds, 0.0 while unknown.
        state: the kernel's word for it in lower case, "established" when data can flow.
        initial: whether the connection began with it.
        idle: seconds since data last came over it, or since it was opened; while the request
            leaves, since the peer last acknowledged something on it.
        remote: the peer's side of it, or None where that isn't known.
        bytes_sent: TCP payload that the peer acknowledged on it during this transfer.
        heard: seconds since anything at all came over it, an acknowledgement at least; infinity
            where that isn't known.
        queued: bytes that it is going to send even if it is paused now.
    """

    id: int
    path: Path
    age: float = 0.0
    backup: bool = False
    bytes_received: int = 0
    rtt: float = 0.0
    state: str = "established"
    initial: bool = False
    idle: float = 0.0
    remote: Remote | None = None
    bytes_sent: int = 0
    heard: float = math.inf
    queued: int = 0

    @property
    def carried(self) -> int:
        """TCP payload that it has brought to its receiver, in both directions."""
        return self.bytes_received + self.bytes_sent


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to the connection.

    Args:
        at: seconds since the request was sent.
        kind: "subflow_established", "subflow_closed", "address_announced" and so on.
        subflow: id of the subflow that it happened to, or None.
        path: name of that subflow's path, or None.
        detail: what else is known, in words, or "".
    """

    at: float
    kind: str
    subflow: int | None = None
    path: str | None = None
    detail: str = ""


class Source(Protocol):
    """Where a view gets what is costly to know; asked at most once a step, and only if needed."""

    def paths(self) -> tuple[Path, ...]:
        """Return the paths, preferred first."""

    def subflows(self) -> tuple[Subflow, ...]:
        """Return the live subflows, oldest first."""

    def remotes(self) -> tuple[Remote, ...]:
        """Return the peer's addresses, the connection's own first."""

    def delivered(self) -> int:
        """Return the bytes of the bodies that the network has delivered."""

    def unread(self) -> int | None:
        """Return the bytes that the application could read at once; None for all that it hasn't."""

    def expect(self, seconds: float | None) -> None:
        """Take when the body is expected, if later than its deadline (`Expect`)."""

    def unacknowledged(self) -> int:
        """Return the bytes that the application has given to be sent and the peer hasn't got."""

    def owed_for(self) -> float:
        """Return the seconds for which the peer has owed something."""

    def asked_for(self) -> float | None:
        """Return the seconds for which an idle peer hasn't told that it is there, None unasked."""


class Transfer:
    """A request and its response, as a strategy sees them; nothing changes while it decides.

    A strategy that begins before the response does (`Strategy.early`, or a request with a large
    body) sees both bodies; one that begins with the response's head sees that one's.

    Attributes:
        length: bytes of the bodies, as far as they are told: of the request's alone until the
            response's head is there. None where one of them isn't known.
        received: bytes that have been received: of the request's body, what the peer has
            acknowledged; of the response's, what the application has read.
        elapsed: seconds since the request began to leave.
        events: what happened since the last step.
        answered: whether the response's head is there.
        sent: bytes of the request's body that the peer has acknowledged.
        complete: whether the application has given all of the request.
    """

    def __init__(self, length: int | None, source: Source) -> None:
        self.length = length
        self.received = 0
        self.elapsed = 0.0
        self.events: tuple[Event, ...] = ()
        self.answered = True
        self.sent = 0
        self.complete = True
        self._source = source
        self._forget()

    def update(self, *, received: int, elapsed: float, events: tuple[Event, ...] = ()) -> None:
        """Set the view for the next step (for engines, not for strategies)."""
        self.received = received
        self.elapsed = elapsed
        self.events = events
        self._forget()

    def tell(self, *, length: int | None, answered: bool, sent: int, complete: bool) -> None:
        """Tell how far request and response are (for engines, not for strategies)."""
        self.length = length
        self.answered = answered
        self.sent = sent
        self.complete = complete

    def follow(self, other: Transfer, events: tuple[Event, ...]) -> None:
        """Set the view as another one is, but for the events (for engines, not for strategies)."""
        self.tell(
            length=other.length,
            answered=other.answered,
            sent=other.sent,
            complete=other.complete,
        )
        self.update(received=other.received, elapsed=other.elapsed, events=events)

    def fork(self) -> Transfer:
        """Make a second view of the same transfer, for a strategy that runs beside another."""
        twin = Transfer(self.length, self._source)
        twin.follow(self, ())
        return twin

    def _forget(self) -> None:
        self._paths: tuple[Path, ...] | None = None
        self._subflows: tuple[Subflow, ...] | None = None
        self._remotes: tuple[Remote, ...] | None = None
        self._delivered: int | None = None
        self._unread: int | None = None
        self._unacknowledged: int | None = None

    def expect(self, seconds: float | None) -> None:
        """Pass on when the body is expected (`Expect`; for engines, not for strategies)."""
        self._source.expect(seconds)

    @property
    def paths(self) -> tuple[Path, ...]:
        """Paths that reach the destination, preferred first."""
        if self._paths is None:
            self._paths = self._source.paths()
        return self._paths

    @property
    def subflows(self) -> tuple[Subflow, ...]:
        """Live subflows, oldest first."""
        if self._subflows is None:
            self._subflows = self._source.subflows()
        return self._subflows

    @property
    def remotes(self) -> tuple[Remote, ...]:
        """The peer's addresses: the connection's own, then those that it announced (ADD_ADDR)."""
        if self._remotes is None:
            self._remotes = self._source.remotes()
        return self._remotes

    @property
    def delivered(self) -> int:
        """Bytes of the body that the network has delivered, read by the application or not."""
        if self._delivered is None:
            self._delivered = max(self.received, self._source.delivered())
        return self._delivered

    @property
    def unread(self) -> int:
        """Bytes that the application could read at once; what came out of order isn't counted."""
        if self._unread is None:
            told = self._source.unread()
            self._unread = self.delivered - self.received if told is None else told
        return self._unread

    @property
    def unacknowledged(self) -> int:
        """Bytes that were given to be sent and that the peer doesn't have, of the head, too."""
        if self._unacknowledged is None:
            self._unacknowledged = self._source.unacknowledged()
        return self._unacknowledged

    @property
    def current(self) -> Subflow:
        """The newest subflow that isn't a backup, or else the newest.

        Raises:
            LookupError: no subflow is alive.
        """
        if not self.subflows:
            raise LookupError("no subflow is alive")
        return next((s for s in reversed(self.subflows) if not s.backup), self.subflows[-1])

    @property
    def unused_paths(self) -> tuple[Path, ...]:
        """Paths on which no subflow is alive, preferred first."""
        used = {subflow.path.name for subflow in self.subflows}
        return tuple(path for path in self.paths if path.name not in used)

    @property
    def silence(self) -> float:
        """Seconds for which no regular subflow has brought what is waited for.

        A receiver has no retransmission timer: that nothing comes is all it can see of a path that
        fails. An application that leaves something unread (32 KiB, or what TLS adds to the bytes)
        may have closed the window: that is 0.0. While the request leaves, what is waited for is
        that the peer acknowledges it. A peer that has all of it may think before it answers: a
        fifth of that time counts. On a stream, whose idle peer is asked whether it is there (by
        keep-alives, RFC 9293, 3.8.4), that answer is what is waited for.
        """
        if self.unread > max(32 * 1024, self.delivered / 32):
            return 0.0
        regular = [subflow for subflow in self.subflows if not subflow.backup]
        idle = min((subflow.idle for subflow in regular or self.subflows), default=0.0)
        if self.answered and not self.unacknowledged:
            return idle
        owed = min(idle, self._source.owed_for())
        if self.unacknowledged:
            return owed
        asked = self._source.asked_for()
        return owed / _THINKS if asked is None else asked

    @property
    def slow_reader(self) -> bool:
        """Whether the application, not the network, holds the transfer back.

        It does when much lies unread of what the network delivered: over 32 KiB and an eighth. The
        kernel offers a connection 64 KiB at first, and more only to a reader that keeps up; where
        the network is slow, next to nothing lies unread. While the request's body leaves, the
        application is what is slow if it gives so little that hardly anything waits to be sent.
        """
        if not self.answered:
            return not self.complete and self.unacknowledged < _HARDLY_ANYTHING
        return self.unread > max(32 * 1024, self.delivered / 8)
