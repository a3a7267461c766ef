"""A proxy in this process, on loopback, and peers for it to talk to."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from socksio import socks5

from mphttp.proxy.limits import Limits
from mphttp.proxy.server import Server
from mphttp.proxy.target import Target
from mphttp.proxy.users import Users
from mphttp.proxy.way_out import WayOut
from mphttp.report import Report
from mphttp.strategies import Strategy
from mphttp.tunnel import Upstream, Ways

PATIENCE = 20.0
"""Seconds after which what must happen counts as never happening."""


@dataclass
class Running:
    """A proxy that runs.

    Attributes:
        port: where it listens, on 127.0.0.1.
        server: the proxy.
        lines: what it has logged.
        reports: of the tunnels that have ended.
    """

    port: int
    server: Server
    lines: list[str] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)

    def connect(self) -> socket.socket:
        """Connect to it."""
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE)

    def socks(self, host: str, port: int) -> socket.socket:
        """Connect through it by SOCKS5.

        Raises:
            ConnectionError: it refused; the code is the second argument.
        """
        sock = self.connect()
        sock.sendall(b"\x05\x01\x00")
        assert exactly(sock, 2) == b"\x05\x00"
        command = socks5.SOCKS5Command.CONNECT
        sock.sendall(socks5.SOCKS5CommandRequest.from_address(command, (host, port)).dumps())
        answer = exactly(sock, 4)
        exactly(sock, {1: 4, 4: 16}[answer[3]] + 2)
        if answer[1]:
            sock.close()
            raise ConnectionError("refused", answer[1])
        return sock

    def tunnel(self, target: str) -> socket.socket:
        """Connect through it by CONNECT.

        Raises:
            ConnectionError: it refused; the status is the second argument.
        """
        sock = self.connect()
        sock.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        status = int(head(sock).split()[1])
        if status != 200:
            sock.close()
            raise ConnectionError("refused", status)
        return sock

    def empty(self) -> bool:
        """Tell whether nobody is connected."""
        return self.server._clients.count == 0


@contextmanager
def running(
    strategy: Strategy | None = None,
    limits: Limits | None = None,
    *,
    users: Users | None = None,
    fixed: Target | None = None,
    upstream: Upstream | None = None,
) -> Iterator[Running]:
    """Run a proxy while the block runs; nothing of it may be left."""
    lines: list[str] = []
    reports: list[Report] = []
    way_out = WayOut(lambda _: strategy, Ways(upstream=upstream))
    server = Server(
        way_out, limits, users=users, fixed=fixed, log=lines.append, told=reports.append
    )
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    async def main(listener: socket.socket) -> None:
        serving = asyncio.ensure_future(server.run([listener]))
        await stop.wait()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=loop.run_until_complete, args=(main(listener),))
        thread.start()
        try:
            yield Running(port, server, lines, reports)
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(PATIENCE)
            loop.close()
    assert not [line for line in lines if "mphttp itself" in line], lines


@contextmanager
def peer(serve: Callable[[socket.socket], object], count: int = 1, **more: Any) -> Iterator[int]:
    """Serve so many connections, one after the other, in a thread; give the port."""
    with socket.create_server(("127.0.0.1", 0), **more) as listener:

        def run() -> None:
            for _ in range(count):
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                with sock:
                    sock.settimeout(PATIENCE)
                    serve(sock)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(PATIENCE)


def echo(sock: socket.socket) -> None:
    """Send back what comes, and then say that this was all."""
    while data := sock.recv(65536):
        sock.sendall(data)


def exactly(sock: socket.socket, count: int) -> bytes:
    """Read so many bytes."""
    data = b""
    while len(data) < count:
        came = sock.recv(count - len(data))
        assert came, f"the end after {data!r}"
        data += came
    return data


def everything(sock: socket.socket) -> bytes:
    """Read to the end."""
    data = bytearray()
    while came := sock.recv(65536):
        data += came
    return bytes(data)


def head(sock: socket.socket) -> bytes:
    """Read a message's head, and not a byte more."""
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        came = sock.recv(1)
        if not came:
            break
        data += came
    return data
