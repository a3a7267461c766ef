"""Servers on the loopback interface that answer as a test has written it, and proxies to them."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mphttp.network.dial import multipath_socket


def listening(*, multipath: bool = True) -> socket.socket:
    """Listen on a free port; to plain TCP alone if wanted."""
    sock = multipath_socket(socket.AF_INET) if multipath else socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    return sock


class Service:
    """Gives each connection to a function, in a thread of its own, until it is closed.

    Args:
        serve: what is done with a connection, which is closed after it.
        multipath: whether it speaks MPTCP.
        listener: takes connections, or None for a new one.

    Attributes:
        connections: how many there have been.
        url: where it is, if it speaks HTTP without TLS.
    """

    def __init__(
        self,
        serve: Callable[[socket.socket], None],
        *,
        multipath: bool = True,
        listener: socket.socket | None = None,
    ) -> None:
        self.connections = 0
        self._serve = serve
        self._listener = listening(multipath=multipath) if listener is None else listener
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self.connections += 1
                self._open.add(sock)
                thread = threading.Thread(target=self._run, args=(sock,))
                self._threads.append(thread)
                thread.start()

    def _run(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError), sock:
            self._serve(sock)
        self._open.discard(sock)

    def close(self) -> None:
        """End it, and every connection."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()  # no more connections come
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()


