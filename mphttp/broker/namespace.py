"""The kernel's path manager in one network namespace, and what it tells."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Mapping
from contextlib import suppress
from fcntl import ioctl

from mphttp.kernel.addresses import packed
from mphttp.kernel.errors import KernelError, ProtocolError
from mphttp.kernel.interfaces.routes import Question, route_to
from mphttp.kernel.netlink.sockets import NETLINK_ROUTE, EventSocket, RequestSocket, get_family
from mphttp.kernel.path_manager.commands import PathManagerMessage, decode, encode
from mphttp.kernel.path_manager.event_reader import EventReader
from mphttp.kernel.path_manager.events import token_of
from mphttp.kernel.path_manager.mechanism import event_group
from mphttp.kernel.path_manager.tables import MPTCP_PM_NAME
from mphttp.kernel.values import FourTuple, Path, SocketAddress

_EVENTS_ROOM = 1 << 20  # bytes that may wait: the machine's connections in a busy moment

_SIOCGIFADDR = 0x8915
_NAME = struct.Struct("16s24x")  # struct ifreq: a name, and room for an answer,
_IPV4_ADDRESS = struct.Struct("20x4s16x")  # which is a struct sockaddr_in


class Namespace:
    """The network namespace of the thread that makes this.

    Raises:
        NotSupported: this kernel has no path manager.
        NotPermitted: CAP_NET_ADMIN is missing.
    """

    def __init__(self) -> None:
        self._requests = RequestSocket()
        self._routes = RequestSocket(NETLINK_ROUTE)
        self._datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            found = get_family(self._requests, MPTCP_PM_NAME)
            self._events = EventSocket(event_group(found), _EVENTS_ROOM)
        except KernelError:
            for each in (self._requests, self._routes, self._datagrams):
                each.close()
            raise
        self._family = found.id
        self._reader = EventReader(every=False)

    def request(
        self, message: PathManagerMessage, *, dump: bool = False
    ) -> list[PathManagerMessage]:
        """Ask the path manager.

        Raises:
            RequestError: it refused.
            ProtocolError: its answer can't be read.
        """
        answers = self._requests.request(self._family, encode(message), dump=dump)
        return [decode(answer.payload) for answer in answers]

    def announced(self, token: int) -> Mapping[int, SocketAddress]:
        """The addresses that the peer announced and didn't withdraw, by its number for each."""
        self._reader.claim(token)
        return self._reader.announced(token)

    def denied(self, token: int) -> SocketAddress | None:
        """The peer's initial address, if it must not be joined there (RFC 8684, 3.1, flag C)."""
        self._reader.claim(token)
        return self._reader.denied(token)

    def misled(self, _path: Path, _remote: SocketAddress) -> KernelError | None:
        """Nothing is tried here: clients do it, who have to know before they ask."""
        return None

    def heeds_opens(self) -> bool:
        """That isn't known here: what a kernel may ignore is said twice."""
        return False

    def strayed(self, _opened: FourTuple, _path: Path) -> KernelError | None:
        """Nor looked at."""
        return None

    def has(self, host: str, interface: str) -> bool:
        """Whether an IP address is one of this namespace's own.

        Args:
            host: the address.
            interface: where to look first, because that is quick.
        """
        if not any(packed(host)[1]):
            return False  # "any address", which routes take for this machine
        with suppress(OSError):  # the interface has no IPv4 address
            answer = ioctl(self._datagrams, _SIOCGIFADDR, _NAME.pack(os.fsencode(interface)))
            if socket.inet_ntop(socket.AF_INET, _IPV4_ADDRESS.unpack(answer)[0]) == host:
                return True
        with suppress(KernelError):
            route = route_to(self._routes, Question(host))
            return route is not None and route.local
        return False

    def source_towards(self, host: str) -> str | None:
        """Return the address that packets to a host leave from, or None where no route leads there.

        Args:
            host: the destination's IP address.
        """
        with suppress(KernelError):
            route = route_to(self._routes, Question(host))
            return None if route is None else route.source
        return None

    def fileno(self) -> int:
        """The descriptor that is readable when events wait."""
        return self._events.fileno()

    def events(self) -> list[tuple[int, bytes]] | None:
        """Read once what has happened, without blocking.

        Returns:
            Tokens of connections, each with a message not read yet; None if some were lost. Then
            what the peers told is forgotten, since it may be another connection's by now.
        """
        try:
            messages = self._events.receive()
        except ProtocolError:
            messages = None
        if messages is None:
            self._reader = EventReader(every=False)
            return None
        payloads = [message.payload for message in messages]
        self._reader.read(payloads)
        tokens = ((token_of(payload), payload) for payload in payloads)
        return [(token, payload) for token, payload in tokens if token is not None]

    def close(self) -> None:
        """Let go of descriptors."""
        for each in (self._requests, self._routes, self._datagrams, self._events):
            each.close()
