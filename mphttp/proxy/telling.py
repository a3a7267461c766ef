"""What a proxy tells of its tunnels to who may know: its own user, and root (`mphttp watch`).

A connection to the abstract Unix socket `@mphttp-proxy/PID` gets a JSON list, and its end.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from typing import NamedTuple

from mphttp.tunnel import Place

from .target import Target, authority

_NAME = "\0mphttp-proxy/"
_CREDENTIALS = struct.Struct("3i")  # struct ucred
_MOST = 4 * 1024 * 1024
_WITHIN = 0.5


class Tunnelled(NamedTuple):
    """One client's tunnel.

    Args:
        client: where the client is.
        proxy: where it reaches the proxy.
        target: where it is connected to.
        local: where the connection to the target begins.
    """

    client: Place
    proxy: Place
    target: Target
    local: Place


async def tell(tunnels: Callable[[], Iterable[Tunnelled]]) -> asyncio.Server | None:
    """Tell whoever asks and may know, until the server is closed; None where that can't be had."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(OSError, TimeoutError):
            if _user(writer.get_extra_info("socket"))[1] in (0, os.geteuid()):
                writer.write(encoded(tunnels()))
                await asyncio.wait_for(writer.drain(), _WITHIN)

    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(f"{_NAME}{os.getpid()}")
        return await asyncio.start_unix_server(answer, sock=sock)
    except OSError:
        sock.close()
        return None


def told() -> Iterator[Tunnelled]:
    """Ask all proxies of this network namespace that tell us."""
    for process in _listening():
        with suppress(OSError, ValueError, TypeError, AttributeError):
            yield from decoded(_asked(process))


def encoded(tunnels: Iterable[Tunnelled]) -> bytes:
    """Write tunnels as they are told."""
    return json.dumps([[*t.client, *t.proxy, str(t.target), *t.local] for t in tunnels]).encode()


def decoded(data: bytes) -> list[Tunnelled]:
    """Read them.

    Raises:
        ValueError: they aren't written so.
        TypeError: neither.
    """
    return [
        Tunnelled(
            (str(host), int(port)),
            (str(proxy), int(proxy_port)),
            authority(target.encode()),
            (str(own), int(own_port)),
        )
        for host, port, proxy, proxy_port, target, own, own_port in json.loads(data)
    ]


def _listening() -> set[int]:
    with suppress(OSError), open("/proc/net/unix") as file:
        names = (line.split()[-1] for line in file)
        shown = _NAME.replace("\0", "@")
        return {int(n.removeprefix(shown)) for n in names if _is_number(n.removeprefix(shown))}
    return set()


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _asked(process: int) -> bytes:
    data = bytearray()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(_WITHIN)
        sock.connect(f"{_NAME}{process}")
        if _user(sock)[0] != process:  # somebody else has taken the name
            return b"[]"
        while len(data) < _MOST and (came := sock.recv(65536)):
            data += came
    return bytes(data)


def _user(sock: socket.socket) -> tuple[int, int]:
    """Return the process and the user at the other end."""
    told = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    process, user, _ = _CREDENTIALS.unpack(told)
    return process, user
