"""A server whose objects change at any time: `python -m tests.lab.versions ADDRESS PORT SEED`.

GET /N/NAME    N bytes, of whichever version there is now; now and then a new one is put in place

Some requests for parts are answered as by a replica that isn't up to date, or by one that has never
heard of If-Range; some are refused for a second, broken off, or the last of their connection.
"""

from __future__ import annotations

import random
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from mphttp.lab.content import blocks
from mphttp.lab.ranges import choose

_NEW_VERSION = 0.04
_FAULTS = {"lagging": 0.05, "deaf": 0.05, "busy": 0.03, "broken": 0.1, "last": 0.1, "": 0.67}
"""What befalls a request for a part, and how often."""


def content(size: int, version: int, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
    """Give bytes of a version; none of them is the same in another one."""
    table = bytes((byte + version) % 256 for byte in range(256))
    return (block.translate(table) for block in blocks(size, start, stop))


@lru_cache(maxsize=1000)
def digest(size: int, version: int) -> bytes:
    """Return the SHA-256 of a version."""
    told = sha256()
    for block in content(size, version):
        told.update(block)
    return told.digest()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    disable_nagle_algorithm = True
    versions: ClassVar[Counter[str]] = Counter()
    choice: ClassVar[random.Random] = random.Random()
    lock: ClassVar[threading.Lock] = threading.Lock()

    def do_GET(self) -> None:
        size = int(self.path.split("/")[1])
        with self.lock:
            self.versions[self.path] += self.choice.random() < _NEW_VERSION
            version = self.versions[self.path] % 256
            fault = self.choice.choices([*_FAULTS], [*_FAULTS.values()])[0]
            cut = self.choice.random()
        if "If-Range" not in self.headers:
            fault = ""
        if fault == "busy":
            self.answer(503, 0, {"Retry-After": "1"})
            return
        if fault == "lagging":
            version = (version - 1) % 256
        tag = f'"{version}"'
        told = self.headers.get("If-Range", tag)
        part = choose(self.headers.get("Range"), size) if told == tag or fault == "deaf" else None
        self.close_connection = self.close_connection or fault == "last"
        headers = {"ETag": tag, "Accept-Ranges": "bytes"}
        if part is None:
            part = range(size)
            self.answer(200, size, headers)
        else:
            headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
            self.answer(206, len(part), headers)
        stop = part.stop
        if fault == "broken":
            self.close_connection, stop = True, part.start + int(len(part) * cut)
        for block in content(size, version, part.start, stop):
            self.wfile.write(block)

    def answer(self, status: int, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(length), **headers}.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Report what isn't a client's doing, or a cut link's."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


if __name__ == "__main__":
    Handler.choice.seed(int(sys.argv[3]))
    Server((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
