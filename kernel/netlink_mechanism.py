"""The netlink mechanism: stock Linux, with CAP_NET_ADMIN and the userspace path manager."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping, Sequence

from .addresses import canonical, family, unmapped
from .control import ConnectionControl
from .errors import (
    CallRefused,
    KernelError,
    NoSuchSubflow,
    NotPermitted,
    NotReady,
    NotSupported,
    OpenRefused,
    ProtocolError,
)
from .events import (
    ConnectionClosed,
    ConnectionCreated,
    ConnectionEstablished,
    Event,
    Overflow,
)
from .hints import GRANT_NET_ADMIN, select_userspace_manager
from .mptcp_pm import (
    Address,
    PathManagerMessage,
    decode,
    encode,
    get_addresses,
    set_backup,
    subflow_create,
    subflow_destroy,
)
from .mptcp_pm_events import decode_event
from .mptcp_pm_tables import MPTCP_PM_EV_GRP_NAME, MPTCP_PM_NAME, AddressFlag
from .netlink import EventSocket, RequestError, RequestSocket, get_family
from .values import Path, SocketAddress, SubflowInfo, TCPState

_MAX_READS = 64  # of events in one go, so that a flood can't hold up the caller
_MAX_ADDRESS_ID = 255
_UNREACHABLE = frozenset(
    {
        errno.EADDRNOTAVAIL,
        errno.ECONNREFUSED,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENODEV,
        errno.ETIMEDOUT,
    }
)


class NetlinkMechanism:
    """Carries out calls through the generic netlink family `mptcp_pm`.

    Source: net/mptcp/pm_userspace.c; Documentation/netlink/specs/mptcp_pm.yaml.
    """

    name = "netlink"
    reason: KernelError | None = None

    def __init__(self, *, receive_buffer: int | None = None) -> None:
        """Open both sockets.

        Args:
            receive_buffer: bytes of events that may wait to be read; None for the system's default.

        Raises:
            NotSupported: this kernel has no such family.
            NotPermitted: CAP_NET_ADMIN is missing.
        """
        self._requests = RequestSocket()
        try:
            found = get_family(self._requests, MPTCP_PM_NAME)
            self._family = found.id
            self._events = EventSocket(found.groups[MPTCP_PM_EV_GRP_NAME], receive_buffer)
        except KernelError:
            self._requests.close()
            raise
        self._denied: dict[int, SocketAddress] = {}

    def control(self, sock: socket.socket) -> NetlinkControl:
        """Take charge of a connected MPTCP socket.

        Raises:
            NotMultipath: the connection fell back to TCP.
            NoSuchSubflow: the socket is closed.
        """
        return NetlinkControl(sock, self)

    def fileno(self) -> int:
        """The descriptor that is readable when events wait."""
        return self._events.fileno()

    def events(self) -> Sequence[Event]:
        """Return what has happened since the last call, without blocking.

        A message that can't be read counts as an `Overflow`: what it told is lost just the same.
        """
        events: list[Event] = []
        for _ in range(_MAX_READS):
            batch = self._read()
            if not batch:
                break
            events += batch
        for event in events:
            self._remember(event)
        return events

    def close(self) -> None:
        """Let go of both descriptors."""
        self._requests.close()
        self._events.close()

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

    def denied(self, token: int) -> SocketAddress | None:
        """The peer's initial address, if it must not be joined there (RFC 8684, 3.1, flag C)."""
        return self._denied.get(token)

    def _read(self) -> list[Event]:
        try:
            messages = self._events.receive()
            if messages is None:
                return [Overflow()]
            decoded = [decode_event(message.payload) for message in messages]
        except ProtocolError:
            return [Overflow()]
        return [event for event in decoded if event is not None]

    def _remember(self, event: Event) -> None:
        match event:
            case ConnectionCreated() | ConnectionEstablished() if event.deny_join_id0:
                self._denied[event.token] = event.tuple.remote
            case ConnectionCreated() | ConnectionClosed():
                self._denied.pop(event.token, None)
            case _:
                pass


