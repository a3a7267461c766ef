"""A connection of another program, as the engine knows its own: seen through sock_diag alone."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from mphttp.engine.carrier import Carrier
from mphttp.engine.connection import Connection
from mphttp.engine.exchange import Exchange
from mphttp.engine.loop import engine
from mphttp.engine.request import Request
from mphttp.kernel.address_ids import AddressIds
from mphttp.kernel.diagnosis.machine import counters
from mphttp.kernel.errors import KernelError, NoSuchSubflow, NotSupported
from mphttp.kernel.events import Event
from mphttp.kernel.mechanism import Control
from mphttp.kernel.path_manager.commands import Address, announce
from mphttp.kernel.path_manager.control import NetlinkControl, PathManager
from mphttp.kernel.path_manager.tables import AddressFlag
from mphttp.kernel.reading.listing import SocketLister
from mphttp.kernel.reading.sock_diag import ListedConnection, ListedSubflow
from mphttp.kernel.values import ConnectionInfo, FourTuple, SocketAddress, SubflowInfo

from .asking import Asking
from .rules import Rule

_LOOK_EVERY, _LOOK_EVERY_IDLE = 0.2, 0.5
"""Seconds between two looks at a connection over which something moved lately, and at others."""
_LATELY = 10.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The state of a connection at some moment (account.Taken)."""

    bytes_received: int
    bytes_acked: int
    queued: int
    info: ConnectionInfo

    def decode(self) -> ConnectionInfo:
        """Return it as values."""
        return self.info


@dataclass(slots=True)
class SeenReader:
    """Takes down the state of a connection that another program has.

    Every socket of the machine is looked at only if there may be a subflow that isn't known.

    Args:
        lister: asks the kernel.
        token: names the connection.
    """

    lister: SocketLister
    token: int
    multipath: bool = True
    _known: dict[FourTuple, int] = field(default_factory=dict)
    _all_known: bool = False

    def all(self) -> Seen:
        """Take down everything.

        Raises:
            NoSuchSubflow: it has ended.
        """
        connection = self.lister.connection(self.token)
        if connection is None:
            raise NoSuchSubflow("the connection has ended")
        return _seen(connection, self._subflows())

    def bytes_only(self) -> Seen:
        """Do as `all` does."""
        return self.all()

    def look_for_more(self) -> None:
        """Take that there may be a subflow that isn't known."""
        self._all_known = False

    def _subflows(self) -> list[ListedSubflow]:
        if self._all_known:
            found = [self.lister.subflow(*one) for one in self._known.items()]
            subflows = [one for one in found if one is not None and one.token == self.token]
        else:
            subflows = self.lister.subflows(self.token)
        self._known = {one.info.tuple: one.device for one in subflows}
        self._all_known = True
        return subflows


def _seen(connection: ListedConnection, subflows: list[ListedSubflow]) -> Seen:
    rows = sorted((s.info for s in subflows), key=lambda s: (s.tuple != connection.tuple, s.id))
    received = connection.bytes_received or 0
    info = ConnectionInfo(
        connection.token, received, any(s.fully_established for s in subflows), tuple(rows)
    )
    return Seen(received, connection.bytes_acked or 0, connection.queued, info)


class SeenControl(NetlinkControl):
    """The subflows of a connection that another program has, changed through netlink.

    Args:
        reader: reads it.
        first: its first subflow.
        manager: the path manager of its network namespace.
    """

    def __init__(self, reader: SeenReader, first: FourTuple, manager: PathManager) -> None:
        # Not the base's, which reads the connection's socket.
        self._reader = reader
        self._first = first
        self._token = reader.token
        self._manager = manager
        self.ids = AddressIds()

    def info(self) -> ConnectionInfo:
        """Read the connection as it is now, with a subflow that was just opened."""
        self._reader.look_for_more()
        return self._reader.all().info

    def _peer(self) -> SocketAddress:
        return self._first.remote

    def _own(self) -> SocketAddress:
        return self._first.local

    def ask(self, host: str) -> None:
        """Have the peer echo an address that it has a subflow from (`asking`).

        Raises:
            KernelError: the connection is gone, or nothing can be sent.
        """
        flags = AddressFlag.SIGNAL
        self._manager.request(
            announce(self.token, Address(host, id=self.ids.of(host), flags=flags))
        )

    def announced(self) -> Mapping[int, SocketAddress]:
        """The addresses that the peer announced and didn't withdraw."""
        return self._manager.announced(self.token)

    def setsockopt(
        self, _subflow: SubflowInfo, _level: int, _name: int, _value: int | bytes
    ) -> None:
        """Refuse: this needs the connection's socket."""
        raise NotSupported("a rule's strategy can't set options of another program's subflows")

    def getsockopt(self, _subflow: SubflowInfo, _level: int, _name: int, _size: int) -> bytes:
        """Refuse, as `setsockopt` does."""
        raise NotSupported("a rule's strategy can't read options of another program's subflows")


