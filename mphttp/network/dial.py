"""Making and connecting sockets: MPTCP where the kernel has it, plain TCP where not."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from mphttp.kernel.values import Path, SocketAddress

from .start import Start

IPPROTO_MPTCP = 262
_NO_MPTCP = {errno.EPROTONOSUPPORT, errno.ENOPROTOOPT, errno.EINVAL}
"""Not compiled in; switched off by net.mptcp.enabled; older than 5.6."""

SocketOption = tuple[Any, ...]


def multipath_socket(family: int, *, plain: bool = False) -> socket.socket:
    """Make an MPTCP stream socket, or a TCP one where the kernel has no MPTCP.

    Args:
        family: `socket.AF_INET` or `socket.AF_INET6`.
        plain: TCP is wanted.
    """
    if plain:
        return socket.socket(family, socket.SOCK_STREAM)
    try:
        return socket.socket(family, socket.SOCK_STREAM, IPPROTO_MPTCP)
    except OSError as error:
        if error.errno not in _NO_MPTCP:
            raise
        return socket.socket(family, socket.SOCK_STREAM)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to connect.

    Args:
        family: `socket.AF_INET` or `socket.AF_INET6`.
        address: as `socket.connect` takes it.
        path: where the first subflow leaves; None leaves it to the system.
    """

    family: int
    address: tuple[Any, ...]
    path: Path | None = None


class Candidates:
    """The ways to connect to a host, one after the other, and what came of those that were tried.

    Args:
        host: a name or an IP address, for words.
        found: what `getaddrinfo` gave.
        start: chooses the path of the first subflow; None leaves it to the system.
    """

    def __init__(self, host: str, found: Iterable[tuple[Any, ...]], start: Start | None) -> None:
        self.error: OSError = OSError(f"no address is known for {host}")
        self._found = found
        self._start = start

    def __iter__(self) -> Iterator[Candidate]:
        for family, _, _, _, address in self._found:
            remote = SocketAddress(str(address[0]), int(address[1]))
            try:
                paths = [None] if self._start is None else self._start.paths(remote)
            except OSError as error:  # the next address may be of a family that a path has
                self.error = error
                continue
            yield from (Candidate(family, address, path) for path in paths)

    def failed(self, candidate: Candidate, error: OSError) -> None:
        """Take that a candidate didn't do."""
        self.error = error
        if candidate.path is not None and self._start is not None:
            self._start.failed(candidate.path, error)


def dial(
    host: str,
    port: int,
    *,
    timeout: float | None = None,
    local_address: str | None = None,
    options: Iterable[SocketOption] = (),
    start: Start | None = None,
    plain: bool = False,
) -> socket.socket:
    """Connect to the first of the host's addresses that answers.

    Args:
        host: a name or an IP address.
        port: TCP port.
        timeout: seconds for each attempt, or None for no limit.
        local_address: IP address to connect from, or None.
        options: arguments of `setsockopt`, set before connecting since some only work then.
        start: chooses the path of the first subflow; None leaves it to the system.
        plain: TCP is wanted, not MPTCP.

    Raises:
        OSError: no address answered; the error is the last one's.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    candidates = Candidates(host, found, None if local_address else start)
    for candidate in candidates:
        try:
            sock = unconnected(candidate, local_address, options, plain=plain)
            return connect(sock, candidate.address, timeout)
        except OSError as error:
            candidates.failed(candidate, error)
    raise candidates.error


def connect(sock: socket.socket, address: Any, timeout: float | None) -> socket.socket:
    """Connect a socket, and return it; it is closed if that doesn't work.

    Args:
        sock: from `unconnected`.
        address: as `socket.connect` takes it.
        timeout: seconds, or None for no limit.

    Raises:
        OSError: nobody answered.
    """
    try:
        sock.settimeout(timeout)
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
        sock.setsockopt(*option)


def start_on(sock: socket.socket, path: Path | None, local_address: str | None) -> None:
    """Bind the socket to where its first subflow leaves."""
    if local_address is not None:
        sock.bind((local_address, 0))
    if path is None:
        return
    # Without the device, the route would be looked up by destination alone. Where an old kernel
    # asks for a privilege (before 5.7), the source address alone has to do.
    with contextlib.suppress(PermissionError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, path.name.encode())
    sock.bind((path.address, 0))
