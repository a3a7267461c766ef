"""What the kernel's own path manager would do for connections that nobody claims. Pure.

Events, endpoints, limits and rules go in; calls come out (`take_calls`). One that comes to nothing
is told back by `failed`, and what came of an `Ask` by `told`. The decisions are those of the kernel
(net/mptcp/pm_kernel.c, 6.18):

- Each endpoint with the flag `subflow` is used once for each connection, in the order of the list,
  until the limit of subflows is reached: towards the connection's own address, or, with `fullmesh`,
  towards all that the peer has.
- Endpoints with the flag `signal` are announced. `backup` is said to the peer in each handshake,
  and of the connection's first subflow, if it began from such an endpoint.
- An address that the peer announces is joined as the limit of such addresses allows: from each
  `fullmesh` endpoint, else from the address that the route to it has.
- What happens to endpoints happens to the connections that there are.

One difference: this side opens nothing from its endpoints towards a client, which listens nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from mphttp.kernel.addresses import family, unmapped
from mphttp.kernel.events import (
    AddressAnnounced,
    AddressRemoved,
    ConnectionClosed,
    ConnectionCreated,
    ConnectionEstablished,
    Event,
    SubflowClosed,
    SubflowEstablished,
)
from mphttp.kernel.path_manager.commands import Address
from mphttp.kernel.path_manager.endpoints import Endpoint, InKernelSettings
from mphttp.kernel.path_manager.tables import AddressFlag
from mphttp.kernel.values import FourTuple, SocketAddress

from .calls import Announce, Ask, Call, End, Failure, Hand, Join, Prioritise, Told, Withdraw
from .rules import Facts, Rule, first_match

_GRACE = 0.02
"""Seconds that a client has to claim a connection that is just established."""
_AGAIN, _AGAIN_AT_MOST = 0.05, 2.0
"""Seconds until another look at one that isn't ready, at first and at most."""
_ANY_ID = 255
"""The highest identifier; addresses without an endpoint get the highest that is free."""


class Further(NamedTuple):
    """A subflow that joined a connection: its addresses, and each side's number for its own."""

    pair: FourTuple
    local_id: int
    remote_id: int


@dataclass(slots=True)
class _Connection:
    """What is known of one connection, and was done for it.

    Args:
        token: names it.
        first: its first subflow.
        client: whether this side connected; None while that isn't known.
        ask_at: when to find out whose it is; None once that is known, or awaited.
        cared: whether it is looked after as the kernel would.
        denied: whether the peer's first address must not be joined (RFC 8684, 3.1, flag C).
        first_lives: whether the first subflow hasn't ended.
        further: subflows that joined.
        joining: those whose handshake is under way.
        used: ids of endpoints that were used, or needn't be.
        signalled: ids of endpoints that were announced.
        announced: the peer's further addresses, by its number for each.
        accepted: numbers of those that were joined.
    """

    token: int
    first: FourTuple
    client: bool | None
    ask_at: float | None
    again: float = _AGAIN
    cared: bool = False
    denied: bool = False
    first_lives: bool = True
    further: dict[FourTuple, Further] = field(default_factory=dict)
    joining: list[Join] = field(default_factory=list)
    used: set[int] = field(default_factory=set)
    signalled: set[int] = field(default_factory=set)
    announced: dict[int, SocketAddress] = field(default_factory=dict)
    accepted: set[int] = field(default_factory=set)

    @property
    def subflows(self) -> int:
        """How many there are beyond the first, or will be."""
        return len(self.further) + len(self.joining)

    def leads_to(self, remote: SocketAddress, host: str | None = None) -> bool:
        """Tell whether a subflow leads there, from a host if one is given."""
        pairs = [*self.further, *([self.first] if self.first_lives else [])]
        ways = [(pair.local.host, pair.remote) for pair in pairs]
        ways += [(join.local.host or "", join.remote) for join in self.joining]
        return any(
            to.host == remote.host and remote.port in (0, to.port) and host in (None, start)
            for start, to in ways
        )


