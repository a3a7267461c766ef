"""Answers one connection's requests to the origin: content of any size, ranges, faults."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import socket
import struct
import termios
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from .content import MAX_SIZE, blocks, sha256_of
from .ranges import UnsatisfiableError, choose

if TYPE_CHECKING:
    from .origin import Origin

DIGEST_LIMIT = 2**30
"""Larger bodies come without Repr-Digest: hashing them would keep the first request waiting."""

IDLE = 60.0  # seconds after which a silent client loses its thread
_DRAIN = 30.0  # seconds that an abort waits for the bytes before it to be acknowledged


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    server_version = "mphttp-lab"
    sys_version = ""
    timeout = IDLE
    wbufsize = 64 * 1024  # headers and a small body leave in one segment
    disable_nagle_algorithm = True
    server: Origin

    def do_GET(self) -> None:
        self.server.status.count("requests")
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
        self.server.status.count("requests")
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
        self._send(json.dumps(self.server.status.read()).encode(), "application/json")

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


def _digest(size: int) -> dict[str, str]:
    """Return the field that lets a client check the whole body (RFC 9530, section 3)."""
    if size > DIGEST_LIMIT:
        return {}
    return {"Repr-Digest": f"sha-256=:{base64.b64encode(sha256_of(size)).decode()}:"}
