"""What `mphttp watch` shows, from one look at the kernel's list to the next. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mphttp.kernel import ConnectionInfo, FourTuple, TCPState
from mphttp.kernel.addresses import unmapped
from mphttp.kernel.connection.tracker import ConnectionTracker
from mphttp.kernel.connection_events import (
    ConnectionEstablished,
    ConnectionEvent,
    EventsLost,
    InterfaceEvent,
)
from mphttp.kernel.events import Event, Overflow
from mphttp.kernel.reading.listing import Listing
from mphttp.kernel.reading.sock_diag import ListedSubflow

_MEMORY = 1.0
"""Seconds after which a change of rate shows at two thirds: quick, and still readable."""


Paths = Callable[[ListedSubflow], str]

_Key = tuple[int, FourTuple]
"""Which connection: a token can be used again."""


@dataclass(frozen=True, slots=True)
class Row:
    """One subflow.

    Args:
        path: name of the interface, "?" if no interface has the address.
        tuple: both addresses.
        state: TCP state.
        rtt: smoothed round-trip time in seconds, 0.0 while unknown.
        received: TCP payload received, in bytes.
        sent: TCP payload sent and acknowledged, in bytes.
        rate_in: bytes received per second, None at the first look.
        rate_out: bytes sent and acknowledged per second, None at the first look.
        backup: whether it is for when no regular subflow works.
        timeouts: retransmission time-outs in all, or None before 6.7.
        metered: whether the interface costs money, as far as this machine tells.
    """

    path: str
    tuple: FourTuple
    state: TCPState
    rtt: float
    received: int
    sent: int
    rate_in: float | None
    rate_out: float | None
    backup: bool
    timeouts: int | None
    metered: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """One connection.

    Args:
        token: names it.
        tuple: both addresses of its first subflow.
        owner: the process, such as "curl[123]", or "" if it isn't known.
        state: of the connection.
        fell_back: whether it goes on as plain TCP.
        received: bytes of the stream received, or None before 6.5.
        sent: bytes of the stream sent and acknowledged, or None before 6.5.
        rows: its subflows.
    """

    token: int
    tuple: FourTuple
    owner: str
    state: TCPState
    fell_back: bool
    received: int | None
    sent: int | None
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Told:
    """An event, and the token of the connection that it happened to; None if to all."""

    token: int | None
    event: ConnectionEvent


@dataclass(frozen=True, slots=True)
class Moment:
    """What there is at one look, and what happened since the one before."""

    connections: tuple[Shown, ...]
    events: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class _Counted:
    at: float
    received: int
    sent: int
    rate_in: float | None
    rate_out: float | None


class Watcher:
    """Remembers what the last look showed, for rates and events.

    Args:
        events_tell: whether the kernel's events tell every change. Else looks do.
        metered: tells whether an interface costs money.
    """

    def __init__(
        self, *, events_tell: bool, metered: Callable[[str], bool] = lambda _: False
    ) -> None:
        self._metered = metered
        self._events_tell = events_tell
        self._trackers: dict[_Key, ConnectionTracker] = {}
        self._counted: dict[int, _Counted] = {}
        self._began = False

    def step(
        self,
        listings: Sequence[Listing],
        events: Sequence[Event],
        around: Sequence[InterfaceEvent | EventsLost] = (),
        *,
        paths: Paths,
        owners: Mapping[int, str],
        now: float,
    ) -> Moment:
        """Take one look.

        Args:
            listings: the connections that are to be shown.
            events: of any connections, read before the look.
            around: what happened to interfaces.
            paths: names the interface by which a subflow leaves, "?" if none has its address.
            owners: processes, by inode.
            now: the time in seconds.
        """
        told = [Told(None, event) for event in around]
        if any(isinstance(event, Overflow) for event in events):
            told.append(Told(None, EventsLost()))
        each = [*self._gone(listings, events), *self._happened(listings, events)]
        told += [one for one in each if not isinstance(one.event, EventsLost)]
        self._began = True
        before, self._counted = self._counted, {}
        shown = tuple(self._shown(listing, before, paths, owners, now) for listing in listings)
        return Moment(shown, tuple(told))

    def _gone(self, listings: Iterable[Listing], events: Sequence[Event]) -> Iterator[Told]:
        there = set(map(_key, listings))
        for key in [key for key in self._trackers if key not in there]:
            for event in self._trackers.pop(key).step(events, None):
                yield Told(key[0], event)

    def _happened(self, listings: Iterable[Listing], events: Sequence[Event]) -> Iterator[Told]:
        for listing in listings:
            key, info = _key(listing), _info(listing)
            if key not in self._trackers:
                self._trackers[key] = ConnectionTracker(info, events_tell=self._events_tell)
                if self._began:
                    yield Told(key[0], ConnectionEstablished())
            elif not (tracker := self._trackers[key]).closed:  # else it lingers for a minute
                yield from (Told(key[0], event) for event in tracker.step(events, info))

    def _shown(
        self,
        listing: Listing,
        before: Mapping[int, _Counted],
        paths: Paths,
        owners: Mapping[int, str],
        now: float,
    ) -> Shown:
        connection = listing.connection
        return Shown(
            connection.token,
            _plain(connection.tuple),
            owners.get(connection.inode, ""),
            connection.state,
            connection.fell_back,
            connection.bytes_received,
            connection.bytes_acked,
            tuple(
                self._row(s, before.get(s.info.id), paths, now)
                for s in listing.subflows
                if not s.info.closed
            ),
        )

    def _row(
        self, subflow: ListedSubflow, before: _Counted | None, paths: Paths, now: float
    ) -> Row:
        info = subflow.info
        counted = _counted(before, info.bytes_received, info.bytes_acked, now)
        self._counted[info.id] = counted
        pair, path = _plain(info.tuple), paths(subflow)
        return Row(
            path,
            pair,
            info.state,
            info.rtt,
            info.bytes_received,
            info.bytes_acked,
            counted.rate_in,
            counted.rate_out,
            subflow.backup,
            info.timeouts,
            self._metered(path),
        )


def _key(listing: Listing) -> _Key:
    return listing.connection.token, listing.connection.tuple


def _counted(before: _Counted | None, received: int, sent: int, now: float) -> _Counted:
    if before is None:
        return _Counted(now, received, sent, None, None)
    passed = now - before.at
    return _Counted(
        now,
        received,
        sent,
        _rate(before.rate_in, received - before.received, passed),
        _rate(before.rate_out, sent - before.sent, passed),
    )


def _rate(before: float | None, more: int, passed: float) -> float | None:
    if passed <= 0:
        return before
    if before is None:
        return more / passed
    weight = -math.expm1(-passed / _MEMORY)
    return before + weight * (more / passed - before)


def _info(listing: Listing) -> ConnectionInfo:
    connection = listing.connection
    subflows = tuple(subflow.info for subflow in listing.subflows)
    return ConnectionInfo(connection.token, connection.bytes_received, True, subflows)


def _plain(pair: FourTuple) -> FourTuple:
    return FourTuple(unmapped(pair.local), unmapped(pair.remote))
