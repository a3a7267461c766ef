"""The subflows of one connection, changed through netlink."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from typing import Protocol

from ..address_ids import AddressIds
from ..addresses import canonical, family, unmapped
from ..errors import CallRefused, KernelError, NoSuchSubflow, OpenRefused
from ..netlink.sockets import RequestError
from ..reading.listing import SocketLister
from ..readonly.control import ConnectionControl
from ..values import FourTuple, Path, SocketAddress, SubflowInfo
from .commands import (
    Address,
    PathManagerMessage,
    get_addresses,
    remove,
    set_backup,
    subflow_create,
    subflow_destroy,
)
from .refusals import translate
from .tables import AddressFlag


class PathManager(Protocol):
    """What a control needs of the mechanism that it belongs to."""

    def request(
        self, message: PathManagerMessage, *, dump: bool = False
    ) -> list[PathManagerMessage]:
        """Ask the kernel's path manager."""

    def announced(self, token: int) -> Mapping[int, SocketAddress]:
        """The addresses that the peer announced and didn't withdraw."""

    def denied(self, token: int) -> SocketAddress | None:
        """The peer's initial address, if it must not be joined there."""

    def misled(self, path: Path, remote: SocketAddress) -> KernelError | None:
        """Why a subflow on a path would leave by another interface; None if it wouldn't."""

    def heeds_opens(self) -> bool:
        """Whether this kernel is known to heed all that is said of a subflow to open."""

    def strayed(self, opened: FourTuple, path: Path) -> KernelError | None:
        """Why one that was opened on a path has left by another interface; None if it hasn't."""


