"""The calls of strategies, carried out on connections that bring parts (kernel/mechanism)."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from mphttp.engine.account import Taken
from mphttp.engine.connection import Connection
from mphttp.kernel.connection.establishment import OPEN_TIMEOUT
from mphttp.kernel.errors import KernelError, NoSuchSubflow, NotSupported
from mphttp.kernel.values import ConnectionInfo, Path, SocketAddress, SubflowInfo, TCPState

from .assembly import Assembly
from .link import Linker
from .plan import LEAST_SHARE, Source
from .worker import State as WorkerState
from .worker import Worker

MOST_PER_HOST = 4
"""Connections beside the first ones that all downloads of the process have to one server."""
_KEPT = 32
"""Connections that have ended and are looked at still."""
MOST_PER_PATH = 2
"""Connections of one download on one path: one, and another that takes its place."""


class State(NamedTuple):
    """The state of all connections at some moment, not read yet.

    Args:
        first: of the first response's.
        ended: why that is over, in words or ""; None where it isn't.
        rows: of the others.
        bytes_received: bytes of the body that had come.
        least: bytes that came over the first response's connection, at least.
        as_one: whether that is shown as one, whatever subflows it has.
    """

    first: Taken
    ended: str | None
    rows: tuple[SubflowInfo, ...]
    bytes_received: int
    least: int
    as_one: bool = False

    @property
    def bytes_acked(self) -> int:
        """Bytes that the peer has acknowledged of what the first response's connection sent."""
        return self.first.bytes_acked

    def decode(self) -> ConnectionInfo:
        """Read it into values."""
        first = self.first.decode().subflows
        if self.as_one:
            first = tuple(row for row in first if not row.closed)[:1] or first[-1:]
        if self.ended is not None:
            first = tuple(replace(r, state=TCPState.CLOSE, error=self.ended) for r in first)
        if len(first) == 1:  # of one that was reset, the kernel tells nothing any more
            most = max(first[0].bytes_received, self.least)
            first = (replace(first[0], bytes_received=most),)
        return ConnectionInfo(0, self.bytes_received, True, (*first, *self.rows))


