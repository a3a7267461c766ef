"""A path of the simulation, and the subflows that it carries."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from mphttp.strategies import Path, Remote

from .supply import Supply

_INITIAL_WINDOW = 10 * 1428.0  # bytes (RFC 6928), with the options of MPTCP


@dataclass(frozen=True)
class SimulatedPath:
    """A path of the simulation.

        SimulatedPath("wifi", [(0, 1e6), (3, 0)])  # 1 MB/s, and a black hole after 3 s

    Args:
        name: of the interface.
        rate: bytes a second; or a trace, pairs of a time in seconds and the rate from then on. A
            rate of 0 is a black hole: nobody is told, and nothing opens.
        rtt: round-trip time in seconds.
        handshake: seconds that opening a subflow takes; None is one and a half round trips.
        cut_at: seconds after which the interface is gone, of which everybody is told.
        slow_start: the first bytes come a round trip after they are asked for, and no more than 10
            segments, then twice as many each round trip (RFC 5681), also after a pause.
        lag: seconds for which a paused subflow still brings what is on its way: a round trip, and
            what a queue holds.
        queue: bytes that the peer puts into this path's queue while it uses it, as far as there
            are any. They come over it whatever is decided later, and no other path can bring them,
            until it is closed or given up. Linux's scheduler does so up to the subflow's send
            buffer (net/mptcp/protocol.c, mptcp_subflow_get_send). With this, `lag` means nothing.
    """

    name: str
    rate: float | Sequence[tuple[float, float]]
    rtt: float = 0.05
    handshake: float | None = None
    cut_at: float = math.inf
    slow_start: bool = False
    lag: float = 0.0
    queue: float = 0.0

    @cached_property
    def supply(self) -> Supply:
        """What the path could have delivered by any time."""
        rate = self.rate
        trace = [(0.0, rate)] if isinstance(rate, int | float) else rate
        return Supply(trace, self.cut_at)

    @cached_property
    def as_path(self) -> Path:
        """The path as strategies see it."""
        return Path(self.name)

    @property
    def opening_time(self) -> float:
        """Seconds that opening a subflow takes."""
        return 1.5 * self.rtt if self.handshake is None else self.handshake


@dataclass(slots=True, eq=False)
class Carrier:
    """A subflow of the simulation; times are the traces'.

    Args:
        window: bytes that it may bring in a round trip, infinite after slow start.
        grows_at: when its window doubles next.
        flows_from: when its data begins to come.
        flows_until: when its data ends to come, which is a while after it was paused.
        queued: bytes that the peer has put into its queue and that haven't come.
        queued_at: when there last was nothing queued.
        pieces: of these, as pairs of a place in the order of sending and a number of bytes.
    """

    id: int
    path: SimulatedPath
    opened_at: float
    backup: bool
    remote: Remote
    carried: float = 0.0
    last_data_at: float = 0.0
    initial: bool = False
    window: float = math.inf
    grows_at: float = math.inf
    flows_from: float = 0.0
    flows_until: float = math.inf
    queued: float = 0.0
    queued_at: float = 0.0
    pieces: deque[tuple[float, float]] = field(default_factory=deque)

    def put(self, place: float, count: float, now: float) -> None:
        """Put so many bytes into its queue."""
        if self.queued <= 0:
            self.queued_at = now
        self.queued += count
        self.pieces.append((place, count))

    def bring(self, count: float) -> None:
        """Take so many bytes out of its queue, the oldest first."""
        self.queued -= count
        while count > 0 and self.pieces:
            place, size = self.pieces.popleft()
            if size > count:
                self.pieces.appendleft((place + count, size - count))
            count -= size

    @property
    def waits_since(self) -> float:
        """Since when what is queued waits for the path; infinite if nothing is."""
        return max(self.last_data_at, self.queued_at) if self.queued > 0 else math.inf

    def silent_since(self, now: float) -> float:
        """Since when it brings nothing although the peer uses it; infinite if it does."""
        dead = self.path.supply.rate_at(now) == 0
        return self.last_data_at if dead else self.waits_since

    @property
    def room(self) -> float:
        """Bytes that its queue may still take: in slow start, two windows in all.

        So much does a sender's buffer grow to (net/ipv4/tcp_input.c, tcp_sndbuf_expand).
        """
        return max(0.0, min(self.path.queue, 2 * self.window) - self.queued)

    def start(self, now: float) -> None:
        """Begin to send, or begin again."""
        if not self.path.slow_start:
            self.flows_from = now
            return
        self.window = _INITIAL_WINDOW
        self.flows_from = now + self.path.rtt
        self.grows_at = self.flows_from + self.path.rtt

    def grow(self, now: float) -> None:
        """Record that a round trip has passed."""
        self.window *= 2
        self.grows_at = now + self.path.rtt
        if self.window >= self.path.supply.rate_at(now) * self.path.rtt:
            self.window = self.grows_at = math.inf
