"""Tells when interfaces and their addresses come and go. Needs no privilege."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from ..connection_events import EventsLost, InterfaceEvent
from ..errors import ProtocolError
from ..netlink.codec import Message
from ..netlink.sockets import NETLINK_ROUTE, EventSocket, RequestSocket
from .changes import (
    GROUPS,
    LINK_QUESTION,
    Interfaces,
    Link,
    LinkMessage,
    LocalAddress,
    decode_interface,
)
from .routes import RouteMessage

_ADDRESS_QUESTION = bytes(8)


class InterfaceMonitor:
    """Listens to the routing part of netlink, in the network namespace of who makes it."""

    def __init__(self, *, receive_buffer: int | None = None) -> None:
        """Begin to listen; what is there already isn't told.

        Args:
            receive_buffer: bytes of messages that may wait to be read; None for the system's
                default.
        """
        self._socket = EventSocket(
            GROUPS[0], receive_buffer, more_groups=GROUPS[1:], protocol=NETLINK_ROUTE
        )
        self._interfaces = Interfaces()
        self._all()

    def fileno(self) -> int:
        """The descriptor that is readable when messages wait."""
        return self._socket.fileno()

    def events(self) -> list[InterfaceEvent | EventsLost]:
        """Return what has happened since the last call, without waiting for more."""
        told: list[InterfaceEvent | EventsLost] = []
        lost = False
        while (news := self._read()) != []:
            lost = lost or news is None
            for one in news or ():
                told += self._interfaces.step(one)
        if lost:  # what was read after the loss can be older than it, so the list comes last
            told += [EventsLost(), *self._all()]
        return told

    def close(self) -> None:
        """Let go of the descriptor."""
        self._socket.close()

    def _read(self) -> list[Link | LocalAddress] | None:
        """Read once; None if something was lost, or can't be read, which is the same."""
        try:
            messages = self._socket.receive()
            return None if messages is None else _decode(messages)
        except ProtocolError:
            return None

    def _all(self) -> list[InterfaceEvent]:
        with closing(RequestSocket(NETLINK_ROUTE)) as requests:
            links = requests.request(LinkMessage.GETLINK, LINK_QUESTION, dump=True)
            addresses = requests.request(RouteMessage.GETADDR, _ADDRESS_QUESTION, dump=True)
        return list(self._interfaces.all(_decode([*links, *addresses])))


def _decode(messages: Sequence[Message]) -> list[Link | LocalAddress]:
    decoded = [decode_interface(message) for message in messages]
    return [news for news in decoded if news is not None]
