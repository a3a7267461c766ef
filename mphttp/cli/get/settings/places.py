"""Hosts and addresses as `--resolve` and `--connect-to` write them."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from mphttp.network.hosts import ANY_HOST, Instead

_HOST = r"(\[[^\]]+\]|[^:\[\]]+)"
_RESOLVE = re.compile(rf"([+-]?){_HOST}:([0-9]{{1,5}})(?::(.+))?", re.ASCII)
_PLACE = r"(\[[^\]]+\]|[^:\[\]]*):([0-9]{0,5})"
_CONNECT_TO = re.compile(f"{_PLACE}:{_PLACE}", re.ASCII)


class Known(NamedTuple):
    """A host whose addresses are known.

    Args:
        host: in lower case, without brackets; `ANY_HOST` is any.
        port: TCP port.
        addresses: IP addresses; () takes back what was said of it before.
    """

    host: str
    port: int
    addresses: tuple[str, ...]


def resolved(text: str) -> Known:
    """Read HOST:PORT:ADDRESS[,ADDRESS]..., or -HOST:PORT, which takes it back.

    Raises:
        ValueError: it is neither.
    """
    found = _RESOLVE.fullmatch(text)
    if found is None or (found[1] == "-") == (found[4] is not None):
        raise ValueError(f"{text!r} isn't HOST:PORT:ADDRESS, such as example.org:443:192.0.2.1")
    addresses = tuple(_address(word.strip()) for word in (found[4] or "").split(",") if word)
    return Known(_bare(found[2]) or ANY_HOST, _port(found[3]), addresses)


def connected_to(text: str) -> Instead:
    """Read HOST1:PORT1:HOST2:PORT2, each of which may be empty.

    Raises:
        ValueError: it is something else.
    """
    found = _CONNECT_TO.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} isn't HOST1:PORT1:HOST2:PORT2, such as ::[::1]:8080")
    host, port, to_host, to_port = found.groups()
    return Instead(_bare(host), _port(port), _bare(to_host), _port(to_port))


def _bare(host: str) -> str:
    return host.strip("[]").lower()


def _port(text: str) -> int:
    if int(text or 0) > 65535:
        raise ValueError(f"the port {text} is none of 1 to 65535")
    return int(text or 0)


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(_bare(text)))
    except ValueError:
        raise ValueError(f"{text!r} is no IP address") from None
