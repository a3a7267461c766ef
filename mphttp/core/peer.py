"""Where a connection's peer can be reached: its own address, and those that it announced. Pure."""

from __future__ import annotations

from mphttp.kernel.events import AddressAnnounced, AddressRemoved
from mphttp.kernel.values import SocketAddress
from mphttp.strategies import Open


class Peer:
    """The addresses of one connection's peer.

    Args:
        remote: that of the connection.
    """

    def __init__(self, remote: SocketAddress) -> None:
        self._remote = remote
        self._announced: dict[int, SocketAddress] = {}

    @property
    def addresses(self) -> list[SocketAddress]:
        """The connection's own, then those that were announced."""
        port = self._remote.port
        announced = (SocketAddress(host, own or port) for host, own in self._announced.values())
        return list(dict.fromkeys([self._remote, *announced]))

    def of(self, command: Open) -> SocketAddress:
        """Return where an open leads."""
        return SocketAddress(*command.remote) if command.remote else self._remote

    def announce(self, remote_id: int, remote: SocketAddress) -> None:
        """Record an address that was announced before events were told."""
        self._announced[remote_id] = remote

    def on_event(self, event: AddressAnnounced | AddressRemoved) -> None:
        """Record an address that is announced (RFC 8684, section 3.4.1), or withdrawn (3.4.2)."""
        if isinstance(event, AddressAnnounced):
            self._announced[event.remote_id] = event.remote
        else:
            self._announced.pop(event.remote_id, None)
