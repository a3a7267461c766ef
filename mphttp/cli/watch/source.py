"""Where `mphttp watch` looks: the kernel's list of sockets, its events, and the interfaces."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing, suppress
from socket import if_indextoname

from mphttp.costs.machine import costs
from mphttp.kernel import KernelError, NetlinkMechanism
from mphttp.kernel.addresses import unmapped
from mphttp.kernel.interfaces.monitor import InterfaceMonitor
from mphttp.kernel.interfaces.paths import index_of, interfaces
from mphttp.kernel.interfaces.routes import addresses
from mphttp.kernel.interfaces.source_routing import routed
from mphttp.kernel.netlink.sockets import NETLINK_ROUTE, RequestSocket
from mphttp.kernel.reading.listing import Listing, SocketLister
from mphttp.kernel.reading.sock_diag import ListedSubflow
from mphttp.kernel.values import Path

from .choice import Choice, Owners
from .proxied import proxied
from .watcher import Moment, Watcher


class Source:
    """Takes looks at the connections that were chosen."""

    def __init__(self, choice: Choice) -> None:
        self._choice = choice
        self._owners = Owners()
        self._lister = SocketLister()
        self._interfaces = InterfaceMonitor()
        self._events: NetlinkMechanism | None = None
        with suppress(KernelError):  # without the privilege, looks tell
            self._events = NetlinkMechanism()
        self._watcher = Watcher(
            events_tell=self._events is not None,
            metered=lambda name: costs.now().is_metered(name),
        )
        self.paths: dict[str, str] = {}
        self._routed: dict[tuple[str, str], str] = {}

    def look(self) -> Moment:
        """Take a look.

        Raises:
            KernelError: this kernel can't list MPTCP connections.
            ProcessLookupError: the process that was chosen has ended.
            PermissionError: it has become another user's.
        """
        events = self._events.events() if self._events else ()
        around = self._interfaces.events()
        listings = self._choice.of(self._lister.connections())
        self.paths |= _paths()
        self._routed.clear()
        return self._watcher.step(
            listings,
            events,
            around,
            paths=self._path,
            owners=self._named(listings),
            now=time.monotonic(),
        )

    def _named(self, listings: Sequence[Listing]) -> dict[int, str]:
        """Name whose each socket is, and for whom, if it is a proxy's."""
        behind = proxied()
        own = [listing.connection.inode for listing in listings]
        owners = self._owners.of([*own, *behind.inodes.values()])
        return {
            listing.connection.inode: behind.owner(
                listing.connection.tuple.local, owners.get(listing.connection.inode, ""), owners
            )
            for listing in listings
        }

    def _path(self, subflow: ListedSubflow) -> str:
        """Name the interface by which a subflow leaves: its own, or that of its addresses' route.

        What is bound to none may have the address of another interface than packets leave by.
        """
        local, remote = (unmapped(address).host for address in subflow.info.tuple)
        name = self.paths.get(local, "?")
        index = index_of(name)
        if index is None or subflow.device == index:
            return name
        with suppress(OSError):
            if subflow.device:
                return if_indextoname(subflow.device)
            if (local, remote) not in self._routed:
                self._routed[local, remote] = routed(Path(name, index, local), remote).name
            return self._routed[local, remote]
        return name

    def close(self) -> None:
        """Let go of descriptors."""
        for part in (self._lister, self._interfaces, self._events):
            if part is not None:
                part.close()


def _paths() -> dict[str, str]:
    """Name the interface of each address of this machine."""
    names = {index: name for name, index in interfaces().items()}
    with closing(RequestSocket(NETLINK_ROUTE)) as requests:
        return {own.host: names[own.index] for own in addresses(requests) if own.index in names}
