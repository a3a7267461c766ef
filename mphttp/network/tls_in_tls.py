"""TLS to a server inside the TLS to an https:// proxy, which an SSLSocket can't do."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import TypeVar

from .dialogue import Dialogue
from .tls import Hello, is_cut

T = TypeVar("T")


class InnerTLS:
    """The inner of two layers, as dialogues over the outer one.

    Args:
        hello: how the handshake begins.

    Attributes:
        cut: whether the connection ended without the inner layer's word for it.
    """

    def __init__(self, hello: Hello) -> None:
        self.cut = False
        self._come = ssl.MemoryBIO()
        self._to_send = ssl.MemoryBIO()
        self.ssl_object = hello.in_memory(self._come, self._to_send)

    def handshake(self) -> Dialogue[None]:
        """Say hello and verify.

        Raises:
            ssl.SSLError: the peer isn't who it should be, or speaks no TLS.
        """
        return self._until_done(self.ssl_object.do_handshake)

    def read(self, max_bytes: int) -> Dialogue[bytes]:
        """Return what comes next, in clear; b"" at the end."""
        try:
            return (yield from self._until_done(lambda: self.ssl_object.read(max_bytes)))
        except ssl.SSLError as error:
            if not is_cut(error):
                raise
            self.cut = True
            return b""

    @property
    def unread(self) -> bool:
        """Whether something came that was not read."""
        return bool(self._come.pending or self.ssl_object.pending())

    def write(self, data: bytes) -> Dialogue[int]:
        """Send in secret."""
        return self._until_done(lambda: self.ssl_object.write(data))

    def _until_done(self, operation: Callable[[], T]) -> Dialogue[T]:
        while True:
            try:
                outcome = operation()
            except ssl.SSLWantReadError:
                yield from self._flush()
                came = yield None
                if came:
                    self._come.write(came)
                else:
                    self._come.write_eof()
            else:
                yield from self._flush()
                return outcome

    def _flush(self) -> Dialogue[None]:
        if self._to_send.pending:
            yield self._to_send.read()
