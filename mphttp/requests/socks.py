"""SOCKS5 proxies: the leg to the proxy has several paths (the paper's introduction)."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Self

from requests.exceptions import InvalidProxyURL, InvalidSchema
from requests.utils import get_auth_from_url
from urllib3.util import parse_url

from mphttp.network.names import checked_port, in_ascii, one_line, without_zone
from mphttp.network.time_limit import TimeLimit

from .hurried import Hurried


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
            InvalidProxyURL: its port can't be, or there is a line break in the credentials.
        """
        parsed = parse_url(url)
        if parsed.scheme not in ("socks5", "socks5h") or parsed.host is None:
            kind = f"{parsed.scheme}://"  # the rest may have a password in it
            raise InvalidSchema(f"only socks5:// and socks5h:// proxies are known, not {kind}")
        try:
            import socksio  # noqa: F401  it is needed later, where no error of ours is expected
        except ImportError as error:
            words = "Missing dependencies for SOCKS support (hint: pip install 'mphttp[socks]')"
            raise InvalidSchema(words) from error
        user, password = get_auth_from_url(url)
        try:
            for words in (user, password):
                one_line(words, "a user or password for a proxy")
            port = checked_port(1080 if parsed.port is None else parsed.port)
        except ValueError as error:
            raise InvalidProxyURL(str(error)) from None
        address = (parsed.host.strip("[]"), port)
        auth = (user.encode(), password.encode()) if user else None
        return cls(address, auth, parsed.scheme == "socks5h")

    def connect(self, sock: socket.socket, host: str, port: int, limit: TimeLimit) -> str:
        """Let the proxy connect to a host; return the name or address that it was asked for.

        Args:
            sock: connected to the proxy.
            host: name or IP address.
            port: TCP port.
            limit: for how long to wait.

        Raises:
            OSError: it doesn't, or something came before we said anything to the host.
        """
        from mphttp.network.dialogue import hold
        from mphttp.network.proxy import Refused, socks5
        from mphttp.network.resolve import look_up
        from mphttp.network.tls import nothing_unread

        if not self.looks_up:
            host = str(look_up(host, port, limit)[0][4][0])
        host = without_zone(host)
        hurried = Hurried(sock, limit)
        try:
            rest = hold(socks5(in_ascii(host), port, self.auth), hurried.receive, hurried.sendall)
        except (Refused, ValueError) as error:
            raise OSError(f"SOCKS5: {error}") from error
        nothing_unread(sock, ahead=bool(rest))
        return host
