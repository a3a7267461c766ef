"""Making and connecting sockets: MPTCP where the kernel has it, plain TCP where not."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import select
import socket
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from mphttp.engine.in_kernel import begins_plain
from mphttp.kernel.addresses import is_link_local
from mphttp.kernel.values import Path

from .candidates import Candidate, Candidates
from .forked import keep_back
from .hosts import SYSTEM, Hosts
from .race import Race
from .resolve import look_up
from .socket_types import Address, SocketOption, set_option
from .start import Start
from .time_limit import TimeLimit

IPPROTO_MPTCP = 262
_NO_MPTCP = {errno.EPROTONOSUPPORT, errno.ENOPROTOOPT, errno.EINVAL}
"""Not compiled in; switched off by net.mptcp.enabled; older than 5.6."""


def multipath_socket(family: int, *, plain: bool = False) -> socket.socket:
    """Make an MPTCP stream socket, or a TCP one where the kernel has no MPTCP.

    Args:
        family: `socket.AF_INET` or `socket.AF_INET6`.
        plain: TCP is wanted.
    """
    if plain:
        return keep_back(socket.socket(family, socket.SOCK_STREAM))
    try:
        return keep_back(socket.socket(family, socket.SOCK_STREAM, IPPROTO_MPTCP))
    except OSError as error:
        if error.errno not in _NO_MPTCP:
            raise
        return keep_back(socket.socket(family, socket.SOCK_STREAM))


class Attempts:
    """Connecting to a host: attempts under way, of which one wins; no call waits but `wait`.

    As a context manager it closes the sockets of all others.

    Args:
        candidates: the ways to connect.
        make: makes the socket for one of them.
    """

    def __init__(self, candidates: Candidates, make: Callable[[Candidate], socket.socket]) -> None:
        self._candidates = candidates
        self._make = make
        self._race = Race(candidates, time.monotonic())
        self._sockets: dict[Candidate, socket.socket] = {}
        self._under_way: dict[int, Candidate] = {}
        self._poll = select.poll()
        self._ready: list[tuple[int, int]] = []
        self._epoll: select.epoll | None = None

    def fileno(self) -> int:
        """Return a descriptor that can be read from when there is something for `step` to do.

        Who asks for none spares the six system calls that it costs.
        """
        if self._epoll is None:
            self._epoll = select.epoll()
            for descriptor in self._under_way:
                self._epoll.register(descriptor, select.EPOLLOUT)
        return self._epoll.fileno()

    def step(self) -> socket.socket | None:
        """Do what is to be done now; return the socket that is connected, once there is one.

        Raises:
            OSError: nobody answered; the error is the last one's.
        """
        now = time.monotonic()
        for descriptor, event in self._take_ready():
            self._came(descriptor, event, now)
        while (candidate := self._race.begin(now)) is not None:
            self._begin(candidate, now)
        winner = self._race.winner(now)
        if winner is not None:
            self._candidates.chosen(winner)
            return self._sockets.pop(winner)
        if self._race.lost:
            raise self._candidates.error
        return None

    def pause(self, limit: TimeLimit) -> float | None:
        """Return the seconds after which `step` has something to do though nothing happens.

        Raises:
            TimeoutError: the time for connecting is over.
        """
        left, pause = limit.require(), self._race.wait(time.monotonic())
        return left if pause is None else pause if left is None else min(left, pause)

    def wait(self, limit: TimeLimit) -> None:
        """Wait until `step` has something to do.

        Raises:
            TimeoutError: the time for connecting is over.
        """
        pause = self.pause(limit)
        self._ready = self._poll.poll(None if pause is None else math.ceil(pause * 1000))

    def _take_ready(self) -> list[tuple[int, int]]:
        """Return whose sockets are ready: what `wait` found, or what is so now."""
        ready, self._ready = self._ready, []
        return ready or (self._poll.poll(0) if self._under_way else [])

    def _begin(self, candidate: Candidate, now: float) -> None:
        try:
            sock = self._sockets[candidate] = self._make(candidate)
            sock.setblocking(False)
            problem = sock.connect_ex(candidate.address)
        except OSError as error:
            self._failed(candidate, error, now)
            return
        if problem == errno.EINPROGRESS:
            self._under_way[sock.fileno()] = candidate
            self._poll.register(sock, select.POLLOUT)
            if self._epoll is not None:
                self._epoll.register(sock, select.EPOLLOUT)
        else:
            self._settle(candidate, problem, now)

    def _came(self, descriptor: int, event: int, now: float) -> None:
        candidate = self._under_way.pop(descriptor)
        sock = self._sockets[candidate]
        self._poll.unregister(sock)
        if self._epoll is not None:
            self._epoll.unregister(sock)
        problem = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if not problem and event & select.POLLHUP:  # it was given up in another thread
            problem = errno.ENOTCONN
        self._settle(candidate, problem, now)

    def _settle(self, candidate: Candidate, problem: int, now: float) -> None:
        if problem:
            self._failed(candidate, OSError(problem, os.strerror(problem)), now)
        else:
            self._race.connected(candidate)

    def _failed(self, candidate: Candidate, error: OSError, now: float) -> None:
        sock = self._sockets.pop(candidate, None)
        if sock is not None:
            sock.close()
        self._candidates.failed(candidate, error)
        self._race.failed(candidate, now)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _: type[BaseException] | None,
        __: BaseException | None,
        ___: TracebackType | None,
    ) -> None:
        if self._epoll is not None:
            self._epoll.close()
        for sock in self._sockets.values():
            sock.close()


def dial(
    host: str,
    port: int,
    *,
    limit: TimeLimit,
    local_address: str | None = None,
    options: Iterable[SocketOption] = (),
    start: Start | None = None,
    plain: bool = False,
    hosts: Hosts = SYSTEM,
) -> socket.socket:
    """Connect to the first of the host's addresses that answers (RFC 8305).

    Args:
        host: a name or an IP address.
        port: TCP port.
        limit: for how long to wait, the look-up of the name included.
        local_address: IP address to connect from, or None.
        options: arguments of `setsockopt`, set before connecting since some only work then.
        start: chooses the path of the first subflow; None leaves it to the system.
        plain: TCP is wanted, not MPTCP.
        hosts: how the host becomes addresses.

    Returns:
        The socket, which doesn't block.

    Raises:
        OSError: no address answered; the error is the last one's.
    """
    found = look_up(host, port, limit, hosts)
    candidates = Candidates(host, found, None if local_address else start)
    with attempts(candidates, local_address, options, plain=plain) as under_way:
        while (sock := under_way.step()) is None:
            under_way.wait(limit)
        return sock


def attempts(
    candidates: Candidates,
    local_address: str | None,
    options: Iterable[SocketOption],
    *,
    plain: bool,
) -> Attempts:
    """Return what connects to one of some candidates; the arguments are those of `dial`."""
    options = tuple(options)
    return Attempts(
        candidates, lambda candidate: unconnected(candidate, local_address, options, plain=plain)
    )


def connect(sock: socket.socket, address: str | Address, limit: TimeLimit) -> socket.socket:
    """Connect a socket, and return it; it is closed if that doesn't work.

    Args:
        sock: unconnected.
        address: as `socket.connect` takes it.
        limit: for how long to wait.

    Raises:
        OSError: nobody answered.
    """
    try:
        sock.settimeout(limit.require())
        sock.connect(address)
    except BaseException:  # also when a signal's handler raises
        sock.close()
        raise
    return sock


def unconnected(
    candidate: Candidate,
    local_address: str | None,
    options: Iterable[SocketOption],
    *,
    plain: bool = False,
) -> socket.socket:
    """Make a socket that is ready to connect.

    Args:
        candidate: the address, and the path to it.
        local_address: IP address to connect from, or None.
        options: arguments of `setsockopt`, set before connecting since some only work then.
        plain: TCP is wanted, not MPTCP.

    Raises:
        OSError: an option isn't taken, or the path is gone.
    """
    local = local_address if candidate.path is None else candidate.path.address
    plain = plain or begins_plain(str(candidate.address[0]), local)
    sock = multipath_socket(candidate.family, plain=plain)
    try:
        prepare(sock, options)
        start_on(sock, candidate.path, local_address)
    except BaseException:
        sock.close()
        raise
    return sock


def prepare(sock: socket.socket, options: Iterable[SocketOption]) -> None:
    """Set the caller's options, and TCP_NODELAY, which nobody else sets for protocol 262."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for option in options:
        set_option(sock, option)


def start_on(sock: socket.socket, path: Path | None, local_address: str | None) -> None:
    """Bind the socket to where its first subflow leaves."""
    if local_address is not None:
        sock.bind((local_address, 0))
    if path is None:
        return
    # Without the device, the route would be looked up by destination alone. Where an old kernel
    # asks for a privilege (before 5.7), the source address alone has to do.
    with contextlib.suppress(PermissionError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, os.fsencode(path.name))
    sock.bind(on_link(path.address, 0, path))


def on_link(host: str, port: int, path: Path) -> Address:
    """Return an address as sockets take it; one of a link has the index of the interface there.

    Args:
        host: an IP address without a zone.
        port: TCP port.
        path: leads there, or begins there.
    """
    return (host, port, 0, path.index) if is_link_local(host) else (host, port)