class PartsControl:
    """The connections of one body, the first response's among them.

    Args:
        assembly: what they bring.
        first: the connection of the first response.
        linker: makes the others.
        server: name and port, for the limit on connections to it.

    Attributes:
        before: the state before the first byte of the body.
        workers: who carries the others, one list for good.
    """

    token = 0

    def __init__(
        self, assembly: Assembly, first: Connection, linker: Linker, server: tuple[str, int]
    ) -> None:
        self._assembly = assembly
        self._first = first
        self._linker = linker
        self._server = server
        self.workers: list[Worker] = []
        self.before = State(first.before, None, (), 0, 0)
        rows = self.before.decode().subflows
        self._first_hosts = {row.tuple.local.host for row in rows}
        self._had = sum(row.bytes_received for row in rows)
        self._next_id = -1  # the kernel's ids, of which there may be more later, aren't negative

    def take(self) -> State:
        """Take down the state of all connections."""
        assembly = self._assembly
        over = (assembly.shared or bool(assembly.first.error)) and not assembly.first.goes_on
        try:
            taken: Taken = self._first.reader.all()
        except KernelError:  # it is closed
            taken, over = self._first.before, True
        why = self._assembly.first.error if over else None
        rows = tuple(worker.row() for worker in self.workers)
        least = self._had + assembly.first.brought
        return State(taken, why, rows, assembly.delivered(), least)

    def info(self) -> ConnectionInfo:
        """Read all connections as they are now."""
        return self.take().decode()

    def listen(self) -> None:
        """Do nothing: there are no events but changes of state."""

    def announced(self) -> Mapping[int, SocketAddress]:
        """Return nothing: TCP announces no addresses."""
        return {}

    def open(self, path: Path, remote: SocketAddress, *, backup: bool = False) -> SubflowInfo:
        """Connect over a path, and fetch parts.

        Raises:
            KernelError: there may be no other connection now, or no thread is to be had for it.
        """
        self._check(path)
        alone = not self._assembly.first.goes_on and all(w.closed for w in self.workers)
        if not alone and not _places.take(self._server):
            host, port = self._server
            raise KernelError(
                f"{MOST_PER_HOST} connections that fetch parts lead to {host}:{port} already"
            )
        source = Source(self._next_id, active=not backup)
        self._next_id -= 1
        worker = Worker(
            self._assembly,
            source,
            self._linker(path, remote),
            path=path,
            remote=remote,
            on_end=_nothing if alone else partial(_places.give_back, self._server),
        )
        worker.start()
        # Those that ended long ago were looked at then; a server may end very many.
        old = self.workers[:-_KEPT]
        self.workers[:] = [w for w in old if not w.closed] + self.workers[-_KEPT:] + [worker]
        return worker.row()

    def _check(self, path: Path) -> None:
        assembly = self._assembly
        if assembly.refusals.alone:
            raise KernelError(f"the first connection goes on alone: {assembly.refusals.alone}")
        if assembly.refusals.busy_for:
            wait = f"{assembly.refusals.busy_for:.0f} s"
            raise KernelError(f"the server is busy, and asks to be left alone for {wait}")
        if assembly.first.goes_on and assembly.left() < LEAST_SHARE:
            raise KernelError("what is missing is here sooner than another connection")
        there = sum(w.path.name == path.name and not w.closed for w in self.workers)
        first = assembly.first.goes_on and path.address in self._first_hosts
        if there + first >= MOST_PER_PATH:
            raise KernelError(f"{MOST_PER_PATH} connections are on {path.name} already")

    def close(self, subflow: SubflowInfo) -> None:
        """End a connection; what it hasn't brought is given back."""
        if subflow.id < 0:
            self._worker(subflow).close()
        else:
            self._check_whole(subflow)
            self._assembly.end_first()

    def withdraw(self, subflow: SubflowInfo) -> None:  # noqa: ARG002  a protocol's
        """Refuse: TCP can't."""
        raise NotSupported("TCP withdraws no addresses")

    def set_backup(self, subflow: SubflowInfo, backup: bool) -> None:
        """Let a connection end what it has begun, and begin no more, or let it go on."""
        if subflow.id < 0:
            self._assembly.pause(self._worker(subflow).source, backup)
        else:
            self._check_whole(subflow)
            self._assembly.pause(self._assembly.first, backup)

    def _check_whole(self, subflow: SubflowInfo) -> None:
        """Refuse to act on one of several subflows that the kernel gave the first connection."""
        rows = self.take().first.decode().subflows
        if any(not row.closed and row.id != subflow.id for row in rows):
            raise NotSupported(
                "the first connection's subflows can't be told apart here",
                hint="`mphttp doctor` tells what controlling them needs",
            )

    def setsockopt(self, subflow: SubflowInfo, level: int, name: int, value: int | bytes) -> None:
        """Set an option of a connection's socket."""
        sock = self._socket(subflow)
        try:
            sock.setsockopt(level, name, value)
        except OSError as error:
            raise KernelError("the option could not be set", errno=error.errno or 0) from error

    def getsockopt(self, subflow: SubflowInfo, level: int, name: int, size: int) -> bytes:
        """Read an option of a connection's socket."""
        try:
            return self._socket(subflow).getsockopt(level, name, size)
        except OSError as error:
            raise KernelError("the option could not be read", errno=error.errno or 0) from error

    def _socket(self, subflow: SubflowInfo) -> socket.socket:
        if subflow.id >= 0:
            return self._first.reader.sock
        sock = self._worker(subflow).sock
        if sock is None:
            raise NoSuchSubflow(f"subflow {subflow.id} isn't connected")
        return sock

    def _worker(self, subflow: SubflowInfo) -> Worker:
        for worker in self.workers:
            if worker.source.id == subflow.id and not worker.closed:
                return worker
        raise NoSuchSubflow(f"subflow {subflow.id} is closed already")

    @property
    def works(self) -> bool:
        """Whether any other connection has brought something, and goes on."""
        return any(worker.state is WorkerState.OPEN for worker in self.workers)

    def opening(self, now: float) -> set[str]:
        """Return the paths of connections that are still to bring something, but none for long."""
        for worker in self.workers:
            if worker.state is WorkerState.OPENING and now >= worker.began_at + OPEN_TIMEOUT:
                worker.close()
        return {w.path.name for w in self.workers if w.state is WorkerState.OPENING}


def _nothing() -> None:
    """Do nothing: what takes the first response's place has no place to give back."""


class _Places:
    """Counts the connections to each server that there are beside the first ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: Counter[tuple[str, int]] = Counter()

    def take(self, server: tuple[str, int]) -> bool:
        """Take a place, if there is one."""
        with self._lock:
            if self._taken[server] >= MOST_PER_HOST:
                return False
            self._taken[server] += 1
            return True

    def give_back(self, server: tuple[str, int]) -> None:
        """Give a place back."""
        with self._lock:
            self._taken[server] -= 1
            if not self._taken[server]:
                del self._taken[server]


_places = _Places()
"""The process's."""
