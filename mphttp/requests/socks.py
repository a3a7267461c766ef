"""SOCKS5 proxies: the leg to the proxy has several paths (the paper's introduction)."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Self

from requests.exceptions import InvalidSchema
from requests.utils import get_auth_from_url
from urllib3.util import parse_url

_MOST_BYTES = 4096


@dataclass(frozen=True)
class SocksProxy:
    """Where a SOCKS5 proxy is, and how it is to be asked.

    Args:
        address: name or IP address, and port.
        auth: user and password, or None.
        looks_up: whether it looks names up (socks5h), not we (socks5).
    """

    address: tuple[str, int]
    auth: tuple[bytes, bytes] | None
    looks_up: bool

    @classmethod
    def of(cls, url: str) -> Self:
        """Read a URL such as `socks5h://user:password@host:1080`.

        Raises:
            InvalidSchema: it is another kind of proxy, or the package socksio is missing.
        """
        parsed = parse_url(url)
        if parsed.scheme not in ("socks5", "socks5h") or parsed.host is None:
            raise InvalidSchema(f"only socks5:// and socks5h:// proxies are known, not {url}")
        try:
            import socksio  # noqa: F401  it is needed later, where no error of ours is expected
        except ImportError as error:
            words = "Missing dependencies for SOCKS support (hint: pip install 'mphttp[socks]')"
            raise InvalidSchema(words) from error
        user, password = (part.encode() for part in get_auth_from_url(url))
        address = (parsed.host.strip("[]"), parsed.port or 1080)
        return cls(address, (user, password) if user else None, parsed.scheme == "socks5h")

    def connect(self, sock: socket.socket, host: str, port: int) -> str:
        """Let the proxy connect to a host; return the name or address that it was asked for.

        Args:
            sock: connected to the proxy.
            host: name or IP address.
            port: TCP port.

        Raises:
            OSError: it doesn't.
        """
        from mphttp.network.dialogue import hold
        from mphttp.network.proxy import Refused, socks5

        if not self.looks_up:
            host = str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0])
        talk = socks5(host.encode("idna"), port, self.auth)
        try:
            hold(talk, lambda: sock.recv(_MOST_BYTES), sock.sendall)
        except Refused as error:
            raise OSError(f"SOCKS5: {error}") from error
        return host
