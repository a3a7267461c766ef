"""Origins on loopback that answer requests for parts as badly as one can think of.

    Origin(first, part)       each connection has a thread; `first` answers the request for the
                              whole, `part` those that carry If-Range

The first response stops at a quarter of its body until the test lets it go on (`gate`): so there is
no race between what it brings and what comes of the parts.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Self

from mphttp.lab.content import blocks

SIZE = 1_200_000
BODY = b"".join(blocks(SIZE))
OTHER = BODY[::-1]
QUARTER = SIZE // 4
TAG = '"one"'
PATIENCE = 20.0
"""Seconds after which a server gives up what it waits for: the test has failed long before."""


@dataclass(frozen=True)
class Asked:
    """A request.

    Args:
        connection: its number, from 1.
        target: of its request line.
        headers: by names in lower case.
        at: when it came, of `time.monotonic`.
    """

    connection: int
    target: str
    headers: dict[str, str]
    at: float

    @property
    def part(self) -> range:
        """The bytes that it asks for; all where it has no Range."""
        told = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range", ""))
        return range(int(told[1]), int(told[2]) + 1) if told else range(SIZE)


@dataclass
class Peer:
    """The other end of a connection."""

    origin: Origin
    sock: socket.socket
    tag: str = TAG
    body: bytes = field(default=BODY, repr=False)

    def head(self, status: int, *headers: str, version: str = "1.1") -> None:
        """Send the head of a response."""
        lines = (f"HTTP/{version} {status} So", *headers, "", "")
        self.sock.sendall("\r\n".join(lines).encode())

    def part_head(self, part: range, *headers: str, tag: str = "", version: str = "1.1") -> None:
        """Send the head of a right answer to a request for a part, and more."""
        told = f"bytes {part.start}-{part.stop - 1}/{SIZE}"
        own = (f"ETag: {tag or self.tag}", f"Content-Range: {told}", f"Content-Length: {len(part)}")
        self.head(206, *own, *headers, version=version)

    def send(self, part: range) -> None:
        """Send bytes of the body."""
        self.sock.sendall(self.body[part.start : part.stop])

    def end(self) -> None:
        """Send no more; what was sent arrives."""
        self.sock.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """Reset the connection."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.sock.detach())  # its own `close` waits for what was made of it

    def wait(self) -> None:
        """Wait until the test lets the first response go on."""
        self.origin.gate.wait(PATIENCE)

    def linger(self) -> None:
        """Say nothing more, until the other end is gone."""
        self.sock.settimeout(PATIENCE)
        with contextlib.suppress(OSError):
            while self.sock.recv(4096):
                """Requests that get no answer."""


Answer = Callable[[Peer, Asked], None]


def whole(peer: Peer, asked: Asked) -> None:
    """Send all, with a pause after a quarter of it."""
    whole_with(f"ETag: {TAG}", "Accept-Ranges: bytes")(peer, asked)


def whole_with(*headers: str, then: Callable[[Peer], None] | None = None) -> Answer:
    """Send all with these header fields, or a quarter of it, and then something else."""

    def answer(peer: Peer, asked: Asked) -> None:
        peer.head(200, f"Content-Length: {SIZE}", *headers)
        peer.send(range(QUARTER))
        peer.wait()
        if then is None:
            peer.send(range(QUARTER, SIZE))
        else:
            then(peer)

    return answer


def right(peer: Peer, asked: Asked) -> None:
    """Send the part that was asked for."""
    peer.part_head(asked.part)
    peer.send(asked.part)


class Origin:
    """A server on loopback; use it as a context manager.

    Args:
        first: answers requests for the whole.
        part: answers requests for parts.
        contexts: of TLS, for one connection after the other, the last for all that follow.
        listener: where it listens; None for a port of its own.

    Attributes:
        gate: lets the first response go on.
        asked: every request.
        connections: how many there were.
        most: how many there were at once.
    """

    def __init__(
        self,
        first: Answer = whole,
        part: Answer = right,
        *,
        contexts: tuple[ssl.SSLContext, ...] = (),
        listener: socket.socket | None = None,
    ) -> None:
        self.gate = threading.Event()
        self.asked: list[Asked] = []
        self.connections = 0
        self.most = 0
        self._answers = (first, part)
        self._contexts = contexts
        self._listener = listener or socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        scheme = "https" if self._contexts else "http"
        return f"{scheme}://localhost:{self.port}/"

    @property
    def parts(self) -> list[Asked]:
        """The requests for parts."""
        return [asked for asked in self.asked if "if-range" in asked.headers]

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for sock in list(self._open):
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self.connections += 1
                self._start(self._serve, sock, self.connections)

    def _serve(self, sock: socket.socket, number: int) -> None:
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            stack.enter_context(sock)
            if self._contexts:
                context = self._contexts[min(number, len(self._contexts)) - 1]
                sock = stack.enter_context(context.wrap_socket(sock, server_side=True))
            with self._lock:
                self._open.add(sock)
                self.most = max(self.most, len(self._open))
            stack.callback(self._gone, sock)
            peer = Peer(self, sock)
            with sock.makefile("rb") as lines:
                for target, headers in _requests(lines):
                    asked = Asked(number, target, headers, time.monotonic())
                    self.asked.append(asked)
                    self._answers["if-range" in headers](peer, asked)

    def _gone(self, sock: socket.socket) -> None:
        with self._lock:
            self._open.discard(sock)


def _requests(lines: Iterator[bytes]) -> Iterator[tuple[str, dict[str, str]]]:
    for request in lines:
        headers = {}
        for line in lines:
            name, colon, value = line.decode().partition(":")
            if not colon:
                break
            headers[name.lower()] = value.strip()
        yield request.split()[1].decode(), headers
