"""A proxy that knows CONNECT alone, and remembers what it was asked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Tunnel:
    """What it is, and was asked.

    Args:
        port: of it.
        asked: the heads that came.
        challenge: what whoever doesn't tell who asks is told.
        taken: what it wants to be told then.
    """

    port: int
    challenge: str = ""
    taken: str = ""
    asked: list[list[str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def tunnelling() -> Iterator[Tunnel]:
    server = socket.create_server(("127.0.0.1", 0))
    tunnel = Tunnel(server.getsockname()[1])

    def accept() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=_serve, args=(client, tunnel), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield tunnel
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


def _serve(client: socket.socket, tunnel: Tunnel) -> None:
    with client:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(1)
        lines = head.decode().split("\r\n")
        tunnel.asked.append([line for line in lines if line])
        told = [line for line in lines if line.startswith("Proxy-Authorization: ")]
        if tunnel.challenge and not (told and tunnel.taken in told[0]):
            fields = (
                f"Proxy-Authenticate: {tunnel.challenge}\r\nContent-Length: 2\r\nConnection: close"
            )
            client.sendall(f"HTTP/1.1 407 No\r\n{fields}\r\n\r\nno".encode())
            return
        host, _, port = lines[0].split()[1].rpartition(":")
        with socket.create_connection((host, int(port)), 5) as server:
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=_copy, args=(server, client), daemon=True)
            back.start()
            _copy(client, server)
            back.join(5)


def _copy(source: socket.socket, to: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            to.sendall(data)
        to.shutdown(socket.SHUT_WR)
    except OSError:
        pass
