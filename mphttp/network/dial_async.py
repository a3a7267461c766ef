"""Connecting without blocking an event loop.

asyncio can't connect a socket of protocol 262 by itself: it asks `getaddrinfo` for that protocol,
which doesn't know it (Python 3.11 to 3.13).
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable
from typing import Any

import anyio

from .dial import Candidates, SocketOption, unconnected
from .start import Start


async def dial_async(
    host: str,
    port: int,
    *,
    timeout: float | None = None,
    local_address: str | None = None,
    options: Iterable[SocketOption] = (),
    start: Start | None = None,
    plain: bool = False,
) -> socket.socket:
    """Do as `dial` does; the socket doesn't block.

    Raises:
        OSError: no address answered; the error is the last one's.
    """
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    candidates = Candidates(host, found, None if local_address else start)
    options = tuple(options)
    for candidate in candidates:
        try:
            with anyio.fail_after(timeout):
                sock = unconnected(candidate, local_address, options, plain=plain)
                return await _connected(sock, candidate.address)
        except TimeoutError:
            candidates.failed(candidate, TimeoutError("timed out"))  # anyio's has no words
        except OSError as error:
            candidates.failed(candidate, error)
    raise candidates.error


async def _connected(sock: socket.socket, address: Any) -> socket.socket:
    try:
        sock.setblocking(False)
        problem = sock.connect_ex(address)
        if problem == errno.EINPROGRESS:
            await anyio.wait_writable(sock)
            problem = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if problem:
            raise OSError(problem, os.strerror(problem))
    except BaseException:  # also when the task is cancelled
        sock.close()
        raise
    return sock


async def connect_unix_async(
    sock: socket.socket, address: str, timeout: float | None
) -> socket.socket:
    """Connect a Unix socket.

    Raises:
        OSError: nobody listens there, or didn't answer in time.
    """
    with anyio.fail_after(timeout):
        return await _connected(sock, address)
