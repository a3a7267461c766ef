"""The sockets under libcurl: made for it, and known to the engine as connections.

libcurl works on a copy of the descriptor that OPENSOCKETFUNCTION returns, and closes that copy when
it likes. CLOSESOCKETFUNCTION can't tell: pycurl calls it on the handle that made the connection,
and where that handle isn't at work, it warns and leaks the descriptor. So each copy is looked at
whenever a transfer has ended: it is closed when its number names another file.
"""

from __future__ import annotations

import math
import os
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

import pycurl

from mphttp.engine import Connection, Engine, Request
from mphttp.engine.in_kernel import begins_plain
from mphttp.kernel.values import FourTuple, Path, SocketAddress
from mphttp.network.dial import multipath_socket, prepare, start_on
from mphttp.network.hosts import Hosts
from mphttp.network.race import PATIENCE
from mphttp.network.start import Start


class Address(Protocol):
    """What OPENSOCKETFUNCTION is given: one of the peer's addresses."""

    @property
    def family(self) -> int: ...
    @property
    def addr(self) -> tuple[str, int, *tuple[int, ...]]: ...


@dataclass(slots=True)
class Attempt:
    """A request's tries to connect: each on another path, where it asks for one.

    Args:
        request: whose strategy may choose where the connection starts.

    Attributes:
        number: how many tries there were before this one.
        more: whether one of the peer's addresses could be tried on another path.
        paths: where this try's sockets leave.
        error: why the last socket that couldn't be made wasn't.
        copies: libcurl's descriptors that it has made or used.
        began_at: when this try made its first socket, of `time.monotonic`.
        proxy_answer: the head of what a proxy said to CONNECT.
    """

    request: Request
    number: int = 0
    more: bool = False
    paths: set[Path] = field(default_factory=set)
    error: OSError | None = None
    copies: set[int] = field(default_factory=set)
    began_at: float = math.inf
    proxy_answer: bytes = b""


@dataclass(slots=True)
class _Known:
    """A socket that libcurl has a copy of."""

    copy: int
    sock: socket.socket
    file: int
    addresses: FourTuple | None = None
    connection: Connection | None = None


