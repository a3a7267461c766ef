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
from mphttp.kernel.path_manager.endpoints import InKernelSettings
from mphttp.kernel.values import FourTuple

from .calls import Ask, Call, Failure, Hand, Join, Told
from .connection import Connection, Further, plain
from .in_kernel import InKernel
from .rules import Facts, Rule, first_match

_GRACE = 0.02
"""Seconds that a client has to claim a connection that is just established."""
_AGAIN_AT_MOST = 2.0
"""Seconds until another look at one that isn't ready, at most."""


class Caretaker:
    """Looks after all connections of a network namespace that nobody claims."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._in_kernel = InKernel(self._calls)
        self._rules: tuple[Rule, ...] = ()
        self._connections: dict[int, Connection] = {}
        self._claimed: set[int] = set()

    def take_calls(self) -> list[Call]:
        """Return what is to be done, in this order, and forget it."""
        calls = list(self._calls)
        self._calls.clear()
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
        if known is None or known.first != plain(first):
            known = self._begin(token, first, None, now)
            known.ask_at = now + _GRACE
        known.joining.clear()
        known.further = {plain(one.pair): one for one in further}
        self._in_kernel.adopt(known)

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
                known.learn(event)
                self._in_kernel.go_on(known)
            case _:
                pass

    def _begin(self, token: int, first: FourTuple, client: bool | None, now: float) -> Connection:
        connection = Connection(token, plain(first), client, now + _GRACE)
        self._connections[token] = connection
        return connection

    # What is set up.

    def use_rules(self, rules: Sequence[Rule]) -> None:
        """Take the rules that hold for connections from now on."""
        self._rules = tuple(rules)

    def configure(self, settings: InKernelSettings) -> None:
        """Take the kernel's endpoints and limits, as they are now."""
        cared = [c for c in self._connections.values() if c.cared]
        self._in_kernel.configure(settings, cared)

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

    def _ask_again(self, known: Connection, now: float) -> None:
        known.ask_at = now + known.again
        known.again = min(2 * known.again, _AGAIN_AT_MOST)

    def _take_care(self, known: Connection, told: Told) -> None:
        facts = Facts(known.first.remote, bool(known.client), told.user, told.program)
        rule = first_match(self._rules, facts)
        if rule is not None and not rule.strategy.in_kernel:
            del self._connections[known.token]
            self._calls.append(Hand(known.token, known.first, rule))
        elif not known.cared:
            self._in_kernel.begin(known)
        self._in_kernel.go_on(known)

    def named(self, join: Join, host: str) -> Join:
        """Return a `Join` with the address that it leaves from, and what its endpoint says.

        Args:
            join: one that left the address to routing.
            host: what routing chose.
        """
        known = self._connections.get(join.token)
        return join if known is None else self._in_kernel.named(known, join, host)

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
            self._in_kernel.go_on(known)
