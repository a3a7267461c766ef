"""The lab's origin server: any size, known checksums, ranges, and faults on request.

GET /bytes/N            N bytes with Content-Length, ETag, Repr-Digest; single ranges
GET /chunked/N          the same bytes without Content-Length
GET /slow/N?rate=R      the same bytes, R of them a second
GET /abort/N?at=K       claims N bytes and resets the connection after K
POST /echo              the SHA-256 of what was sent, in hexadecimal
GET /status             counters, as JSON
"""

from __future__ import annotations

import socket
import ssl
import sys
import threading
from http.server import ThreadingHTTPServer
from typing import Any

from .handler import IDLE, Handler


class Status:
    """What `/status` tells, counted over all listeners."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = {"connections": 0, "requests": 0}

    def count(self, what: str) -> None:
        """Add one connection or request."""
        with self._lock:
            self._counts[what] += 1

    def read(self) -> dict[str, int]:
        """Return the counts."""
        with self._lock:
            return dict(self._counts)


class Origin(ThreadingHTTPServer):
    """Serves one listening socket, a thread for each connection.

    Args:
        listener: bound and listening; its protocol decides between MPTCP and plain TCP.
        status: counters, shared by all listeners.
        context: for TLS, or None.
    """

    daemon_threads = True

    def __init__(
        self, listener: socket.socket, status: Status, context: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(listener.getsockname()[:2], Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.status = status
        self._context = context

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in its thread, where a slow TLS handshake delays nobody else."""
        self.status.count("connections")
        if self._context is None:
            super().finish_request(request, client_address)
            return
        request.settimeout(IDLE)
        with self._context.wrap_socket(request, server_side=True) as wrapped:
            super().finish_request(wrapped, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report what isn't a client's doing; cut links and leaving clients are everyday life."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def serve(plain: list[socket.socket], secure: list[socket.socket], certificate: str) -> None:
    """Serve all listening sockets until the process ends.

    Args:
        plain: listening sockets for HTTP.
        secure: listening sockets for HTTPS.
        certificate: path of a PEM file with key and chain.
    """
    status = Status()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    origins = [Origin(listener, status) for listener in plain]
    origins += [Origin(listener, status, context) for listener in secure]
    threads = [threading.Thread(target=origin.serve_forever) for origin in origins]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _sockets(numbers: str) -> list[socket.socket]:
    return [socket.socket(fileno=int(number)) for number in numbers.split(",") if number]


if __name__ == "__main__":
    serve(_sockets(sys.argv[1]), _sockets(sys.argv[2]), sys.argv[3])