class SeenConnection(Carrier):
    """A connection of another program, with a strategy that looks after it.

    Args:
        reader: reads it.
        first: its first subflow.
        rule: what decides.
        manager: the path manager of its network namespace.
        told: takes each problem that the strategy has, one sentence.
    """

    refused_hint = Connection.refused_hint
    joins = True

    def __init__(
        self,
        reader: SeenReader,
        first: FourTuple,
        rule: Rule,
        manager: PathManager,
        *,
        told: Callable[[str], None],
    ) -> None:
        super().__init__(reader, first.remote, engine, rule.paths)
        self._seen_reader = reader
        self._rule = rule
        self._report = told
        self._reported = 0
        self._written = self._came = 0
        self._moved_at = -math.inf
        self._exchange: Exchange | None = None
        self._asking = Asking()
        self._seen_control = SeenControl(reader, first, manager)
        self._begin(self._seen_control, reader.all(), time.monotonic())

    def _take_charge(self, control: Control | None) -> None:
        self._control = control
        self._manager.controlled = True
        self.engine.add(self, None)  # who hands it over passes on its events

    @property
    def mechanism_name(self) -> str:
        """Name of what carries out the calls."""
        return "netlink"

    def missing(self) -> tuple[str, str] | None:
        """Nothing is."""
        return None

    def start(self) -> None:
        """Let the strategy begin."""
        exchange = Exchange(self, Request("", self._rule.strategy, length=None))
        exchange.begin_stream()
        self._exchange = exchange
        self.engine.wake(self)

    def end(self) -> None:
        """Let the connection be over, or somebody else's to look after."""
        exchange, self._exchange = self._exchange, None
        with self.lock:
            self._closed = True
        if exchange is not None:
            exchange.finish(whole=True)
        with self.lock:
            self._settle_all(time.monotonic())

    def acknowledged(self, _before: object) -> tuple[int | None, int | None]:
        """Return the bytes that the peer has acknowledged since, and those that it hasn't yet."""
        exchange = self._exchange
        if exchange is None or self._closed:
            return None, None
        try:
            now = self._seen_reader.all()
        except NoSuchSubflow:
            return None, None
        begun = self._before
        assert isinstance(begun, Seen)
        acknowledged = now.bytes_acked - begun.bytes_acked
        self._follow(exchange, acknowledged + now.queued, now.bytes_received - begun.bytes_received)
        return acknowledged, now.queued

    def _follow(self, exchange: Exchange, written: int, came: int) -> None:
        """Tell the transfer what its program has written and read, which it doesn't tell itself."""
        if written > self._written or came > self._came:
            self._moved_at = time.monotonic()
        more, self._written = max(0, written - self._written), max(written, self._written)
        self._came = max(came, self._came)
        if more:
            exchange.wrote(more)
        elif exchange.resting and came != exchange.received:
            exchange.stir()
        exchange.received = self._came
        if exchange.received >= exchange.threshold:
            exchange.crossed()

    def ask_after(self, seconds: int) -> None:
        """Have an idle peer asked whether it is there, while its strategy is at work."""
        self._asking.wanted = seconds <= 1
        self.asks_after = self._asking.after

    def _ask(self, now: float) -> None:
        """Ask the peer, if it has been silent, or isn't known to answer."""
        regular = [record for record in self.table.alive() if not record.backup]
        silent_for = min((record.info.heard for record in regular), default=math.inf)
        asking = self._asking
        if asking.echoes is None and asking.wanted:
            asking.looked(counters().get("EchoAdd", 0))
        if regular and asking.is_due(silent_for, now):
            asking.asked(counters().get("EchoAdd", 0), now)
            with suppress(KernelError):
                self._seen_control.ask(regular[0].tuple.local.host)
        self.asks_after = asking.after

    def unread(self) -> int | None:
        """Nothing is known to be: whoever reads isn't seen."""
        return 0

    def on_event(self, event: Event, now: float) -> None:
        """Take what the kernel told of this connection."""
        self._seen_reader.look_for_more()
        super().on_event(event, now)

    def turn(self, now: float) -> float | None:
        """Do all that is due; return when to be woken next."""
        exchange = self._exchange
        if self._closed or exchange is None:
            return None
        exchange.bytes_sent()
        self._ask(now)
        when = super().turn(now)
        for problem in exchange.problems[self._reported :]:
            self._reported += 1
            self._report(f"{exchange.name}: {problem.what}")
        lately = now - self._moved_at < _LATELY
        look_at = now + (_LOOK_EVERY if lately else _LOOK_EVERY_IDLE)
        return look_at if when is None else min(when, look_at)
