"""What a strategy sees: one transfer, as it stands at this step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol


@dataclass(frozen=True, slots=True)
class Path:
    """A way out of this machine that reaches the destination.

    Args:
        name: the interface's name, such as "wlan0".
    """

    name: str


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
        idle: seconds since data last came over it, or since it was opened.
        remote: the peer's side of it, or None where that isn't known.
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
        """Return the bytes of the body that the network has delivered."""

    def unread(self) -> int | None:
        """Return the bytes that the application could read at once; None for all that it hasn't."""


class Transfer:
    """One response on its way, as a strategy sees it; nothing changes while the generator runs.

    Attributes:
        length: bytes of the body, or None when the response doesn't tell.
        received: bytes of the body that the application has read.
        elapsed: seconds since the request was sent.
        events: what happened since the last step.
    """

    def __init__(self, length: int | None, source: Source) -> None:
        self.length = length
        self.received = 0
        self.elapsed = 0.0
        self.events: tuple[Event, ...] = ()
        self._source = source
        self._forget()

    def update(self, *, received: int, elapsed: float, events: tuple[Event, ...] = ()) -> None:
        """Set the view for the next step (for engines, not for strategies)."""
        self.received = received
        self.elapsed = elapsed
        self.events = events
        self._forget()

    def fork(self) -> Transfer:
        """Make a second view of the same response, for a strategy that runs beside another."""
        return Transfer(self.length, self._source)

    def _forget(self) -> None:
        self._paths: tuple[Path, ...] | None = None
        self._subflows: tuple[Subflow, ...] | None = None
        self._remotes: tuple[Remote, ...] | None = None
        self._delivered: int | None = None
        self._unread: int | None = None

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
        """Seconds for which no regular subflow has brought what the application waits for.

        A receiver has no retransmission timer: that nothing comes is all it can see of a path that
        fails. An application that leaves something unread (32 KiB, or what TLS adds to the bytes)
        may have closed the window: that is 0.0.
        """
        if self.unread > max(32 * 1024, self.delivered / 32):
            return 0.0
        regular = [subflow for subflow in self.subflows if not subflow.backup]
        return min((subflow.idle for subflow in regular or self.subflows), default=0.0)

    @property
    def slow_reader(self) -> bool:
        """Whether the application, not the network, holds the transfer back.

        It does when much lies unread of what the network delivered: over 32 KiB and an eighth. The
        kernel offers a connection 64 KiB at first, and more only to a reader that keeps up; where
        the network is slow, next to nothing lies unread.
        """
        return self.unread > max(32 * 1024, self.delivered / 8)
