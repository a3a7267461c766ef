"""Where a client wants to go: a host and a port, as they may stand in requests. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

_NAME = re.compile(rb"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
_ADDRESS = re.compile(rb"[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.-]+)?")
_AUTHORITY = re.compile(rb"(?:\[([^\]]*)\]|([^:\[\]]*))(?::([0-9]{1,5}))?")
_LONGEST = 255


class Target(NamedTuple):
    """A host and a port.

    Args:
        host: a name or an IP address.
        port: TCP port.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def checked_host(host: bytes) -> str:
    """Return a host that others can be asked for.

    Raises:
        ValueError: it is none; names beyond ASCII come in their ASCII form (RFC 5890).
    """
    pattern = _ADDRESS if b":" in host else _NAME
    if len(host) > _LONGEST or not pattern.fullmatch(host):
        raise ValueError("that is no name of a host, and no address")
    return host.decode("ascii")


def authority(text: bytes, default_port: int | None = None) -> Target:
    """Read HOST:PORT, with brackets around an IPv6 address (RFC 3986, section 3.2).

    Args:
        text: as it stands in a request.
        default_port: stands for one that lacks; None asks for it.

    Raises:
        ValueError: it is none.
    """
    found = _AUTHORITY.fullmatch(text)
    if found is None or (found[1] is not None and b":" not in found[1]):
        raise ValueError("that is no HOST:PORT")
    host = checked_host(found[2] if found[1] is None else found[1])
    port = default_port if found[3] is None else int(found[3])
    if port is None or not 1 <= port <= 65535:
        raise ValueError("a port of 1 to 65535 is wanted")
    return Target(host, port)


def absolute(text: bytes) -> tuple[Target, bytes]:
    """Read the absolute form of a request's target (RFC 9112, section 3.2.2).

    Returns:
        Where it leads, and its origin form.

    Raises:
        ValueError: it is none, or no http:// one.
    """
    scheme, separator, rest = text.partition(b"://")
    if not separator or scheme.lower() != b"http":
        raise ValueError("only http:// is forwarded; for others, ask with CONNECT")
    cut = min((rest.find(sign) for sign in b"/?#" if sign in rest), default=len(rest))
    place, path = rest[:cut], rest[cut:]
    if b"@" in place:  # RFC 9110, section 4.2.4
        raise ValueError("a user has no place in a request's target")
    path = path.partition(b"#")[0]
    return authority(place, 80), path if path.startswith(b"/") else b"/" + path
