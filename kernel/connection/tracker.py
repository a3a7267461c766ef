"""What happened to a connection: from the kernel's events and from looks at it. Pure.

Events come first, then the look that was taken after them was read. The look gives subflows their
ids, and tells their time-outs and when subflows can be opened, which the kernel's own event tells a
client too early. It also tells what no event did, where there are none or some were lost; an event
about what a look has told already is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .. import events as kernel
from ..connection_events import (
    AddressAnnounced,
    AddressRemoved,
    ConnectionClosed,
    ConnectionEstablished,
    ConnectionEvent,
    EventsLost,
    RetransmissionTimeout,
    SubflowClosed,
    SubflowOpened,
    SubflowPriority,
)
from ..values import ConnectionInfo, FourTuple, SocketAddress, SubflowInfo, TCPState

_COUNTER = 1 << 16  # tcpi_total_rto is a u16
_HANDSHAKE = frozenset({TCPState.SYN_SENT, TCPState.SYN_RECV, TCPState.NEW_SYN_RECV})


class ConnectionTracker:
    """Follows one connection.

    Args:
        info: the connection as it is when this begins; what is there already isn't told.
        events_tell: whether the kernel's events tell every change. Else looks do.
        announced: addresses that are known to be announced, by the peer's number.
    """

    def __init__(
        self,
        info: ConnectionInfo,
        *,
        events_tell: bool,
        announced: Mapping[int, SocketAddress] | None = None,
    ) -> None:
        self.closed = False
        self._token = info.token
        self._events_tell = events_tell
        self._unsure = not events_tell
        self._announced = dict(announced or {})
        self._live: dict[FourTuple, int | None] = {s.tuple: s.id for s in _usable(info)}
        self._inferred_closed: set[FourTuple] = set()
        self._suspected: set[FourTuple] = set()
        self._look = info
        self._ids: dict[FourTuple, int] = {}
        self._syns: dict[FourTuple, int] = {}

    def on_syn(self, subflow: SubflowInfo) -> None:
        """Take that this process opens a subflow, which can be gone before the next look."""
        self._syns[subflow.tuple] = subflow.id

    def step(
        self,
        events: Sequence[kernel.Event],
        info: ConnectionInfo | None,
        *,
        idle: bool = False,
    ) -> list[ConnectionEvent]:
        """Take what came since the last step.

        Args:
            events: of any connections, in their order; none means that none is waiting.
            info: a look at the connection that was taken after the events were read; None if it is
                gone.
            idle: whether no event came for a while. What two such looks in a row show, and no event
                told, is told then: somebody else may have read the event.

        Returns:
            What happened, in its order.
        """
        self._ids = self._syns | _ids(self._look) | ({} if info is None else _ids(info))
        told: list[ConnectionEvent] = []
        if info is not None and info.fully_established and not self._look.fully_established:
            told.append(ConnectionEstablished())
        for event in events:
            if not self.closed:
                told += self._on_event(event)
        if self.closed:
            return told
        if info is None:
            return [*told, self._on_closed()]
        return [*told, *self._on_look(info, quiet=not events, idle=idle)]

    def _on_look(
        self, info: ConnectionInfo, *, quiet: bool, idle: bool
    ) -> Iterator[ConnectionEvent]:
        if quiet:
            self._inferred_closed.clear()
        if self._unsure or idle:
            yield from self._difference(info)
        if quiet:
            # What was read since a loss can be older than the loss; now nothing of it is left.
            self._unsure = not self._events_tell
        yield from self._timeouts(info)
        self._look = info

    def _on_event(self, event: kernel.Event) -> Iterator[ConnectionEvent]:
        if isinstance(event, kernel.Overflow):
            self._unsure = True
            yield EventsLost()
            return
        if getattr(event, "token", None) != self._token:
            return
        match event:
            case kernel.ConnectionClosed():
                yield self._on_closed()
            case kernel.AddressAnnounced():
                yield from self._on_announced(event)
            case kernel.AddressRemoved():
                yield AddressRemoved(event.remote_id, self._announced.pop(event.remote_id, None))
            case kernel.SubflowEstablished():
                yield from self._on_opened(event)
            case kernel.SubflowClosed():
                yield from self._on_subflow_closed(event)
            case kernel.SubflowPriority():
                yield SubflowPriority(self._id_of(event.tuple), event.tuple, event.backup)
            case _:
                pass

    def _on_closed(self) -> ConnectionEvent:
        self.closed = True
        return ConnectionClosed()

    def _on_announced(self, event: kernel.AddressAnnounced) -> Iterator[ConnectionEvent]:
        # A peer that gets no echo announces it again.
        if self._announced.get(event.remote_id) != event.remote:
            self._announced[event.remote_id] = event.remote
            yield AddressAnnounced(event.remote_id, event.remote)

    def _on_opened(self, event: kernel.SubflowEstablished) -> Iterator[ConnectionEvent]:
        if event.tuple not in self._live:
            self._live[event.tuple] = self._ids.get(event.tuple)
            yield SubflowOpened(self._live[event.tuple], event.tuple, event.backup)

    def _on_subflow_closed(self, event: kernel.SubflowClosed) -> Iterator[ConnectionEvent]:
        pair = event.tuple
        if pair not in self._live and pair in self._inferred_closed:
            self._inferred_closed.remove(pair)
            return
        number = self._id_of(pair)
        self._live.pop(pair, None)
        self._syns.pop(pair, None)
        yield SubflowClosed(number, pair, event.error, event.reset_reason)

    def _id_of(self, pair: FourTuple) -> int | None:
        known = self._live.get(pair)
        return self._ids.get(pair) if known is None else known

    def _difference(self, info: ConnectionInfo) -> Iterator[ConnectionEvent]:
        """Tell what is different from what was told, without the help of events."""
        gone, new = self._compare(info)
        if self._unsure:
            told = gone | new.keys()
        else:
            # What a look shows first, an event may be on its way to tell better.
            told = self._suspected & (gone | new.keys())
            self._suspected = (gone | new.keys()) - told
        self._inferred_closed |= gone & told
        for pair in sorted(gone & told):
            self._syns.pop(pair, None)
            yield SubflowClosed(self._live.pop(pair), pair, inferred=True)
        for pair in sorted(new.keys() & told):
            self._live[pair] = new[pair]
            yield SubflowOpened(new[pair], pair, inferred=True)

    def _compare(self, info: ConnectionInfo) -> tuple[set[FourTuple], dict[FourTuple, int]]:
        """Return what was told to live and doesn't, and what lives and was not told."""
        now = {s.tuple: s.id for s in _usable(info)}
        # One whose id isn't known is taken for the one that is there now.
        gone = {
            pair
            for pair, number in self._live.items()
            if pair not in now or number not in (None, now[pair])
        }
        return gone, {p: n for p, n in now.items() if p not in self._live or p in gone}

    def _timeouts(self, info: ConnectionInfo) -> Iterator[ConnectionEvent]:
        before = {s.id: s for s in self._look.subflows}
        for subflow in info.subflows:
            count = _more_timeouts(before.get(subflow.id), subflow)
            if count:
                yield RetransmissionTimeout(subflow.id, subflow.tuple, count, subflow.backoff)


def _usable(info: ConnectionInfo) -> Iterator[SubflowInfo]:
    return (s for s in info.subflows if not s.closed and s.state not in _HANDSHAKE)


def _ids(info: ConnectionInfo) -> dict[FourTuple, int]:
    return {s.tuple: s.id for s in info.subflows if not s.closed}


def _more_timeouts(before: SubflowInfo | None, now: SubflowInfo) -> int:
    if now.timeouts is None:  # before 6.7: only those that no acknowledgement has followed yet
        return max(0, now.backoff - (before.backoff if before else 0))
    return (now.timeouts - ((before.timeouts or 0) if before else 0)) % _COUNTER
