"""Running a server until a signal ends it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

from mphttp.proxy.server import Server

from ..interrupt import stoppable
from .listening import raise_limit


def serve(server: Server, sockets: Sequence[socket.socket]) -> None:
    """Serve until the process is told to stop.

    Raises:
        Stopped: by SIGTERM or SIGHUP.
        KeyboardInterrupt: by SIGINT.
    """
    raise_limit()
    with stoppable():
        asyncio.run(server.run(sockets))


def place(sock: socket.socket) -> str:
    """Write where a socket listens."""
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
