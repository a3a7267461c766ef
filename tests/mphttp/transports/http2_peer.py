"""The server's side of HTTP/2, frame by frame: it says what a test wants, when it wants it."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self, TypeVar

from hpack import Decoder, Encoder
from hyperframe.frame import (
    DataFrame,
    Frame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_LIMIT = 30  # seconds; a peer that waits for what doesn't come is a test that failed

F = TypeVar("F", bound=Frame)


class Peer:
    """One connection.

    Args:
        sock: accepted.
        number: of the connection, from 0.
        settings: those that the server begins with.
    """

    def __init__(self, sock: socket.socket, number: int, **settings: int) -> None:
        sock.settimeout(_LIMIT)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock, self.number = sock, number
        self._came = sock.makefile("rb")
        self._decoder = Decoder()
        self._encoder = Encoder()
        self._settings = settings

    def __enter__(self) -> Self:
        if self._came.read(len(_PREFACE)) != _PREFACE:
            raise EOFError  # it was given up before it began
        told = {getattr(SettingsFrame, name): value for name, value in self._settings.items()}
        self.say(SettingsFrame(settings=told))
        return self

    def __exit__(self, *_: object) -> None:
        self._came.close()

    def say(self, *frames: Frame | bytes) -> None:
        self.sock.sendall(b"".join(f if isinstance(f, bytes) else f.serialize() for f in frames))

    def read(self) -> Frame:
        """Return the next frame; EOFError where there is none."""
        head = self._came.read(9)
        if len(head) < 9:
            raise EOFError
        frame, length = Frame.parse_frame_header(memoryview(head))
        frame.parse_body(memoryview(self._came.read(length)))
        return frame

    def until(self, kind: type[F], stream: int | None = None) -> F:
        """Read up to the next frame of a kind."""
        while True:
            frame = self.read()
            if isinstance(frame, kind) and stream in (None, frame.stream_id):
                return frame

    def request(self) -> tuple[int, dict[bytes, bytes]]:
        """Read up to the next request's head; return its stream and fields."""
        frame = self.until(HeadersFrame)
        return frame.stream_id, dict(self._decoder.decode(frame.data, raw=True))

    def body(self, stream: int) -> bytes:
        """Read a request's body, letting more of it come."""
        parts: list[bytes] = []  # to add each to all before it costs seconds for some megabytes
        while True:
            frame = self.until(DataFrame, stream)
            parts.append(frame.data)
            if "END_STREAM" in frame.flags:
                return b"".join(parts)
            more = len(frame.data)
            self.say(WindowUpdateFrame(0, more), WindowUpdateFrame(stream, more))

    def heard(self) -> None:
        """Wait until the client has taken in all that was said."""
        self.say(PingFrame(opaque_data=b"heard?"))
        while "ACK" not in self.until(PingFrame).flags:
            pass

    def reset(self, stream: int) -> int:
        """Wait until the client breaks a stream off; return why."""
        return self.until(RstStreamFrame, stream).error_code

    def head(
        self, stream: int, *fields: tuple[bytes, bytes], end: bool = False, status: bytes = b"200"
    ) -> HeadersFrame:
        return self.section(stream, (b":status", status), *fields, end=end)

    def section(self, stream: int, *fields: tuple[bytes, bytes], end: bool = False) -> HeadersFrame:
        flags = ["END_HEADERS", *["END_STREAM"] * end]
        return HeadersFrame(stream, self._encoder.encode(fields), flags=flags)

    def answer(self, stream: int, body: bytes) -> None:
        self.say(self.head(stream), data(stream, body, end=True))


def data(stream: int, body: bytes = b"", *, end: bool = False, padding: int | None = None) -> Frame:
    flags = ["END_STREAM"] * end + ["PADDED"] * (padding is not None)
    return DataFrame(stream, body, pad_length=padding or 0, flags=flags)


Handler = Callable[[Peer], object]


@contextmanager
def serving(handler: Handler, *, protocol: int = 0, **settings: int) -> Iterator[str]:
    """Let a function serve each connection, in a thread of its own, until the client ends it."""
    failures: list[BaseException] = []
    threads: list[threading.Thread] = []

    def serve(sock: socket.socket, number: int) -> None:
        with sock, suppress(EOFError, ConnectionError, struct.error):
            try:
                with Peer(sock, number, **settings) as peer:
                    handler(peer)
                    while sock.recv(1 << 16):  # so that nothing unread resets what was said
                        pass
            except (EOFError, ConnectionError):
                raise
            except BaseException as failure:
                failures.append(failure)
                raise

    def accept(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                sock, _ = listener.accept()
                arguments: Any = (sock, len(threads))
                threads.append(threading.Thread(target=serve, args=arguments, daemon=True))
                threads[-1].start()

    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=accept, args=(listener,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(_LIMIT)
    for thread in threads:
        thread.join(_LIMIT)
    assert not failures, failures
