"""What a body that several connections bring comes over, as the engine knows it."""

from __future__ import annotations

import fcntl
import struct
import termios
import time
import weakref

from mphttp.engine.account import Taken
from mphttp.engine.carrier import Carrier
from mphttp.engine.connection import Connection
from mphttp.engine.driven import Driven
from mphttp.engine.reader import SocketReader
from mphttp.kernel.errors import KernelError
from mphttp.strategies import Open
from mphttp.strategies import Path as StrategyPath

from .assembly import Assembly
from .control import PartsControl, State
from .link import Linker
from .recovery import Recovery
from .worker import Worker


class _Reader:
    """Takes down the state of all connections."""

    def __init__(self, control: PartsControl, first: Connection) -> None:
        self._control = control
        self._first = first

    @property
    def multipath(self) -> bool:
        """Whether the first connection speaks MPTCP (whose subflows can't be controlled here)."""
        return self._first.reader.multipath

    def all(self) -> State:
        """Take down everything."""
        return self._control.take()

    def bytes_only(self) -> State:
        """Take down everything: there is no less."""
        return self._control.take()


class PartsCarrier(Carrier):
    """One response whose body further connections help to bring.

    Args:
        first: the connection of the response.
        assembly: what has come, for the reader.
        linker: makes further connections.
        server: name and port, for the limit on connections to it.

    Attributes:
        assembly: the same.
        first: the same.
    """

    control_of: type[PartsControl] = PartsControl

    reasons_later = False

    def __init__(
        self,
        first: Connection,
        assembly: Assembly,
        linker: Linker,
        server: tuple[str, int],
    ) -> None:
        self.assembly = assembly
        self.first = first
        self._recovery = Recovery()
        self._changed = False
        self._parts = self.control_of(assembly, first, linker, server)
        super().__init__(_Reader(self._parts, first), first.remote, first.engine, first.reach.names)
        self.lock = first.lock  # of both one: each tells the other's responses
        self.reach.also_at, self.reach.device = first.addresses, first.reach.device
        self._begin(self._parts, self._parts.before, time.monotonic())
        myself = weakref.ref(self)
        self.assembly.on_change = lambda: _wake(myself)
        # Should nobody close the response, what helps it must not go on without it. What is named
        # here lives as long as this does, so that it mustn't lead back to it, as `first` does.
        weakref.finalize(self, _end, self._parts.workers, self.assembly)

    @property
    def mechanism_name(self) -> str:
        """Name of what carries out the calls."""
        return "ranges"

    def missing(self) -> tuple[str, str] | None:
        """Return None: nothing keeps strategies from opening connections."""
        return None

    def turn(self, now: float) -> float | None:
        """Do all that is due; return when to be woken next, or None."""
        if self._changed:  # what has come or gone is told before anybody decides
            self._changed = False
            self.look(now)
        times = super().turn(now), self._go_on(now)
        return min((when for when in times if when is not None), default=None)

    def changed(self) -> None:
        """Take that a connection has come or gone. Any thread may call this."""
        self._changed = True
        self.engine.wake(self)

    def _go_on(self, now: float) -> float | None:
        """Find another path where the last connection broke off; return when to look again."""
        if self._closed or not self.transfers.under_way:
            return None
        if not self.assembly.orphaned or self._parts.works or self.assembly.stuck:
            self._recovery.rest()
            return None
        if busy := self.assembly.refusals.busy_for:
            self._recovery.rest()
            return now + busy
        allowed = self.transfers.under_way[0].ways_on(path.name for path in self.paths())
        while True:
            opening, had = self._parts.opening(now), self.assembly.delivered()
            step = self._recovery.step(allowed, opening, had, now)
            if step.over:
                self.assembly.refusals.give_up("no path is left that brings the rest")
            if step.path is None or self._open(step.path):
                return step.again_at

    def _open(self, name: str) -> bool:
        """Connect over a path; tell whether that is under way."""
        path = self.path_of(Open(StrategyPath(name)))
        if path is None:
            return False
        try:
            self._parts.open(path, self.reach.address_from(path, self.remote))
        except KernelError as error:
            self._trouble(str(error))
            return False
        return True

    def look(self, now: float) -> None:
        """Read all connections, and take what is new."""
        for what in self.assembly.refusals.told():
            self._trouble(what)
        super().look(now)

    def _trouble(self, what: str) -> None:
        for exchange in list(self.transfers.under_way):
            exchange.problem(what)

    def unread(self) -> int | None:
        """Return the bytes that lie ready for the application, in order."""
        return self.assembly.unread()

    def leave(self, exchange: Driven, now: float, *, whole: bool) -> Taken | None:
        """Let the response end, and all further connections with it."""
        if self.assembly.shared or self.assembly.first.error:
            self.look(now)  # what happened at the very end is to be told, too
        state = super().leave(exchange, now, whole=whole)
        _end(self._parts.workers, self.assembly)
        if self.assembly.shared:
            self.look(time.monotonic())  # those that have ended just now, the last one among them
        return self._leave_first(exchange, now, state)

    def _leave_first(self, exchange: Driven, now: float, state: Taken | None) -> Taken | None:  # noqa: ARG002  for those who override
        """Let the first connection be ready for the next response."""
        after = state.first if isinstance(state, State) else None
        self.first.passed_by(after, whole=self.assembly.first.read_whole)
        return state

    def fail(self, error: Exception) -> None:
        """Take a fault of ours: the strategies end, the bytes go on."""
        super().fail(error)
        self.assembly.refusals.give_up(str(error))

    def after_fork(self) -> None:
        """Leave everything to the parent process, where the threads are."""
        super().after_fork()
        self.assembly.after_fork()


def _end(workers: list[Worker], assembly: Assembly) -> None:
    """End all but the first connection."""
    for worker in list(workers):
        if not worker.closed:
            worker.close()
    assembly.close()


def _wake(reference: weakref.ref[PartsCarrier]) -> None:
    carrier = reference()
    if carrier is not None:
        carrier.changed()


def unread_of(first: SocketReader) -> int:
    """Return the bytes that lie unread in a connection's socket."""
    waiting = bytearray(4)
    try:
        fcntl.ioctl(first.sock, termios.FIONREAD, waiting)
    except (OSError, ValueError):  # it is closed
        return 0
    count: int = struct.unpack("i", waiting)[0]
    return count
