"""Connecting without blocking an event loop.

asyncio can't connect a socket of protocol 262 by itself: it asks `getaddrinfo` for that protocol,
which doesn't know it (Python 3.11 to 3.13).
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable

import anyio

from .candidates import Candidates
from .dial import attempts
from .hosts import SYSTEM, Hosts
from .resolve import Lookup, look_up_at_once
from .socket_types import Address, Found, SocketOption
from .start import Start
from .time_limit import TimeLimit


async def dial_async(
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
    """Do as `dial` does.

    Raises:
        OSError: no address answered; the error is the last one's.
    """
    found = await look_up_async(host, port, limit, hosts)
    candidates = Candidates(host, found, None if local_address else start)
    return await connect_async(
        candidates, limit=limit, local_address=local_address, options=options, plain=plain
    )


async def connect_async(
    candidates: Candidates,
    *,
    limit: TimeLimit,
    local_address: str | None = None,
    options: Iterable[SocketOption] = (),
    plain: bool = False,
) -> socket.socket:
    """Connect to the first of some addresses that answers; the arguments are those of `dial`.

    Raises:
        OSError: no address answered; the error is the last one's.
    """
    with attempts(candidates, local_address, options, plain=plain) as under_way:
        while (sock := under_way.step()) is None:
            with anyio.move_on_after(under_way.pause(limit)):
                await anyio.wait_readable(under_way)
        return sock


async def look_up_async(host: str, port: int, limit: TimeLimit, hosts: Hosts = SYSTEM) -> Found:
    """Do as `look_up` does.

    Raises:
        OSError: there is no such name or port, nobody to ask, or no answer in time.
    """
    at_once = look_up_at_once(host, port, hosts)
    if at_once is not None:
        return at_once
    with Lookup(host, port) as lookup:
        with anyio.move_on_after(limit.require()) as waiting:
            await anyio.wait_readable(lookup)
        if waiting.cancelled_caught:
            raise TimeoutError(f"the name {host} could not be resolved in time")
        return hosts.of_family(host, lookup.found)


async def connect_unix_async(sock: socket.socket, address: str, limit: TimeLimit) -> socket.socket:
    """Connect a Unix socket.

    Raises:
        OSError: nobody listens there, or didn't answer in time.
    """
    with anyio.fail_after(limit.left()):
        return await _connected(sock, address)


async def _connected(sock: socket.socket, address: str | Address) -> socket.socket:
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
