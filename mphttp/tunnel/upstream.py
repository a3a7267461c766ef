"""Another proxy on the way: the paths lead to it where servers have no Multipath TCP."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote_to_bytes, urlsplit

from mphttp.network.dialogue import Dialogue
from mphttp.network.names import to_dial, without_zone
from mphttp.network.proxy import basic_authorization, connect, socks5

_PORTS = {"http": 80, "socks5": 1080, "socks5h": 1080}


@dataclass(frozen=True)
class Upstream:
    """A proxy that is asked for each connection.

    Args:
        scheme: "http", "socks5" (names are looked up here) or "socks5h" (there).
        host: a name or an IP address.
        port: TCP port.
        auth: user and password, or None.
    """

    scheme: str
    host: str
    port: int
    auth: tuple[bytes, bytes] | None = None

    @classmethod
    def of(cls, url: str) -> Upstream:
        """Read the URL of a proxy; without a scheme it is http.

        Raises:
            ValueError: it is none; the words tell no password.
        """
        parts = urlsplit(url if "://" in url else f"http://{url}")
        scheme = {"socks": "socks5h"}.get(parts.scheme, parts.scheme)
        if scheme not in _PORTS:
            raise ValueError(f"a proxy of scheme {scheme!r} isn't known here: {', '.join(_PORTS)}")
        try:
            port = parts.port or _PORTS[scheme]
        except ValueError:
            raise ValueError("the proxy's port is none of 1 to 65535") from None
        if not parts.hostname or parts.path not in ("", "/") or parts.query or parts.fragment:
            raise ValueError(f"a proxy is {scheme}://HOST:PORT")
        auth = None
        if parts.username is not None:
            auth = unquote_to_bytes(parts.username), unquote_to_bytes(parts.password or "")
        return cls(scheme, to_dial(parts.hostname), port, auth)

    @property
    def looks_names_up(self) -> bool:
        """Whether names are looked up there."""
        return self.scheme != "socks5"

    def ask(self, host: str, port: int) -> Dialogue[bytes]:
        """Return what is to be said to it; what comes of that is what the other end said already.

        Args:
            host: a name or an IP address.
            port: TCP port.
        """
        target = without_zone(host).encode("ascii")
        if self.scheme == "http":
            return connect(target, port, [basic_authorization(*self.auth)] if self.auth else [])
        return socks5(target, port, self.auth)