class Sockets:
    """The sockets of one `CurlMulti`.

    Args:
        engine: is told of each connection.
        path_names: the interfaces that may be used, preferred first, or None for all.
        plain: whether TCP is wanted, not MPTCP.
        hosts: which addresses count; libcurl connects to one that a URL names in any case.
    """

    def __init__(
        self, engine: Engine, path_names: tuple[str, ...] | None, *, plain: bool, hosts: Hosts
    ) -> None:
        self._engine = engine
        self._path_names = path_names
        self._plain = plain
        self._hosts = hosts
        self._start = Start(path_names)
        self._copies: dict[int, _Known] = {}
        self._connections: dict[FourTuple, _Known] = {}
        self._fresh: socket.socket | None = None

    def make(self, attempt: Attempt, address: Address) -> socket.socket | int:
        """Make a socket for one of the peer's addresses; SOCKET_BAD where there can't be one.

        Args:
            attempt: whose connection it is to be.
            address: what OPENSOCKETFUNCTION is given.
        """
        self._engine.start()  # before the connection, so that none of its events is missed
        try:
            self._fresh = self._made(attempt, address)
        except OSError as error:
            attempt.error = error
            return pycurl.SOCKET_BAD
        return self._fresh

    def _made(self, attempt: Attempt, address: Address) -> socket.socket:
        remote = SocketAddress(str(address.addr[0]), int(address.addr[1]))
        self._hosts.of_family(remote.host, [(address.family, 0, 0, "", remote)])
        with attempt.request:
            ways = [*self._start.preferred(remote), *self._start.elsewhere(remote)]
            _, path = ways[min(attempt.number, len(ways) - 1)]
            local = None if path is None else path.address
            plain = self._plain or begins_plain(remote.host, local)
        attempt.began_at = min(attempt.began_at, time.monotonic())
        attempt.more = attempt.more or attempt.number + 1 < len(ways)
        used = path or self._start.system
        if used is not None:
            attempt.paths.add(used)
        sock = multipath_socket(address.family, plain=plain)
        try:
            prepare(sock, ())
            start_on(sock, path, None)
        except BaseException:
            sock.close()
            raise
        return sock

    def failed(self, attempt: Attempt, words: str) -> None:
        """Take that a try came to nothing, and go on to the next.

        Args:
            attempt: whose it was.
            words: what libcurl says of it.
        """
        with attempt.request:
            for path in attempt.paths:
                self._start.failed(path, OSError(words))
        attempt.number += 1
        attempt.more = False
        attempt.began_at = math.inf
        attempt.paths.clear()

    def waits_in_vain(self, attempt: Attempt, now: float) -> bool:
        """Tell whether a try is without an answer for so long that another path may do better.

        libcurl itself races addresses alone (RFC 8305).

        Args:
            attempt: whose try it is.
            now: of `time.monotonic`.
        """
        if not attempt.more or now < attempt.began_at + PATIENCE:
            return False
        known = (self._copies[copy].sock for copy in attempt.copies if copy in self._copies)
        return not any(map(_is_connected, known))

    def adopt(self, attempt: Attempt, copy: int) -> None:
        """Take that libcurl's copy of the socket made last has this number.

        Args:
            attempt: for which it was made.
            copy: the number.
        """
        assert self._fresh is not None
        os.set_inheritable(copy, False)  # pycurl's dup made it so
        before = self._copies.pop(copy, None)
        if before is not None:
            self._let_go(before)
        self._copies[copy] = _Known(copy, self._fresh, os.fstat(copy).st_ino)
        self._fresh = None
        attempt.copies.add(copy)

    def connection(self, attempt: Attempt, addresses: FourTuple) -> Connection | None:
        """Return the connection with these addresses, or None if it was reset meanwhile.

        Args:
            attempt: which is going to use it.
            addresses: what PREREQFUNCTION is told.
        """
        known = self._connections.get(addresses)
        if known is None:
            known = next((k for k in self._copies.values() if _addresses(k) == addresses), None)
            if known is None or not self._connect(known, addresses):
                return None
        attempt.copies.add(known.copy)
        return known.connection

    def _connect(self, known: _Known, addresses: FourTuple) -> bool:
        """Let the engine know a connection; tell whether it is one still."""
        try:
            known.connection = Connection(known.sock, self._engine, self._path_names)
        except OSError:  # KernelError is one
            return False
        known.addresses = addresses
        self._connections[addresses] = known
        return True

    def end_stranded(self) -> None:
        """Let libcurl see that connections are of no use which have no subflow any more."""
        for known in self._connections.values():
            if known.connection is not None and known.connection.stranded:
                known.connection.shut_down()

    def sweep(self, copies: Iterable[int] | None = None) -> None:
        """Close what libcurl has closed.

        Args:
            copies: the descriptors that may be, or None to look at all.
        """
        for copy in list(self._copies if copies is None else copies):
            known = self._copies.get(copy)
            if known is not None and _file(copy) != known.file:
                del self._copies[copy]
                self._let_go(known)

    def leave(self) -> None:
        """Leave every connection to the parent process, so that it ends when it ends there.

        What libcurl might say on a copy after all, nobody hears.
        """
        nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for known in self._copies.values():
            if _file(known.copy) == known.file:
                os.dup2(nowhere, known.copy, inheritable=False)
            known.sock.close()
        os.close(nowhere)
        self._copies.clear()
        self._connections.clear()

    def _let_go(self, known: _Known) -> None:
        if known.connection is None:
            known.sock.close()
            return
        if known.addresses is not None:
            self._connections.pop(known.addresses, None)
        known.connection.close(known.sock.close)


_THIS_HOST = ("0.0.0.0", "::")


def four_tuple(peer: str, local: str, peer_port: int, local_port: int) -> FourTuple:
    """Name a connection by what PREREQFUNCTION is told, in its order.

    Who connects to "this host" (RFC 1122, 3.2.1.3) has the peer's address as its own: libcurl tells
    what was asked for, the kernel what it has taken (net/ipv4/route.c).
    """
    if peer in _THIS_HOST:
        peer = local
    return FourTuple(SocketAddress(local, local_port), SocketAddress(peer, peer_port))


def _addresses(known: _Known) -> FourTuple | None:
    """Return the addresses of a socket that is connected and not known as a connection yet."""
    if known.connection is not None:
        return None
    try:
        local, peer = known.sock.getsockname(), known.sock.getpeername()
    except OSError:  # it isn't connected
        return None
    return four_tuple(_numeric(peer[0]), _numeric(local[0]), peer[1], local[1])


def _is_connected(sock: socket.socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


def _numeric(host: str) -> str:
    """Drop the interface from a link-local address: libcurl doesn't tell it."""
    return host.partition("%")[0]


def _file(descriptor: int) -> int | None:
    try:
        return os.fstat(descriptor).st_ino
    except OSError:
        return None
