"""The lab's origin server: any size, known checksums, ranges, and faults on request.

GET /bytes/N            N bytes with Content-Length, ETag, Repr-Digest; single ranges
GET /chunked/N          the same bytes without Content-Length
GET /slow/N?rate=R      the same bytes, R of them a second
GET /abort/N?at=K       claims N bytes and resets the connection after K
POST /echo              the SHA-256 of what was sent, in hexadecimal
GET /status             counters, as JSON
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import socket
import ssl
import struct
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .content import MAX_SIZE, blocks, sha256_of
from .ranges import UnsatisfiableError, choose

DIGEST_LIMIT = 2**30
"""Larger bodies come without Repr-Digest: hashing them would keep the first request waiting."""

_IDLE = 60.0  # seconds after which a silent client loses its thread
_DRAIN = 30.0  # seconds that an abort waits for the bytes before it to be acknowledged


@dataclass(slots=True)
class Status:
    """What `/status` tells, counted over all listeners."""

    connections: int = 0
    requests: int = 0


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    timeout = _IDLE
    wbufsize = 64 * 1024  # headers and a small body leave in one segment
    disable_nagle_algorithm = True
    server: Origin

    def do_GET(self) -> None:
        self.server.count(requests=1)
        parts = urlsplit(self.path)
        place, _, number = parts.path.removeprefix("/").partition("/")
        answer = self._answers().get(place)
        if answer is None or (place != "status") != bool(number):
            self._refuse(
                404, "There is /bytes/N, /chunked/N, /slow/N, /abort/N, /echo and /status."
            )
            return
        try:
            query = {key: int(values[-1]) for key, values in parse_qs(parts.query).items()}
            size = int(number or 0)
            if not 0 <= size <= MAX_SIZE or any(value < 0 for value in query.values()):
                raise ValueError(f"Numbers go from 0 to {MAX_SIZE}.")
        except ValueError as error:
            self._refuse(400, str(error))
            return
        answer(size, query)

    do_HEAD = do_GET  # noqa: N815  http.server's name

    def do_POST(self) -> None:
        self.server.count(requests=1)
        if self.path != "/echo":
            self.close_connection = True  # the body stays unread
            self._refuse(404, "Only /echo takes a body.")
            return
        digest = hashlib.sha256()
        for piece in self._body():
            digest.update(piece)
        self._send(digest.hexdigest().encode(), "text/plain")

    do_PUT = do_POST  # noqa: N815  http.server's name

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing: standard error belongs to the command."""

    def _answers(self) -> dict[str, Callable[[int, dict[str, int]], None]]:
        return {
            "bytes": self._bytes,
            "chunked": self._chunked,
            "slow": self._slow,
            "abort": self._abort,
            "status": self._status,
        }

    def _bytes(self, size: int, _: dict[str, int]) -> None:
        tag = f'"bytes-{size}"'
        wanted = self.headers.get("Range")
        if self.headers.get("If-Range", tag) != tag:
            wanted = None
        try:
            part = choose(wanted, size)
        except UnsatisfiableError:
            self._begin(416, 0, {"Content-Range": f"bytes */{size}"})
            return
        more = {"ETag": tag, "Accept-Ranges": "bytes", **_digest(size)}
        if part is None:
            self._begin(200, size, more)
            self._write(blocks(size))
        else:
            more["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
            self._begin(206, len(part), more)
            self._write(blocks(size, part.start, part.stop))

    def _chunked(self, size: int, _: dict[str, int]) -> None:
        if self.request_version == "HTTP/1.0":
            self.close_connection = True
            self._begin(200, None, _digest(size))
            self._write(blocks(size))
            return
        self._begin(200, None, {"Transfer-Encoding": "chunked", **_digest(size)})
        self._write(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in blocks(size))
        self._write(iter([b"0\r\n\r\n"]))

    def _slow(self, size: int, query: dict[str, int]) -> None:
        rate = max(1, query.get("rate", 100_000))
        self._begin(200, size, _digest(size))
        began = time.monotonic()
        step = max(1, rate // 50)
        for start in range(0, size, step):
            time.sleep(max(0.0, began + start / rate - time.monotonic()))
            self._write(blocks(size, start, start + step))
            self.wfile.flush()

    def _abort(self, size: int, query: dict[str, int]) -> None:
        self._begin(200, size, {})
        self._write(blocks(size, 0, min(size, query.get("at", 0))))
        self.wfile.flush()
        self.close_connection = True
        reset(self.connection)

    def _status(self, _: int, __: dict[str, int]) -> None:
        self._send(json.dumps(asdict(self.server.status)).encode(), "application/json")

    def _send(self, body: bytes, kind: str) -> None:
        self._begin(200, len(body), {"Content-Type": kind})
        self._write(iter([body]))

    def _refuse(self, status: int, why: str) -> None:
        body = f"{why}\n".encode()
        self._begin(status, len(body), {"Content-Type": "text/plain"})
        self._write(iter([body]))

    def _begin(self, status: int, length: int | None, headers: dict[str, str]) -> None:
        """Send status and headers; no length means that the body says itself where it ends."""
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in ({"Content-Type": "application/octet-stream"} | headers).items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def _write(self, pieces: Iterator[bytes]) -> None:
        if self.command != "HEAD":
            for piece in pieces:
                self.wfile.write(piece)

    def _body(self) -> Iterator[bytes]:
        """Yield the request's body, by its length or chunk by chunk (RFC 9112, section 7.1)."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            yield from self._read(int(self.headers.get("Content-Length", 0)))
            return
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield from self._read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            """Trailers have no meaning here."""

    def _read(self, size: int) -> Iterator[bytes]:
        while size > 0:
            piece = self.rfile.read(min(size, 65536))
            if not piece:
                raise ConnectionError("The client went away within its body.")
            size -= len(piece)
            yield piece


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
        self._lock = threading.Lock()

    def count(self, *, requests: int = 0, connections: int = 0) -> None:
        """Add to the counters."""
        with self._lock:
            self.status.requests += requests
            self.status.connections += connections

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in its thread, where a slow TLS handshake delays nobody else."""
        self.count(connections=1)
        if self._context is None:
            super().finish_request(request, client_address)
            return
        request.settimeout(_IDLE)
        with self._context.wrap_socket(
            request, server_side=True, do_handshake_on_connect=False
        ) as wrapped:
            wrapped.do_handshake()
            super().finish_request(wrapped, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report what isn't a client's doing; cut links and clients that leave are everyday life."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def reset(connection: socket.socket) -> None:
    """Close with a reset, once the peer has acknowledged everything before it."""
    unsent = bytearray(4)
    end = time.monotonic() + _DRAIN
    while time.monotonic() < end:
        fcntl.ioctl(connection, termios.TIOCOUTQ, unsent)
        if not any(unsent):
            break
        time.sleep(0.001)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def serve(plain: list[socket.socket], secure: list[socket.socket], certificate: str | None) -> None:
    """Serve all listening sockets until the process ends.

    Args:
        plain: listening sockets for HTTP.
        secure: listening sockets for HTTPS.
        certificate: path of a PEM file with key and chain.
    """
    status = Status()
    origins = [Origin(listener, status) for listener in plain]
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        origins += [Origin(listener, status, context) for listener in secure]
    threads = [threading.Thread(target=origin.serve_forever) for origin in origins]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _digest(size: int) -> dict[str, str]:
    """Return the field that lets a client check the whole body (RFC 9530, section 3)."""
    if size > DIGEST_LIMIT:
        return {}
    return {"Repr-Digest": f"sha-256=:{base64.b64encode(sha256_of(size)).decode()}:"}


def _sockets(numbers: str) -> list[socket.socket]:
    return [socket.socket(fileno=int(number)) for number in numbers.split(",") if number]


if __name__ == "__main__":
    serve(_sockets(sys.argv[1]), _sockets(sys.argv[2]), sys.argv[3])