class NetlinkControl(ConnectionControl):
    """The subflows of one connection, changed through netlink.

    Args:
        sock: the connection's socket.
        manager: the kernel's path manager.
        ids: the identifiers of its local addresses that are known already.
    """

    def __init__(
        self, sock: socket.socket, manager: PathManager, ids: AddressIds | None = None
    ) -> None:
        super().__init__(sock)
        self._manager = manager
        self.ids = ids or AddressIds()

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
            NotSupported: the connection was created under the in-kernel path manager; or the
                subflow would leave by another interface.
            CallRefused: any other refusal.
        """
        remote = self._with_port(unmapped(remote))
        self._check(path, remote)
        before = self.info().subflows
        self._create(path, remote, backup)
        if backup:
            self._ask_for_backup(path, remote, before)
        opened = self._find({subflow.id for subflow in before}, path, remote)
        self._keep_to(path, opened)
        if backup:
            self._see_to_backup(path, opened)
        return opened

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

    def withdraw(self, subflow: SubflowInfo) -> None:
        """Send REMOVE_ADDR for a subflow's address, and end what has its identifier.

        Raises:
            NoSuchSubflow: it is gone already, or the connection is.
            CallRefused: it wasn't opened here, so that its identifier isn't known.
        """
        self._check_alive(subflow)
        host = subflow.tuple.local.host
        # What the connection began with has identifier 0 (RFC 8684, 3.2), also when a later subflow
        # from the same address has another.
        began = unmapped(self._own()) == subflow.tuple.local
        local_id = 0 if began else self.ids.find(host)
        if local_id is None:
            raise CallRefused(f"the identifier of {host} in this connection isn't known")
        self._request(remove(self.token, local_id), f"{host} was not withdrawn")
        with suppress(NoSuchSubflow):  # that of identifier 0 is left open on this side (6.18)
            self.close(subflow)

    def set_backup(self, subflow: SubflowInfo, backup: bool) -> None:
        """Send MP_PRIO: pause a subflow (True) or resume it (False).

        Raises:
            NoSuchSubflow: it is gone already, or the connection is.
        """
        # Kernels that say nothing but EINVAL for one that is gone can't be told apart.
        self._check_alive(subflow)
        what = "the subflow's priority was not changed"
        self._request(set_backup(self.token, subflow.tuple, backup), what)

    def announced(self) -> Mapping[int, SocketAddress]:
        """The addresses that the peer announced and didn't withdraw, by its number for each.

        Of what came before the mechanism was there, nothing is known.
        """
        return self._manager.announced(self.token)

    def _check_alive(self, subflow: SubflowInfo) -> None:
        if not any(s.id == subflow.id and not s.closed for s in self.info().subflows):
            raise NoSuchSubflow(f"subflow {subflow.id} is gone already")

    def _with_port(self, remote: SocketAddress) -> SocketAddress:
        if remote.port:
            return remote
        return SocketAddress(remote.host, self._peer().port)

    def _peer(self) -> SocketAddress:
        return SocketAddress(*self._socket.getpeername()[:2])

    def _own(self) -> SocketAddress:
        return SocketAddress(*self._socket.getsockname()[:2])

    def _check(self, path: Path, remote: SocketAddress) -> None:
        """Refuse what the kernel would accept or explain badly."""
        if family(path.address) != family(remote.host):
            raise CallRefused(
                f"{path.name} has the address {path.address}, which can't reach {remote.host}",
                hint="choose a path with an address of the destination's family",
            )
        if remote == self._manager.denied(self.token):
            raise OpenRefused(
                f"the peer asked for no further subflows to {remote.host} port {remote.port}",
                hint="it may announce another address (ADD_ADDR); see the events",
            )
        if (misled := self._manager.misled(path, remote)) is not None:
            raise misled

    def _create(self, path: Path, remote: SocketAddress, backup: bool) -> None:
        what = f"no subflow was opened on {path.name} from {path.address} to {remote.host}"
        for retry in (False, True):
            local = Address(
                path.address,
                id=self.ids.of(path.address),
                flags=AddressFlag.BACKUP if backup else None,
                interface_index=path.index,
            )
            try:
                self._manager.request(subflow_create(self.token, local, remote))
                return
            except RequestError as error:
                # Somebody else gave this address, or this identifier, its partner: learn it.
                if retry or not self._learn_ids(error):
                    raise translate(error, what) from None

    def _learn_ids(self, error: RequestError) -> bool:
        """Read which identifiers the kernel has, if that was what it complained about."""
        if "did not match address and id" not in error.extack:
            return False
        known: dict[str, int] = {}
        with suppress(KernelError):
            answers = self._manager.request(get_addresses(self.token), dump=True)
            listed = (answer.address for answer in answers if answer.address)
            known = {each.host: each.id for each in listed if each.host and each.id}
        # Before 6.10 these are the in-kernel path manager's; but the subflows have theirs.
        self.ids.replace(known | self._ids_of_subflows())
        return True

    def _ids_of_subflows(self) -> dict[str, int]:
        with suppress(KernelError), closing(SocketLister()) as lister:
            subflows = [s for each in lister.connections() for s in each.subflows]
            mine = [s for s in subflows if s.token == self.token and s.local_id]
            return {unmapped(s.info.tuple.local).host: s.local_id for s in mine}
        return {}

    def _find(self, before: set[int], path: Path, remote: SocketAddress) -> SubflowInfo:
        """Tell the new subflow from the others: its port was the kernel's choice."""
        host = canonical(path.address)
        for subflow in reversed(self.info().subflows):
            pair = subflow.tuple
            if subflow.id not in before and (pair.local.host, pair.remote) == (host, remote):
                return subflow
        raise OpenRefused(f"a subflow on {path.name} to {remote.host} was refused at once")

    def _keep_to(self, path: Path, opened: SubflowInfo) -> None:
        """End what has left by another interface, where that wasn't known before."""
        if (misled := self._manager.strayed(opened.tuple, path)) is not None:
            with suppress(KernelError):
                self.close(opened)
            raise misled

    def _ask_for_backup(
        self, path: Path, remote: SocketAddress, before: Iterable[SubflowInfo]
    ) -> None:
        """Send MP_PRIO with the packet that ends the handshake: kernels may ignore the flag.

        Linux 6.1 does. The peer has to know before it can send anything, for what it has queued
        stays where it is: so this comes at once, by the address alone, while the SYN travels
        (net/mptcp/pm_netlink.c, __mptcp_pm_send_ack, which takes it down in any state). Kernels
        that keep to the interface that is asked for keep to the flag, too.
        """
        local = SocketAddress(canonical(path.address), 0)
        shared = any((s.tuple.local.host, s.tuple.remote) == (local.host, remote) for s in before)
        if not (shared or self._manager.heeds_opens()):
            with suppress(KernelError):
                self._manager.request(set_backup(self.token, FourTuple(local, remote), True))

    def _see_to_backup(self, path: Path, opened: SubflowInfo) -> None:
        """Look whether the peer is asked to have it for a backup, and else ask it."""
        with suppress(KernelError), closing(SocketLister()) as lister:
            if lister.asks_backup(opened.tuple, path.index):
                return
        with suppress(KernelError):  # it was refused already
            self._manager.request(set_backup(self.token, opened.tuple, True))

    def _request(self, message: PathManagerMessage, what: str) -> None:
        try:
            self._manager.request(message)
        except RequestError as error:
            raise translate(error, what) from None
