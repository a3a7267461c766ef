"""A server whose every byte is a test's own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Answer = Callable[[bytes, socket.socket], None]
"""Gets the head of a request, and the connection that it came on."""


@dataclass
class Raw:
    """What the server has seen.

    Attributes:
        url: without a path.
        heads: of all requests, as they came.
        connections: how many there were.
        over: set when the test is.
    """

    url: str
    heads: list[bytes] = field(default_factory=list)
    connections: int = 0
    over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def raw_server(answer: Answer) -> Iterator[Raw]:
    """Serve until the block ends; each connection has a thread of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        raw = Raw(f"http://127.0.0.1:{listener.getsockname()[1]}")
        open_now: list[socket.socket] = []
        acceptor = threading.Thread(target=_accept, args=(listener, raw, open_now, answer))
        acceptor.start()
        try:
            yield raw
        finally:
            raw.over.set()
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
            for connection in open_now:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
                connection.close()


def _accept(
    listener: socket.socket, raw: Raw, open_now: list[socket.socket], answer: Answer
) -> None:
    with suppress(OSError):  # the listener's end
        while True:
            connection, _ = listener.accept()
            raw.connections += 1
            open_now.append(connection)
            threading.Thread(target=_serve, args=(connection, raw, answer), daemon=True).start()


def _serve(connection: socket.socket, raw: Raw, answer: Answer) -> None:
    came = b""
    with suppress(OSError):
        while data := connection.recv(65536):
            came += data
            while b"\r\n\r\n" in came:
                head, _, came = came.partition(b"\r\n\r\n")
                raw.heads.append(head)
                answer(head, connection)


def whole(body: bytes, status: bytes = b"200 OK", *fields: bytes) -> bytes:
    """Return an answer with its length."""
    lines = [b"HTTP/1.1 " + status, *fields, b"Content-Length: %d" % len(body), b"", body]
    return b"\r\n".join(lines)
