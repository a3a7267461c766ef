"""What the kernel would do for one connection, by its endpoints and limits. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mphttp.kernel.addresses import family
from mphttp.kernel.path_manager.commands import Address
from mphttp.kernel.path_manager.endpoints import Endpoint, InKernelSettings
from mphttp.kernel.path_manager.tables import AddressFlag
from mphttp.kernel.values import SocketAddress

from .calls import Announce, Call, End, Join, Prioritise, Withdraw
from .connection import Connection

_ANY_ID = 255
"""The highest identifier; addresses without an endpoint get the highest that is free."""


class InKernel:
    """Stands for the kernel's own path manager.

    Args:
        calls: where what is to be done is added.
    """

    def __init__(self, calls: list[Call]) -> None:
        self._calls = calls
        self._settings = InKernelSettings()

    def configure(self, settings: InKernelSettings, cared: Iterable[Connection]) -> None:
        """Take endpoints and limits, as they are now.

        Args:
            settings: they.
            cared: the connections that are looked after already.
        """
        if settings == self._settings:
            return
        before, self._settings = self._settings, settings
        there = {endpoint.id: endpoint for endpoint in settings.endpoints}
        for connection in cared:
            for old in before.endpoints:
                new = there.get(old.id)
                if new is None or new.host != old.host:
                    self._withdraw(connection, old)
                elif new.flags != old.flags:
                    self._change(connection, old, new)
            self._account_for_the_first(connection, tell=False)
            self.go_on(connection)

    def begin(self, known: Connection) -> None:
        """Look after a connection from now on; `go_on` is to follow."""
        known.cared = True
        self._account_for_the_first(known, tell=True)

    def adopt(self, known: Connection) -> None:
        """Take that the endpoints of its further subflows were used for a connection."""
        hosts = {pair.local.host for pair in known.further}
        known.used |= {e.id for e in self._settings.endpoints if e.host in hosts}

    def _withdraw(self, connection: Connection, gone: Endpoint) -> None:
        """Let an endpoint be gone: what uses it ends, unless nothing else is left."""
        connection.used.discard(gone.id)
        connection.signalled.discard(gone.id)
        begins = connection.first_lives and connection.first.local.host == gone.host
        mine = [pair for pair in connection.further if pair.local.host == gone.host]
        known = any(one.local_id == gone.id for one in connection.further.values())
        if len(connection.further) - len(mine) + (connection.first_lives and not begins) < 1:
            return
        if known or gone.flags & AddressFlag.SIGNAL:
            self._calls.append(Withdraw(connection.token, gone.id))
        if begins:
            self._calls.append(End(connection.token, connection.first))

    def _change(self, connection: Connection, old: Endpoint, new: Endpoint) -> None:
        if (old.flags ^ new.flags) & AddressFlag.BACKUP:
            self._prioritise(connection, new, backup=bool(new.flags & AddressFlag.BACKUP))
        if new.flags & ~old.flags & (AddressFlag.FULLMESH | AddressFlag.SUBFLOW):
            connection.used.discard(new.id)

    def _prioritise(self, connection: Connection, endpoint: Endpoint, *, backup: bool) -> None:
        pairs = [*connection.further, *([connection.first] if connection.first_lives else [])]
        for pair in pairs:
            if pair.local.host == endpoint.host:
                self._calls.append(Prioritise(connection.token, pair, backup))

    def named(self, known: Connection, join: Join, host: str) -> Join:
        """Return a `Join` with the address that it leaves from, and what its endpoint says.

        Args:
            known: the connection.
            join: one that left the address to routing.
            host: what routing chose.
        """
        own = next((e for e in self._settings.endpoints if e.host == host), None)
        backup = AddressFlag(0) if own is None else own.flags & AddressFlag.BACKUP
        number = join.local.id if own is None else own.id
        local = replace(join.local, host=host, id=number, flags=backup or None)
        named = replace(join, local=local)
        if join in known.joining:
            known.joining[known.joining.index(join)] = named
        return named

    def _account_for_the_first(self, known: Connection, *, tell: bool) -> None:
        """Let the endpoint that a connection began from be used, and its flag be heeded."""
        own = known.first.local.host
        for endpoint in self._settings.endpoints:
            if endpoint.host == own:
                known.used.add(endpoint.id)
                known.signalled.add(endpoint.id)
                if tell and endpoint.flags & AddressFlag.BACKUP and known.first_lives:
                    self._calls.append(Prioritise(known.token, known.first, True))

    def go_on(self, known: Connection) -> None:
        """Do what is to be done for a connection now, if it is looked after."""
        if not known.cared:
            return
        self._signal(known)
        if known.client:
            self._join(known)
        self._accept(known)

    def _signal(self, known: Connection) -> None:
        for endpoint in self._settings.endpoints:
            if endpoint.flags & AddressFlag.SIGNAL and endpoint.id not in known.signalled:
                known.signalled.add(endpoint.id)
                port = endpoint.port or None
                address = Address(endpoint.host, port, endpoint.id, AddressFlag.SIGNAL)
                self._calls.append(Announce(known.token, address))

    def _join(self, known: Connection) -> None:
        for endpoint in self._settings.endpoints:
            if not endpoint.flags & AddressFlag.SUBFLOW or endpoint.id in known.used:
                continue
            if known.subflows >= self._settings.subflows:
                return
            known.used.add(endpoint.id)
            for remote in self._remotes(known, endpoint):
                self._open(known, endpoint, remote)

    def _remotes(self, known: Connection, endpoint: Endpoint) -> list[SocketAddress]:
        remotes = [] if known.denied else [known.first.remote]
        if endpoint.flags & AddressFlag.FULLMESH:
            remotes += [one.pair.remote for one in known.further.values() if one.remote_id]
        return [
            remote
            for remote in dict.fromkeys(remotes)
            if family(remote.host) == family(endpoint.host)
            and not known.leads_to(remote, endpoint.host)
        ]

    def _accept(self, known: Connection) -> None:
        for remote_id, told in known.announced.items():
            if remote_id in known.accepted or len(known.accepted) >= self._settings.accepted:
                continue
            if not (told.port or known.client) or known.leads_to(told):
                continue
            if known.subflows >= self._settings.subflows:
                return
            known.accepted.add(remote_id)
            remote = SocketAddress(told.host, told.port or known.first.remote.port)
            mesh = [
                e
                for e in self._settings.endpoints
                if e.flags & AddressFlag.FULLMESH and family(e.host) == family(remote.host)
            ]
            for endpoint in mesh or [self._nameless(known)]:
                self._open(known, endpoint, remote)

    def _nameless(self, known: Connection) -> Endpoint:
        """Return what stands for whichever address the route has."""
        taken = {e.id for e in self._settings.endpoints}
        taken |= {one.local_id for one in known.further.values()}
        taken |= {join.local.id or 0 for join in known.joining}
        free = next(n for n in range(_ANY_ID, 0, -1) if n not in taken)
        return Endpoint(free, "", AddressFlag.SUBFLOW)

    def _open(self, known: Connection, endpoint: Endpoint, remote: SocketAddress) -> None:
        if known.subflows >= self._settings.subflows:
            return
        backup = endpoint.flags & AddressFlag.BACKUP
        local = Address(
            endpoint.host or None,
            id=endpoint.id,
            flags=backup or None,
            interface_index=endpoint.interface_index or None,
        )
        join = Join(known.token, local, remote)
        known.joining.append(join)
        self._calls.append(join)