def under_tls(sock: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Do the server's handshake.

    Raises:
        ConnectionError: the client went away before it, for which Python has no error.
        ssl.SSLError: the handshake failed.
    """
    tls = context.wrap_socket(sock, server_side=True)
    if tls.version() is None:
        tls.close()
        raise ConnectionError("the client went away")
    return tls


def pour(sock: socket.socket, data: bytes) -> int:
    """Send it again and again until the client leaves, reading what it says; return how much.

    Whoever only sends may wait for long: no reset need follow a client's FIN.
    """
    poll = select.poll()
    poll.register(sock, select.POLLIN | select.POLLOUT)
    left, sent = data, 0
    sock.setblocking(False)
    with contextlib.suppress(ConnectionError):
        while True:
            ((_, ready),) = poll.poll()
            if ready & ~select.POLLOUT and not sock.recv(1 << 16):
                break
            if ready & select.POLLOUT:
                taken = sock.send(left)
                sent += taken
                left = left[taken:] or data
    return sent


def head_of(sock: socket.socket) -> bytes:
    """Read a request without a body, b"" at the end."""
    head = b""
    while b"\r\n\r\n" not in head:
        if not (came := sock.recv(65536)):
            return b""
        head += came
    return head


class Server(Service):
    """Answers requests one after the other with the bytes given, the last for all that follow.

    A connection stays open unless the answer's head says that it closes.

    Attributes:
        heads: of the requests, as they came.
        resets: connections that the client reset, or closed in the middle of an answer.
    """

    def __init__(
        self, *answers: bytes, context: ssl.SSLContext | None = None, **options: Any
    ) -> None:
        self.heads: list[bytes] = []
        self._answers: Sequence[bytes] = answers
        self._context = context
        super().__init__(self._converse, **options)
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.port}/"

    def _converse(self, sock: socket.socket) -> None:
        if self._context is not None:
            sock = under_tls(sock, self._context)
        with sock, sock.makefile("rb") as lines:
            while head := b"".join(_head(lines.readline)):
                answer = self._answers[min(len(self.heads), len(self._answers) - 1)]
                self.heads.append(head)
                sock.sendall(answer)
                if b"Connection: close" in answer:
                    break
            if isinstance(sock, ssl.SSLSocket):
                sock.setblocking(False)
                with contextlib.suppress(ssl.SSLWantReadError):  # nobody waits for the other's word
                    sock.unwrap()


def _head(readline: Callable[[], bytes]) -> Iterator[bytes]:
    while (line := readline()).strip():
        yield line


class Proxy(Service):
    """Connects to where it is asked: an HTTP proxy (CONNECT), and a SOCKS5 proxy by the same port.

    Args:
        user: who may use SOCKS5, with any password; everybody if empty.
        slow: whether SOCKS5 is answered a byte at a time.
        context: for TLS to the proxy, or None.

    Attributes:
        asked: hosts and ports, as they were asked for.
    """

    def __init__(
        self, *, user: bytes = b"", slow: bool = False, context: ssl.SSLContext | None = None
    ) -> None:
        self.asked: list[tuple[str, int]] = []
        self._user = user
        self._slow = slow
        self._context = context
        super().__init__(self._converse)
        self.address = f"127.0.0.1:{self.port}"

    def _converse(self, sock: socket.socket) -> None:
        if self._context is not None:
            sock = under_tls(sock, self._context)
        elif sock.recv(1, socket.MSG_PEEK) == b"\x05":
            self._tunnel(sock, self._socks(sock))
            return
        self._tunnel(sock, self._connect(sock))

    def _tunnel(self, sock: socket.socket, target: tuple[str, int] | None) -> None:
        if target is None:
            return
        self.asked.append(target)
        with sock, socket.create_connection(("127.0.0.1", target[1])) as other:
            back = threading.Thread(target=_copy, args=(other, sock))
            back.start()
            _copy(sock, other)
            back.join()

    def _connect(self, sock: socket.socket) -> tuple[str, int]:
        with sock.makefile("rb", buffering=0) as lines:
            head = list(_head(lines.readline))
        host, _, port = head[0].split()[1].decode().rpartition(":")
        sock.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        return host, int(port)

    def _socks(self, sock: socket.socket) -> tuple[str, int] | None:
        """Talk as RFC 1928 and RFC 1929 have it; port 1 is nobody's."""
        _, count = _exactly(sock, 2)
        wanted = b"\x02" if self._user else b"\x00"
        known = wanted in _exactly(sock, count)
        self._say(sock, b"\x05" + (wanted if known else b"\xff"))
        if not known or (self._user and not self._knows(sock)):
            return None
        kind = _exactly(sock, 4)[3]
        name = _exactly(sock, {1: 4, 4: 16}.get(kind) or _exactly(sock, 1)[0])
        port = int.from_bytes(_exactly(sock, 2), "big")
        self._say(sock, (b"\x05\x05" if port == 1 else b"\x05\x00") + b"\x00\x01" + bytes(6))
        family = socket.AF_INET6 if kind == 4 else socket.AF_INET
        text = name.decode() if kind == 3 else socket.inet_ntop(family, name)
        return None if port == 1 else (text, port)

    def _knows(self, sock: socket.socket) -> bool:
        known = _exactly(sock, _exactly(sock, 2)[1]) == self._user
        _exactly(sock, _exactly(sock, 1)[0])
        self._say(sock, b"\x01\x00" if known else b"\x01\x01")
        return known

    def _say(self, sock: socket.socket, words: bytes) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for word in [bytes([byte]) for byte in words] if self._slow else [words]:
            sock.sendall(word)


def _exactly(sock: socket.socket, length: int) -> bytes:
    came = sock.recv(length, socket.MSG_WAITALL)
    if len(came) < length:
        raise ConnectionError("the client went away")
    return came


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while came := source.recv(65536):
            sink.sendall(came)
    for sock in (source, sink):
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def answer(body: bytes = b"", *lines: str, status: str = "200 OK") -> bytes:
    """Make an answer with a Content-Length."""
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *lines])
    return head.encode() + b"\r\n\r\n" + body


def chunked(*chunks: bytes, trailers: bytes = b"") -> bytes:
    """Make an answer in chunks."""
    parts = [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks if chunk]
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(parts) + b"0\r\n" + trailers + b"\r\n"


def until_closed(body: bytes) -> bytes:
    """Make an answer that ends with the connection."""
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body


Talk = Callable[[socket.socket], None]
"""What a server does with a connection."""

Start = Callable[[Talk], Service]
Keep = Callable[[Any], Any]
"""Fixtures: start a server that ends with the test; close something then."""