class Caretaker:
    """Looks after all connections of a network namespace that nobody claims."""

    def __init__(self) -> None:
        self._settings = InKernelSettings()
        self._rules: tuple[Rule, ...] = ()
        self._connections: dict[int, _Connection] = {}
        self._claimed: set[int] = set()
        self._calls: list[Call] = []

    def take_calls(self) -> list[Call]:
        """Return what is to be done, in this order, and forget it."""
        calls, self._calls = self._calls, []
        return calls

    def next_time(self) -> float | None:
        """Return when there is more to do, or None."""
        times = (c.ask_at for c in self._connections.values() if c.ask_at is not None)
        return min(times, default=None)

    def on_time(self, now: float) -> None:
        """Do what is due."""
        for connection in self._connections.values():
            if connection.ask_at is not None and connection.ask_at <= now:
                connection.ask_at = None
                self._calls.append(Ask(connection.token, connection.first))

    # Which connections there are.

    @property
    def busy(self) -> bool:
        """Whether there is any connection to look after."""
        return bool(self._connections)

    def is_claimed(self, token: int) -> bool:
        """Tell whether a client looks after a connection by itself."""
        return token in self._claimed

    def claim(self, token: int) -> None:
        """Take that a client looks after a connection by itself, until it ends."""
        self._claimed.add(token)
        self._connections.pop(token, None)

    def found(self, token: int, first: FourTuple, further: Iterable[Further], now: float) -> None:
        """Take that there is a connection whose beginning wasn't told.

        Args:
            token: names it.
            first: its first subflow.
            further: the others.
            now: the time, in seconds.
        """
        if token in self._claimed:
            return
        known = self._connections.get(token)
        if known is None or known.first != _plain(first):
            known = self._begin(token, first, None, now)
            known.ask_at = now + _GRACE
        known.joining.clear()
        known.further = {_plain(one.pair): one for one in further}
        hosts = {pair.local.host for pair in known.further}
        known.used |= {e.id for e in self._settings.endpoints if e.host in hosts}

    def forget_all_but(self, tokens: Iterable[int]) -> list[int]:
        """Forget connections that there aren't any more; return the tokens of these."""
        there = set(tokens)
        gone = [token for token in self._connections if token not in there]
        for token in gone:
            del self._connections[token]
        gone += self._claimed - there
        self._claimed &= there
        return gone

    def on_event(self, event: Event, now: float) -> None:
        """Take what the kernel told."""
        match event:
            case ConnectionCreated():  # its token may have been another's, whose end wasn't told
                self._connections.pop(event.token, None)
            case ConnectionEstablished() if event.token not in self._claimed:
                connection = self._begin(event.token, event.tuple, not event.server_side, now)
                connection.denied = event.deny_join_id0
            case ConnectionClosed():
                self._connections.pop(event.token, None)
                self._claimed.discard(event.token)
            case SubflowEstablished() | SubflowClosed() | AddressAnnounced() | AddressRemoved() if (
                known := self._connections.get(event.token)
            ) is not None:
                self._on_news(known, event)
            case _:
                pass

    def _begin(self, token: int, first: FourTuple, client: bool | None, now: float) -> _Connection:
        connection = _Connection(token, _plain(first), client, now + _GRACE)
        self._connections[token] = connection
        return connection

    def _on_news(
        self,
        known: _Connection,
        event: SubflowEstablished | SubflowClosed | AddressAnnounced | AddressRemoved,
    ) -> None:
        match event:
            case SubflowEstablished(_, pair, local_id, remote_id):
                pair = _plain(pair)
                self._arrived(known, pair)
                if pair != known.first:
                    known.further[pair] = Further(pair, local_id, remote_id)
            case SubflowClosed(_, pair):
                pair = _plain(pair)
                self._arrived(known, pair)
                known.further.pop(pair, None)
                known.first_lives = known.first_lives and pair != known.first
            case AddressAnnounced(_, remote_id, remote):
                known.announced[remote_id] = unmapped(remote)
            case AddressRemoved(_, remote_id):
                known.announced.pop(remote_id, None)
                known.accepted.discard(remote_id)
        self._care(known)

    @staticmethod
    def _arrived(known: _Connection, pair: FourTuple) -> None:
        """Take that a handshake is over that leads from one address to another."""
        for join in known.joining:
            if join.remote == pair.remote and join.local.host in (None, pair.local.host):
                known.joining.remove(join)
                return

    # What is set up.

    def use_rules(self, rules: Sequence[Rule]) -> None:
        """Take the rules that hold for connections from now on."""
        self._rules = tuple(rules)

    def configure(self, settings: InKernelSettings) -> None:
        """Take the kernel's endpoints and limits, as they are now."""
        if settings == self._settings:
            return
        before, self._settings = self._settings, settings
        there = {endpoint.id: endpoint for endpoint in settings.endpoints}
        for connection in [c for c in self._connections.values() if c.cared]:
            for old in before.endpoints:
                new = there.get(old.id)
                if new is None or new.host != old.host:
                    self._withdraw(connection, old)
                elif new.flags != old.flags:
                    self._change(connection, old, new)
            self._account_for_the_first(connection, tell=False)
            self._care(connection)

    def _withdraw(self, connection: _Connection, gone: Endpoint) -> None:
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

    def _change(self, connection: _Connection, old: Endpoint, new: Endpoint) -> None:
        if (old.flags ^ new.flags) & AddressFlag.BACKUP:
            self._prioritise(connection, new, backup=bool(new.flags & AddressFlag.BACKUP))
        if new.flags & ~old.flags & (AddressFlag.FULLMESH | AddressFlag.SUBFLOW):
            connection.used.discard(new.id)

    def _prioritise(self, connection: _Connection, endpoint: Endpoint, *, backup: bool) -> None:
        pairs = [*connection.further, *([connection.first] if connection.first_lives else [])]
        for pair in pairs:
            if pair.local.host == endpoint.host:
                self._calls.append(Prioritise(connection.token, pair, backup))

    # What comes of calls.

    def told(self, ask: Ask, told: Told | None, now: float) -> None:
        """Take whose a connection is.

        Args:
            ask: what was asked.
            told: the answer; None where there is no such connection any more.
            now: the time, in seconds.
        """
        known = self._connections.get(ask.token)
        if known is None or known.first != ask.pair:
            return
        if told is None:
            del self._connections[ask.token]
        elif not told.ready:
            self._ask_again(known, now)
        else:
            known.client = told.client if known.client is None else known.client
            self._take_care(known, told)

    def _ask_again(self, known: _Connection, now: float) -> None:
        known.ask_at = now + known.again
        known.again = min(2 * known.again, _AGAIN_AT_MOST)

    def _take_care(self, known: _Connection, told: Told) -> None:
        facts = Facts(known.first.remote, bool(known.client), told.user, told.program)
        rule = first_match(self._rules, facts)
        if rule is not None and not rule.strategy.in_kernel:
            del self._connections[known.token]
            self._calls.append(Hand(known.token, known.first, rule))
        elif not known.cared:
            known.cared = True
            self._account_for_the_first(known, tell=True)
        self._care(known)

    def named(self, join: Join, host: str) -> Join:
        """Return a `Join` with the address that it leaves from, and what its endpoint says.

        Args:
            join: one that left the address to routing.
            host: what routing chose.
        """
        own = next((e for e in self._settings.endpoints if e.host == host), None)
        backup = AddressFlag(0) if own is None else own.flags & AddressFlag.BACKUP
        number = join.local.id if own is None else own.id
        local = replace(join.local, host=host, id=number, flags=backup or None)
        known, named = self._connections.get(join.token), replace(join, local=local)
        if known is not None and join in known.joining:
            known.joining[known.joining.index(join)] = named
        return named

    def failed(self, call: Call, why: Failure, now: float) -> None:
        """Take that a call wasn't carried out."""
        known = self._connections.get(call.token)
        if known is None:
            return
        if why is Failure.NOT_OURS:
            del self._connections[call.token]
        elif isinstance(call, Join) and call in known.joining:
            known.joining.remove(call)
            if why is Failure.TOO_EARLY:
                known.used.discard(call.local.id or 0)
                known.accepted -= {n for n, at in known.announced.items() if at == call.remote}
                known.cared = False
                self._ask_again(known, now)
            self._care(known)

    # What the kernel would do.

    def _account_for_the_first(self, known: _Connection, *, tell: bool) -> None:
        """Let the endpoint that a connection began from be used, and its flag be heeded."""
        own = known.first.local.host
        for endpoint in self._settings.endpoints:
            if endpoint.host == own:
                known.used.add(endpoint.id)
                known.signalled.add(endpoint.id)
                if tell and endpoint.flags & AddressFlag.BACKUP and known.first_lives:
                    self._calls.append(Prioritise(known.token, known.first, True))

    def _care(self, known: _Connection) -> None:
        if not known.cared:
            return
        self._signal(known)
        if known.client:
            self._join(known)
        self._accept(known)

    def _signal(self, known: _Connection) -> None:
        for endpoint in self._settings.endpoints:
            if endpoint.flags & AddressFlag.SIGNAL and endpoint.id not in known.signalled:
                known.signalled.add(endpoint.id)
                port = endpoint.port or None
                address = Address(endpoint.host, port, endpoint.id, AddressFlag.SIGNAL)
                self._calls.append(Announce(known.token, address))

    def _join(self, known: _Connection) -> None:
        for endpoint in self._settings.endpoints:
            if not endpoint.flags & AddressFlag.SUBFLOW or endpoint.id in known.used:
                continue
            if known.subflows >= self._settings.subflows:
                return
            known.used.add(endpoint.id)
            for remote in self._remotes(known, endpoint):
                self._open(known, endpoint, remote)

    def _remotes(self, known: _Connection, endpoint: Endpoint) -> list[SocketAddress]:
        remotes = [] if known.denied else [known.first.remote]
        if endpoint.flags & AddressFlag.FULLMESH:
            remotes += [one.pair.remote for one in known.further.values() if one.remote_id]
        return [
            remote
            for remote in dict.fromkeys(remotes)
            if family(remote.host) == family(endpoint.host)
            and not known.leads_to(remote, endpoint.host)
        ]

    def _accept(self, known: _Connection) -> None:
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

    def _nameless(self, known: _Connection) -> Endpoint:
        """Return what stands for whichever address the route has."""
        taken = {e.id for e in self._settings.endpoints}
        taken |= {one.local_id for one in known.further.values()}
        taken |= {join.local.id or 0 for join in known.joining}
        free = next(n for n in range(_ANY_ID, 0, -1) if n not in taken)
        return Endpoint(free, "", AddressFlag.SUBFLOW)

    def _open(self, known: _Connection, endpoint: Endpoint, remote: SocketAddress) -> None:
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


def _plain(pair: FourTuple) -> FourTuple:
    """Write IPv4 addresses as such, where an IPv6 socket has them."""
    return FourTuple(unmapped(pair.local), unmapped(pair.remote))
