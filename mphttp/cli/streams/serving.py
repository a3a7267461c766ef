"""Running a server until a signal ends it."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress

from mphttp.proxy.server import Server

from ..interrupt import Stopped
from .listening import raise_limit

_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def serve(server: Server, sockets: Sequence[socket.socket]) -> None:
    """Serve until the process is told to stop.

    Raises:
        Stopped: by SIGTERM or SIGHUP.
        KeyboardInterrupt: by SIGINT.
    """
    raise_limit()
    number = asyncio.run(_until_told(server, sockets))
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise Stopped(number)


async def _until_told(server: Server, sockets: Sequence[socket.socket]) -> int:
    """Serve; return the signal that has ended it.

    The event loop handles signals between two steps: raised in one, an exception would be one
    client's alone.
    """
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    caught: list[int] = []

    def stop(number: int) -> None:
        caught.append(number)
        told.set()

    for number in _ENDING:
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            loop.add_signal_handler(number, stop, number)
    serving = asyncio.ensure_future(server.run(sockets))
    waiting = asyncio.ensure_future(told.wait())
    await asyncio.wait((serving, waiting), return_when=asyncio.FIRST_COMPLETED)
    if not waiting.done():
        await serving  # which has failed
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving
    return caught[0]


def place(sock: socket.socket) -> str:
    """Write where a socket listens."""
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
