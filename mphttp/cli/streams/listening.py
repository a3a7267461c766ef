"""Where clients come in: addresses as people write them, and the sockets there."""

from __future__ import annotations

import contextlib
import re
import resource
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from mphttp.proxy.destinations import is_loopback

from ..exits import ExitCode, Failure

_PLACE = re.compile(r"(?:(?:\[([^\]]+)\]|([^:\[\]]*)):)?([0-9]{1,5})", re.ASCII)
_BACKLOG = 1024


class ListenAt(NamedTuple):
    """An address to listen at.

    Args:
        host: a name or an IP address; "" for every address of this machine.
        port: TCP port; 0 for any.
    """

    host: str
    port: int


def listen_at(text: str) -> ListenAt:
    """Read [HOST:]PORT; without a host, only this machine can connect.

    Raises:
        ValueError: it is none.
    """
    found = _PLACE.fullmatch(text)
    if found is None or int(found[3]) > 65535:
        raise ValueError(f"{text!r} is no [HOST:]PORT, such as 1080 or [::1]:1080")
    host = found[1] or found[2]
    if host is None:
        host = "127.0.0.1"
    return ListenAt("" if host == "*" else host, int(found[3]))


@contextmanager
def listening(places: Sequence[ListenAt]) -> Iterator[list[socket.socket]]:
    """Listen at some addresses while the block runs.

    Raises:
        Failure: one can't be listened at.
    """
    with ExitStack() as stack:
        sockets: list[socket.socket] = []
        for place in places:
            for family, address in _addresses(place):
                sockets.append(stack.enter_context(_listener(family, address, place)))
        yield sockets


def open_to_others(sockets: Sequence[socket.socket]) -> bool:
    """Tell whether other machines can connect."""
    return not all(is_loopback(sock.getsockname()[0]) for sock in sockets)


def raise_limit() -> None:
    """Let this process have as many descriptors as it may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _addresses(place: ListenAt) -> list[tuple[int, tuple[str, int]]]:
    try:
        found = socket.getaddrinfo(
            place.host or None, place.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        what = f"{place.host} can't be listened at: {getattr(error, 'strerror', None) or error}"
        raise Failure(ExitCode.RESOLVE, what, "--listen 127.0.0.1:1080") from error
    chosen = {family: address for family, *_, address in reversed(found)}
    return [(family, (str(a[0]), int(a[1]))) for family, a in chosen.items()]


def _listener(family: int, address: tuple[str, int], place: ListenAt) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        what = f"port {place.port} of {address[0]} can't be listened at: {error.strerror}"
        raise Failure(ExitCode.CONNECT, what, "--listen chooses another") from error
    return sock
