"""Which paths reach a server, and what it answers there, told by real connections."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from mphttp.engine.paths import usable_paths
from mphttp.kernel import NotMultipath, Path, SocketAddress, capture
from mphttp.network.candidates import Candidate
from mphttp.network.dial import connect, unconnected
from mphttp.network.time_limit import TimeLimit as Wait

from .interrupt import TimeIsOver, time_limit

_ANSWER_WITHIN = 5.0
"""Seconds; several times what a handshake over a satellite takes."""
_OBJECT_WITHIN = 20.0
"""Seconds until the head of the object is there, after all redirects."""


@dataclass(frozen=True, slots=True)
class Reached:
    """What came of one connection.

    Args:
        path: where it left.
        remote: address and port of the server.
        protocol: "mptcp", "tcp", or None where there was no connection.
        error: why there was none, or "".
    """

    path: Path
    remote: SocketAddress
    protocol: str | None
    error: str = ""


def reach(found: Sequence[Any]) -> Iterator[Reached]:
    """Connect to a server over each path, to one address of each family.

    Args:
        found: its addresses, as `socket.getaddrinfo` has them.
    """
    first_of_family = {family: address for family, *_, address in reversed(found)}
    for family, address in first_of_family.items():
        remote = SocketAddress(str(address[0]), int(address[1]))
        link = int(address[3]) if len(address) > 3 else 0
        for path in usable_paths(remote, None, link):
            yield _connected(path, family, remote, address)


def not_in_parts(url: str) -> str:
    """Ask for an object, and say why strategies can't have it in parts (ranges), or "".

    Args:
        url: http:// or https://; redirects are followed.
    """
    import httpx

    from mphttp import MultipathTransport
    from mphttp.ranges.resource import NotInParts, by_name, resource_of

    from .redirect import Follow, sent

    timeout = httpx.Timeout(_ANSWER_WITHIN).as_dict()
    request = httpx.Request("GET", url, extensions={"timeout": timeout})
    try:
        with (
            time_limit(_OBJECT_WITHIN),
            MultipathTransport(multipath="off") as transport,
            closing(sent(transport, request, follow=Follow())) as response,
        ):
            told = by_name(response.headers.raw)
            found = resource_of(b"GET", (), response.status_code, told)
    except TimeIsOver:
        return f"no answer within {_OBJECT_WITHIN:g} s"
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"no answer: {error}"
    return found.why if isinstance(found, NotInParts) else ""


def _connected(path: Path, family: int, remote: SocketAddress, address: tuple[Any, ...]) -> Reached:
    try:
        sock = unconnected(Candidate(family, address, path), None, ())
        connect(sock, address, Wait(_ANSWER_WITHIN))
    except OSError as error:
        return Reached(path, remote, None, error.strerror or str(error))
    with closing(sock):
        return Reached(path, remote, _protocol(sock))


def _protocol(sock: socket.socket) -> str:
    try:
        capture(sock.fileno()).decode()
    except NotMultipath:
        return "tcp"
    return "mptcp"
