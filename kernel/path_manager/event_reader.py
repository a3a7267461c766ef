"""Reads the path manager's messages, and keeps what the peers told once and for all.

The group's messages are about every connection of the network namespace. Most processes have few of
them, so a message of a connection that nobody has claimed waits unread, and mostly for nothing. No
socket option and no dump tells what these messages did (6.18): neither the announced addresses nor
whether the initial one is denied. So of a connection that is older than the socket of the events,
only what came since then is known.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..errors import ProtocolError
from ..events import (
    AddressAnnounced,
    AddressRemoved,
    ConnectionClosed,
    ConnectionCreated,
    ConnectionEstablished,
    Event,
    Overflow,
)
from ..values import SocketAddress
from .events import decode_event, token_of
from .tables import EventType

_TELLS_OF_PEER = frozenset(
    {EventType.CREATED, EventType.ESTABLISHED, EventType.ANNOUNCED, EventType.REMOVED}
)
_MAX_WAITING = 4096  # connections whose messages are kept, about 1 KiB each
_MAX_KEPT = 64  # messages of one connection


@dataclass(slots=True)
class _Peer:
    """What the peer of one connection told: its addresses, and which one must not be joined."""

    announced: dict[int, SocketAddress] = field(default_factory=dict)
    denied: SocketAddress | None = None


class EventReader:
    """Makes events of messages; any thread may call.

    Args:
        every: whether events of connections that nobody claims are told, too.
    """

    def __init__(self, *, every: bool) -> None:
        self._every = every
        self._lock = threading.Lock()
        self._peers: dict[int, _Peer] = {}
        self._waiting: dict[int, list[bytes]] = {}  # until they are claimed
        self._unread: dict[int, list[bytes]] = {}  # claimed; until somebody asks what they told
        self._claimed: set[int] = set()

    def read(self, payloads: Iterable[bytes]) -> list[Event]:
        """Read messages; one that can't be read is an `Overflow`: what it told is lost as well."""
        with self._lock:
            return [event for payload in payloads for event in self._read(payload)]

    def claim(self, token: int) -> None:
        """Tell events of this connection from now on."""
        with self._lock:
            self._claimed.add(token)
            if (payloads := self._waiting.pop(token, None)) is not None:
                self._unread[token] = payloads

    def announced(self, token: int) -> Mapping[int, SocketAddress]:
        """The addresses that the peer announced and didn't withdraw, by its number for each."""
        with self._lock:
            peer = self._told_by(token)
            return {} if peer is None else dict(peer.announced)

    def denied(self, token: int) -> SocketAddress | None:
        """The peer's initial address, if it must not be joined there (RFC 8684, 3.1, flag C)."""
        with self._lock:
            peer = self._told_by(token)
            return None if peer is None else peer.denied

    def _told_by(self, token: int) -> _Peer | None:
        """Return what a connection's peer told, of messages that waited, too."""
        for payload in self._unread.pop(token, ()):
            self._decode(payload)
        return self._peers.get(token)

    def _read(self, payload: bytes) -> list[Event]:
        token = None if self._every else token_of(payload)
        if token is None or token in self._claimed:
            if token in self._unread and payload[0] != EventType.CLOSED:
                self._told_by(token)
            return self._decode(payload)
        kind = payload[0]
        if kind in (EventType.CREATED, EventType.CLOSED):
            self._waiting.pop(token, None)
        if kind in _TELLS_OF_PEER:
            self._keep(token, payload)
        return []

    def _keep(self, token: int, payload: bytes) -> None:
        if len(self._waiting) >= _MAX_WAITING and token not in self._waiting:
            del self._waiting[next(iter(self._waiting))]
        kept = self._waiting.setdefault(token, [])
        if len(kept) < _MAX_KEPT:  # a peer can announce and withdraw for ever
            kept.append(payload)

    def _decode(self, payload: bytes) -> list[Event]:
        try:
            event = decode_event(payload)
        except ProtocolError:
            return [Overflow()]
        if event is None:
            return []
        self._remember(event)
        return [event]

    def _remember(self, event: Event) -> None:
        match event:
            case ConnectionCreated() | ConnectionEstablished() if event.deny_join_id0:
                self._peer(event.token).denied = event.tuple.remote
            case ConnectionCreated():
                self._peers.pop(event.token, None)
            case ConnectionClosed():
                self._unread.pop(event.token, None)
                self._peers.pop(event.token, None)
                self._claimed.discard(event.token)
            case AddressAnnounced():
                self._peer(event.token).announced[event.remote_id] = event.remote
            case AddressRemoved():
                self._peer(event.token).announced.pop(event.remote_id, None)
            case _:
                pass

    def _peer(self, token: int) -> _Peer:
        return self._peers.setdefault(token, _Peer())
