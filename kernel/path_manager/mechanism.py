"""The netlink mechanism: stock Linux, with CAP_NET_ADMIN and the userspace path manager."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import Protocol

from ..errors import KernelError, NotSupported, ProtocolError
from ..events import Event, Overflow
from ..hints import NEEDS_LINUX
from ..interfaces.honoured import is_honoured, look_after, refusal
from ..netlink.genetlink import Family
from ..netlink.sockets import EventSocket, RequestSocket, get_family
from ..values import FourTuple, Path, SocketAddress
from .commands import PathManagerMessage, decode, encode
from .control import NetlinkControl
from .event_reader import EventReader
from .tables import MPTCP_PM_EV_GRP_NAME, MPTCP_PM_NAME, Command

_MAX_EVENTS = 64  # in one go, so that a flood can't hold up the caller


def event_group(family: Family) -> int:
    """Return the number of the group that tells events, of a family that opens subflows.

    Raises:
        NotSupported: it has no such command (before 5.19), or no such group (before 5.12).
    """
    group = family.groups.get(MPTCP_PM_EV_GRP_NAME)
    lacks = bool(family.commands) and Command.SUBFLOW_CREATE not in family.commands
    if group is None or lacks:
        what = "this kernel's path manager opens no subflow that a program asks for"
        raise NotSupported(what, hint=NEEDS_LINUX)
    return group


class Claimant(Protocol):
    """Tells whoever looks after connections that nobody claims which ones are claimed."""

    def claim(self, sock: socket.socket) -> None:
        """Claim a connection."""

    def close(self) -> None:
        """Let go of descriptors."""


class NetlinkMechanism:
    """Carries out calls through the generic netlink family `mptcp_pm`.

    Source: net/mptcp/pm_userspace.c; Documentation/netlink/specs/mptcp_pm.yaml.
    """

    name = "netlink"
    reason: KernelError | None = None

    def __init__(
        self,
        *,
        receive_buffer: int | None = None,
        every_connection: bool = True,
        claims: Claimant | None = None,
    ) -> None:
        """Open both sockets.

        Args:
            every_connection: whether events of connections without a control are told, too; it is
                cheaper without.
            receive_buffer: bytes of events that may wait to be read; None for the system's default.
            claims: is told of each connection that is taken charge of, before anything else is.

        Raises:
            NotSupported: this kernel has no such family, or one that takes no orders.
            NotPermitted: CAP_NET_ADMIN is missing.
        """
        self._claims = claims
        self._requests = RequestSocket()
        try:
            found = get_family(self._requests, MPTCP_PM_NAME)
            self._family = found.id
            self._events = EventSocket(event_group(found), receive_buffer)
        except KernelError:
            self._requests.close()
            raise
        self._reader = EventReader(every=every_connection)

    def control(self, sock: socket.socket) -> NetlinkControl:
        """Take charge of a connected MPTCP socket.

        Raises:
            NotMultipath: the connection fell back to TCP.
            NoSuchSubflow: the socket is closed.
        """
        control = NetlinkControl(sock, self)
        if self._claims is not None:
            self._claims.claim(sock)
        self._reader.claim(control.token)
        return control

    def fileno(self) -> int:
        """The descriptor that is readable when events wait."""
        return self._events.fileno()

    def events(self) -> Sequence[Event]:
        """Return what has happened since the last call, without blocking; all of it, if nothing.

        A message that can't be read counts as an `Overflow`: what it told is lost just the same.
        """
        events: list[Event] = []
        while len(events) < _MAX_EVENTS:
            batch = self._read()
            if batch is None:
                break
            events += batch
        return events

    def close(self) -> None:
        """Let go of both descriptors."""
        self._requests.close()
        self._events.close()
        if self._claims is not None:
            self._claims.close()

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

    def misled(self, path: Path, remote: SocketAddress) -> KernelError | None:
        """Say why a subflow on a path would leave by another interface; None if it wouldn't."""
        return refusal(path, remote, lambda sock: NetlinkControl(sock, self))

    def heeds_opens(self) -> bool:
        """Tell whether this kernel is known to heed all that is said of a subflow to open."""
        return is_honoured()

    def strayed(self, opened: FourTuple, path: Path) -> KernelError | None:
        """Say why one that was opened on a path has left by another interface, if it wasn't known.

        None if it hasn't.
        """
        return look_after(opened, path)

    def announced(self, token: int) -> Mapping[int, SocketAddress]:
        """The addresses that the peer announced and didn't withdraw, by its number for each."""
        return self._reader.announced(token)

    def denied(self, token: int) -> SocketAddress | None:
        """The peer's initial address, if it must not be joined there (RFC 8684, 3.1, flag C)."""
        return self._reader.denied(token)

    def _read(self) -> list[Event] | None:
        """Read once; None if nothing waits."""
        try:
            messages = self._events.receive()
        except ProtocolError:
            return [Overflow()]
        if messages is None:
            return [Overflow()]
        return self._reader.read(message.payload for message in messages) if messages else None
