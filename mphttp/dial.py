"""Making and connecting sockets: MPTCP where the kernel has it, plain TCP where not."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Callable, Iterable
from typing import Any

from mphttp.kernel.values import Path, SocketAddress

IPPROTO_MPTCP = 262
_NO_MPTCP = {errno.EPROTONOSUPPORT, errno.ENOPROTOOPT, errno.EINVAL}
"""Not compiled in; switched off by net.mptcp.enabled; older than 5.6."""

SocketOption = tuple[Any, ...]
FirstPath = Callable[[SocketAddress], Path | None]
"""Given the peer's address, the path that the first subflow takes; None for the system's choice."""


def multipath_socket(family: int) -> socket.socket:
    """Make an MPTCP stream socket, or a TCP one where the kernel has no MPTCP.

    Args:
        family: `socket.AF_INET` or `socket.AF_INET6`.
    """
    try:
        return socket.socket(family, socket.SOCK_STREAM, IPPROTO_MPTCP)
    except OSError as error:
        if error.errno not in _NO_MPTCP:
            raise
        return socket.socket(family, socket.SOCK_STREAM)


def dial(
    host: str,
    port: int,
    *,
    timeout: float | None = None,
    local_address: str | None = None,
    options: Iterable[SocketOption] = (),
    first_path: FirstPath = lambda _: None,
) -> socket.socket:
    """Connect to the first of the host's addresses that answers.

    Args:
        host: a name or an IP address.
        port: TCP port.
        timeout: seconds for each address, or None for no limit.
        local_address: IP address to connect from, or None.
        options: arguments of `setsockopt`, set before connecting since some only work then.
        first_path: chooses the path of the first subflow.

    Raises:
        OSError: no address answered; the error is the last one's.
    """
    failure: OSError = OSError(f"no address is known for {host}")
    for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        sock = multipath_socket(family)
        try:
            prepare(sock, options)
            start_on(sock, address, local_address, first_path)
            sock.settimeout(timeout)
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:  # a signal's handler raised
            sock.close()
            raise
        else:
            return sock
    raise failure


def prepare(sock: socket.socket, options: Iterable[SocketOption]) -> None:
    """Set the caller's options, and TCP_NODELAY, which nobody else sets for protocol 262."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for option in options:
        sock.setsockopt(*option)


def start_on(
    sock: socket.socket, address: tuple[Any, ...], local_address: str | None, first_path: FirstPath
) -> None:
    """Bind the socket to where its first subflow leaves."""
    if local_address is not None:
        sock.bind((local_address, 0))
        return
    path = first_path(SocketAddress(str(address[0]), int(address[1])))
    if path is None:
        return
    # Without the device, the route would be looked up by destination alone. Where an old kernel
    # asks for a privilege (before 5.7), the source address alone has to do.
    with contextlib.suppress(PermissionError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, path.name.encode())
    sock.bind((path.address, 0))