class NetlinkControl(ConnectionControl):
    """The subflows of one connection, changed through netlink."""

    def __init__(self, sock: socket.socket, mechanism: NetlinkMechanism) -> None:
        super().__init__(sock)
        self._mechanism = mechanism
        # One address has one identifier for the life of the connection (RFC 8684, 3.2).
        self._ids: dict[str, int] = {}

    def open(self, path: Path, remote: SocketAddress, *, backup: bool = False) -> SubflowInfo:
        """Send the SYN of a new subflow and return at once; the outcome is an event.

        Args:
            path: where it leaves.
            remote: address and port of the peer; port 0 is the connection's own.
            backup: ask the peer to use it only when no regular subflow works.

        Raises:
            NotReady: the connection is not fully established yet.
            OpenRefused: no SYN could be sent, it was refused at once, or the peer forbade it.
            NoSuchSubflow: the connection is gone.
            NotPermitted: CAP_NET_ADMIN is missing.
            NotSupported: the connection was created under the in-kernel path manager.
            CallRefused: any other refusal.
        """
        remote = self._with_port(unmapped(remote))
        self._check(path, remote)
        before = {subflow.id for subflow in self.info().subflows}
        self._create(path, remote, backup)
        return self._find(before, path, remote)

    def close(self, subflow: SubflowInfo) -> None:
        """End a subflow; its unacknowledged data goes on over the others.

        Where there is no other, what the peer sends before a new one is open stays with the peer
        until it sends more (seen on 6.18).

        Raises:
            NoSuchSubflow: it is gone already, or the connection is.
        """
        # The kernel takes the call on a ghost, and would forget its address's identifier.
        self._check_alive(subflow)
        self._request(subflow_destroy(self.token, subflow.tuple), "the subflow was not closed")

    def set_backup(self, subflow: SubflowInfo, backup: bool) -> None:
        """Send MP_PRIO: pause a subflow (True) or resume it (False).

        Raises:
            NoSuchSubflow: it is gone already, or the connection is.
        """
        # Kernels that say nothing but EINVAL for one that is gone can't be told apart.
        self._check_alive(subflow)
        what = "the subflow's priority was not changed"
        self._request(set_backup(self.token, subflow.tuple, backup), what)

    def _check_alive(self, subflow: SubflowInfo) -> None:
        if not any(s.id == subflow.id and s.state != TCPState.CLOSE for s in self.info().subflows):
            raise NoSuchSubflow(f"subflow {subflow.id} is gone already")

    def _with_port(self, remote: SocketAddress) -> SocketAddress:
        if remote.port:
            return remote
        return SocketAddress(remote.host, self._socket.getpeername()[1])

    def _check(self, path: Path, remote: SocketAddress) -> None:
        """Refuse what the kernel would accept or explain badly."""
        if family(path.address) != family(remote.host):
            raise CallRefused(
                f"{path.name} has the address {path.address}, which can't reach {remote.host}",
                hint="choose a path with an address of the destination's family",
            )
        if remote == self._mechanism.denied(self.token):
            raise OpenRefused(
                f"the peer asked for no further subflows to {remote.host} port {remote.port}",
                hint="it may announce another address (ADD_ADDR); see the events",
            )

    def _create(self, path: Path, remote: SocketAddress, backup: bool) -> None:
        what = f"no subflow was opened on {path.name} from {path.address} to {remote.host}"
        for retry in (False, True):
            local = Address(
                path.address,
                id=self._id_of(path.address),
                flags=AddressFlag.BACKUP if backup else None,
                interface_index=path.index,
            )
            try:
                self._mechanism.request(subflow_create(self.token, local, remote))
                return
            except RequestError as error:
                # Somebody else gave this address, or this identifier, its partner: learn it.
                if retry or not self._learn_ids(error):
                    raise translate(error, what) from None

    def _id_of(self, host: str) -> int:
        host = canonical(host)
        if host not in self._ids:
            taken = set(self._ids.values())
            self._ids[host] = next(n for n in range(1, _MAX_ADDRESS_ID + 1) if n not in taken)
        return self._ids[host]

    def _learn_ids(self, error: RequestError) -> bool:
        """Read which identifiers the kernel has, if that was what it complained about."""
        if "did not match address and id" not in error.extack:
            return False
        try:
            answers = self._mechanism.request(get_addresses(self.token), dump=True)
        except KernelError:  # before 6.10
            return False
        known = (answer.address for answer in answers if answer.address)
        self._ids = {address.host: address.id for address in known if address.host and address.id}
        return True

    def _find(self, before: set[int], path: Path, remote: SocketAddress) -> SubflowInfo:
        """Tell the new subflow from the others: its port was the kernel's choice."""
        host = canonical(path.address)
        for subflow in reversed(self.info().subflows):
            pair = subflow.tuple
            if subflow.id not in before and (pair.local.host, pair.remote) == (host, remote):
                return subflow
        raise OpenRefused(f"a subflow on {path.name} to {remote.host} was refused at once")

    def _request(self, message: PathManagerMessage, what: str) -> None:
        try:
            self._mechanism.request(message)
        except RequestError as error:
            raise translate(error, what) from None


_BY_EXTACK: Mapping[str, type[KernelError]] = {
    "userspace PM not selected": NotSupported,
    "invalid token": NoSuchSubflow,
    "subflow not found": NoSuchSubflow,
}
_BY_ERRNO: Mapping[int, type[KernelError]] = {
    errno.EPERM: NotPermitted,
    errno.ENOTCONN: NotReady,
    errno.ESRCH: NoSuchSubflow,
    **dict.fromkeys(_UNREACHABLE, OpenRefused),
}


def translate(error: RequestError, what: str) -> KernelError:
    """Say what a refusal of the path manager means; EINVAL has many meanings, told by its words.

    Args:
        error: the kernel's answer.
        what: one sentence that says what did not work.
    """
    number = error.errno or 0
    by_words = (kind for words, kind in _BY_EXTACK.items() if words in error.extack)
    kind = next(by_words, _BY_ERRNO.get(number, CallRefused))
    return kind(what, errno=number, extack=error.extack, hint=_hint(kind))


def _hint(kind: type[KernelError]) -> str:
    if kind is NotPermitted:
        return GRANT_NET_ADMIN
    if kind is NotSupported:
        return f"{select_userspace_manager()}, then connect anew"
    return ""
