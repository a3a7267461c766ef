"""What was said on a connection of urllib3's, for others that are to say the same."""

from __future__ import annotations

from collections.abc import Mapping

from urllib3.util import SKIP_HEADER

Field = tuple[bytes, bytes]


class Recorder:
    """Remembers where a connection leads, and how its last request was sent.

    Args:
        host: name or address of the server, as far as no proxy is asked for another.
        port: TCP port.

    Attributes:
        proxy_headers: what a proxy was told, where it was asked for a tunnel.
        target: of the request line.
        headers: as they were sent.
    """

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.proxy_headers: list[Field] = []
        self.target = ""
        self.headers: list[Field] = []

    def tunnel(self, host: str, port: int, headers: Mapping[str, str]) -> None:
        """Take whom a proxy is asked for, and what else it is told."""
        self.host, self.port = host, port
        told = [(_bytes(name), _bytes(value)) for name, value in headers.items()]
        self.proxy_headers = [field for field in told if field[0].lower() != b"host"]

    def begin(self, target: str) -> None:
        """Record that a request is being sent."""
        self.target, self.headers = target, []

    def field(self, name: str | bytes, values: tuple[str | bytes | int, ...]) -> None:
        """Take a header field, as `http.client` is given it."""
        if SKIP_HEADER not in values:
            self.headers.append((_bytes(name), b" ".join(_bytes(value) for value in values)))


def _bytes(words: str | bytes | int) -> bytes:
    """Write a name or a value as `http.client` does."""
    return words if isinstance(words, bytes) else str(words).encode("latin-1")
