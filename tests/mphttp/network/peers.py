"""Peers that make connecting hard: dead addresses, silent or slow ones, and proxies that forge."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.mphttp.requests.servers import Proxy, Service, under_tls

FORGED = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nforged"


class Forger(Proxy):
    """Sends an answer of its own to what it can't read, and is honest from then on.

    Args:
        after_hello: whether it waits for TLS to begin, or sends it with its own answer.
        context: for TLS to the proxy, or None.
    """

    def __init__(self, *, after_hello: bool, context: ssl.SSLContext | None = None) -> None:
        self._early = b"" if after_hello else FORGED
        self._late = FORGED if after_hello else b""
        super().__init__(context=context)

    def _connect(self, sock: socket.socket) -> tuple[str, int]:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            if not (came := sock.recv(1)):
                raise ConnectionError("the client went away")
            head += came
        host, _, port = head.split()[1].decode().rpartition(":")
        sock.sendall(b"HTTP/1.1 200 Connected\r\n\r\n" + self._early)
        return host, int(port)

    def _say(self, sock: socket.socket, words: bytes) -> None:
        granted = len(words) == 10  # its last word
        super()._say(sock, words + (self._early if granted else b""))

    def _tunnel(self, sock: socket.socket, target: tuple[str, int] | None) -> None:
        if self._late:
            first = sock.recv(1) if isinstance(sock, ssl.SSLSocket) else b""
            if not first:
                sock.recv(1, socket.MSG_PEEK)
            sock.sendall(self._late)
        super()._tunnel(sock, target)


HELLO_DONE = b"\x16\x03\x03\x40\x00"
"""The beginning of a record of 16 KiB, as a server's first in TLS may be."""


class Trickle(Service):
    """Begins to answer, and goes on a byte at a time, for 10 seconds; or says nothing at all.

    Args:
        begins: what it sends once something has come.
        more: what it sends then, again and again; nothing for silence.
        context: for TLS below all that, or None.

    Attributes:
        heard: set once a client has said something.
    """

    def __init__(
        self, begins: bytes, more: bytes, *, context: ssl.SSLContext | None = None
    ) -> None:
        self._begins, self._more, self._context = begins, more, context
        self._over, self.heard = threading.Event(), threading.Event()
        super().__init__(self._talk)

    def _talk(self, sock: socket.socket) -> None:
        if self._context is not None:
            sock = under_tls(sock, self._context)
        with sock:
            sock.recv(65536)
            self.heard.set()
            sock.sendall(self._begins)
            for _ in range(200):
                if self._over.wait(0.05):
                    return
                sock.sendall(self._more)

    def close(self) -> None:
        self._over.set()
        super().close()


STAGES: dict[str, tuple[str, bytes, bytes, bool]] = {
    "trickling TLS": ("direct", HELLO_DONE, b"\0", False),
    "silent proxy": ("http", b"", b"", False),
    "trickling proxy": ("http", b"HTTP/1.1 200 ", b"O", False),
    "trickling SOCKS": ("socks5", b"\x05\x00" + b"\x05\x00\x00\x03\xff", b"a", False),
    "trickling TLS proxy": ("https", b"HTTP/1.1 200 ", b"O", True),
    "trickling TLS in TLS": ("https", b"HTTP/1.1 200 OK\r\n\r\n", b"\x16\x03\x03\x40\x00", True),
}
"""Where connecting hangs: the way there, what the peer begins with and goes on with, TLS below."""


@contextlib.contextmanager
def half_dead(monkeypatch: pytest.MonkeyPatch, *, dead: int = 1) -> Iterator[str]:
    """Give a URL whose host has so many dead addresses, and then one that answers."""
    with contextlib.ExitStack() as stack:
        answers = Service(_answer)
        stack.callback(answers.close)
        hosts = [f"127.0.0.{n}" for n in range(2, 2 + dead)]
        for host in hosts:
            full = stack.enter_context(socket.create_server((host, answers.port), backlog=0))
            stack.enter_context(socket.create_connection(full.getsockname()))
        named(monkeypatch, {"half.example": [*hosts, "127.0.0.1"]})
        yield f"http://half.example:{answers.port}/"


def _answer(sock: socket.socket) -> None:
    if sock.recv(65536):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc")


def named(monkeypatch: pytest.MonkeyPatch, names: dict[str, list[str]]) -> None:
    """Give names of hosts their addresses."""
    real: Callable[..., Any] = socket.getaddrinfo

    def getaddrinfo(host: str, *rest: Any, **more: Any) -> Any:
        found = names.get(host.removesuffix("."), [host])
        return [entry for address in found for entry in real(address, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@contextlib.contextmanager
def silent_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Give a host's name for which no name server has an answer while the block lasts."""
    over = threading.Event()
    real: Callable[..., Any] = socket.getaddrinfo

    def getaddrinfo(host: str, *rest: Any, **more: Any) -> Any:
        if host == "silent.example":
            over.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return real(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    try:
        yield "silent.example"
    finally:
        over.set()
        for thread in threading.enumerate():
            if thread.name == "mphttp-resolve":
                thread.join()
