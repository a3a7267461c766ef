"""The state of what transfers come over, as strategies and reports see it."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import Protocol

from mphttp.core import SubflowRecord, SubflowTable
from mphttp.kernel.errors import KernelError
from mphttp.kernel.values import SocketAddress
from mphttp.report import SubflowReport

from .account import Account, Taken
from .progress import Outgoing
from .reach import Reach
from .request import Request


class Reader(Protocol):
    """Takes snapshots of what responses come over."""

    @property
    def multipath(self) -> bool:
        """Whether it speaks MPTCP, as far as is known."""

    def all(self) -> Taken:
        """Take a snapshot of everything; raises NoSuchSubflow when it is closed."""

    def bytes_only(self) -> Taken:
        """Do as `all` does, for less where only bytes can be new since the last time."""


class Observed:
    """What one or more transfers come over, as far as its state is read.

    Args:
        reader: takes snapshots of it.
        remote: where the peer is.
        path_names: the paths that may be used, preferred first, or None for all.

    Attributes:
        lock: for all that several threads change; held for moments, never while a strategy runs or
            a call is made.
        reach: the paths to the peer.
        outgoing: what leaves over it.
        asks_after: seconds after which the kernel asks an idle peer whether it is there, or None.
    """

    asks_after: float | None = None

    def __init__(
        self, reader: Reader, remote: SocketAddress, path_names: tuple[str, ...] | None
    ) -> None:
        self.lock = threading.RLock()
        self.reach = Reach(remote, path_names)
        self._reader = reader
        self._began: tuple[Taken, float] | None = None
        self._table: SubflowTable | None = None
        self._closed = False
        self.outgoing = Outgoing()

    @property
    def remote(self) -> SocketAddress:
        """Where the peer is."""
        return self.reach.remote

    @property
    def protocol(self) -> str:
        """The protocol as the report names it: "mptcp" or "tcp"."""
        return "mptcp" if self._reader.multipath else "tcp"

    @property
    def mechanism_name(self) -> str:
        """Name of what carries out the calls, "none" where nothing does."""
        raise NotImplementedError

    def missing(self) -> tuple[str, str] | None:
        """Say what keeps strategies from opening subflows, and what mends it, or None."""
        raise NotImplementedError

    @property
    def table(self) -> SubflowTable:
        """The subflows; before anybody asks, what the connection began with isn't even read.

        Most responses are whole with their first packets, and nobody does.
        """
        with self.lock:
            if self._table is None:
                self._table = self.new_table()
                if self._began is not None:
                    taken, at = self._began
                    self._table.observe(taken.decode(), at)
            return self._table

    def new_table(self) -> SubflowTable:
        """Make an empty table that knows the interfaces of this machine."""
        return SubflowTable(self.reach.interface_of, self._initial)

    @cached_property
    def _initial(self) -> int | None:
        """The id of the subflow that the connection began with, None where there was none."""
        info = self._began[0].decode() if self._began is not None else None
        began = next((s for s in info.subflows if s.established), None) if info else None
        if began is None:
            return None
        self.reach.began_with = began.tuple
        return began.id

    def alive(self) -> list[SubflowRecord]:
        """Return the subflows that carry data, oldest first, after a look; under the lock."""
        return self.table.alive()

    def gone(self) -> frozenset[int]:
        """Return the ids of subflows that ended with earlier responses, or are about to."""
        return frozenset() if self._table is None else self._table.leaving()

    def rows(self, account: Account, table: SubflowTable | None = None) -> list[SubflowReport]:
        """Tell of the subflows that were alive during a response, oldest first; under the lock.

        Args:
            account: of the response.
            table: what is known of them, if not this connection's own.
        """
        numbered = self.mechanism_name != "none"
        known = self.table if table is None else table
        return account.rows(known, lambda: {r.id for r in self.table.alive()}, numbered=numbered)

    def delivered(self, account: Account) -> int | None:
        """Return the bytes that came for a response; None where that isn't known any more."""
        total = self.bytes_received()
        return None if total is None else account.delivered(total)

    def bytes_received(self) -> int | None:
        """Return the bytes that have come over the connection; None when it is closed."""
        with self.lock:
            if self._closed:
                return None
            try:
                return self._reader.bytes_only().bytes_received
            except KernelError:
                return None

    def acknowledged(self, before: Taken) -> tuple[int | None, int | None]:  # noqa: ARG002  for those who override
        """Return the bytes that the peer has acknowledged since, and those that it hasn't yet.

        Args:
            before: the connection as it was then.
        """
        return None, None

    def ask_after(self, seconds: int) -> None:
        """Have an idle peer asked whether it is there, if the kernel can do that here.

        Args:
            seconds: of silence, and between two questions.
        """

    def shut_down(self) -> None:
        """Let whoever reads see that nothing more comes; here nobody reads."""

    def answered(self) -> None:
        """Record that the head of a response has come."""

    def wants_parts(self, asked: Request) -> bool:  # noqa: ARG002  as above
        """Return whether a response shall be fetched in parts, if it can be: here it is."""
        return False

    def unread(self) -> int | None:
        """Return the bytes that lie ready for the application; None for all that it hasn't read."""
        return None

    def waiting(self) -> int | None:
        """Return the bytes that came and wait for others; None where that isn't known."""
        return None
