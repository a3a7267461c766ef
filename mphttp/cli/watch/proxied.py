"""The programs behind the connections of a proxy on this machine (`mphttp proxy`)."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mphttp.kernel.addresses import unmapped
from mphttp.kernel.values import SocketAddress
from mphttp.proxy.telling import Tunnelled, told

Ends = tuple[SocketAddress, SocketAddress]
"""A socket's own address, and its peer's."""


@dataclass(frozen=True)
class Proxied:
    """Tunnels of proxies.

    Args:
        tunnels: by where their connections begin.
        inodes: of the clients' sockets, by their two ends; one end may be that of several.
    """

    tunnels: Mapping[SocketAddress, Tunnelled]
    inodes: Mapping[Ends, int]

    def owner(self, local: SocketAddress, proxy: str, owners: Mapping[int, str]) -> str:
        """Name whose connection it is: a process, or a proxy and the process that it is for.

        Args:
            local: where it begins.
            proxy: the process that has its socket.
            owners: names of processes by the inodes of their sockets.
        """
        tunnel = self.tunnels.get(unmapped(local))
        if tunnel is None:
            return proxy
        inode = self.inodes.get(_ends(tunnel))
        client = owners.get(inode or 0) or f"{tunnel.client[0]} port {tunnel.client[1]}"
        return f"{client} to {tunnel.target} by {proxy}".strip()


def proxied() -> Proxied:
    """Ask the proxies of this machine, as far as they tell."""
    tunnels = {SocketAddress(*tunnel.local): tunnel for tunnel in told()}
    return Proxied(tunnels, _inodes(map(_ends, tunnels.values())))


def _ends(tunnel: Tunnelled) -> Ends:
    return SocketAddress(*tunnel.client), SocketAddress(*tunnel.proxy)


def _inodes(sockets: Iterable[Ends]) -> dict[Ends, int]:
    wanted = set(sockets)
    found: dict[Ends, int] = {}
    for family, name in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")) if wanted else ():
        with suppress(OSError):
            for line in Path("/proc/net", name).read_text().splitlines()[1:]:
                fields = line.split()
                ends = _address(family, fields[1]), _address(family, fields[2])
                if ends in wanted:
                    found[ends] = int(fields[9])
    return found


def _address(family: int, text: str) -> SocketAddress:
    """Read an address as the kernel writes it there: words of 32 bits, in the host's order."""
    host, _, port = text.partition(":")
    words = (bytes.fromhex(host[n : n + 8])[::-1] for n in range(0, len(host), 8))
    return unmapped(SocketAddress(socket.inet_ntop(family, b"".join(words)), int(port, 16)))
