"""Paths where netlink is refused: found by binding datagram sockets, and in /proc/net.

A sandbox such as systemd's RestrictAddressFamilies= leaves this. A datagram socket that is bound to
an interface and connected tells the source address, and over IPv6 whether there is a route. IPv4
takes an interface without a route for one that has every destination on its link, so that the main
routing table is read, too: a route that only another table has (`ip rule`) isn't seen. No packet is
sent, and no privilege is needed since Linux 5.7.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path as File

from ..addresses import family
from ..values import Path

_NET = File("/proc/thread-self/net")
_LOOPBACK = "lo"
_ANY_PORT = 9
_UP = 0x1  # RTF_UP


def probed_paths(host: str) -> list[Path]:
    """List the paths to a destination, the one that the routing table prefers first.

    Args:
        host: IP address of the destination, in its canonical form.

    Raises:
        OSError: no socket can be made, or /proc can't be read.
    """
    preferred = _source(host)
    if _is_ours(host):
        return [Path(_LOOPBACK, socket.if_nametoindex(_LOOPBACK), preferred or host)]
    with_route = _with_route(host) if family(host) == socket.AF_INET else None
    found = [
        Path(name, index, source)
        for name, index in probed_interfaces().items()
        if (with_route is None or name in with_route) and (source := _source(host, name))
    ]
    if preferred and found and preferred not in {path.address for path in found}:
        # A rule leads past the main table, as for a VPN: nothing goes around what it leads to.
        path = probed_path_of(preferred)
        return [] if path is None else [path]
    return sorted(found, key=lambda path: (path.address != preferred, path.index))


def probed_path_of(address: str) -> Path | None:
    """Find the interface that has a local address, or None.

    Args:
        address: IP address, in its canonical form.

    Raises:
        OSError: no socket can be made, or /proc can't be read.
    """
    if not _is_ours(address):
        return None
    names = probed_interfaces()
    if family(address) == socket.AF_INET6:
        name = next((name for host, name in _ipv6_addresses() if host == address), _LOOPBACK)
    else:
        name = next((name for name in names if _ipv4_address(name) == address), _LOOPBACK)
    return Path(name, names[name], address) if name in names else None


def probed_interfaces() -> dict[str, int]:
    """Return the index of each interface, by its name; `socket.if_nameindex` asks netlink.

    Raises:
        OSError: /proc can't be read.
    """
    found = {}
    for line in (_NET / "dev").read_bytes().splitlines()[2:]:
        name = os.fsdecode(line.rpartition(b":")[0].strip())
        with suppress(OSError):  # it has gone meanwhile
            found[name] = socket.if_nametoindex(name)
    return found


def _source(host: str, interface: str = "") -> str | None:
    """Return the address from which packets to a destination leave, or None if none would."""
    with closing(socket.socket(family(host), socket.SOCK_DGRAM)) as probe:
        try:
            if interface:
                name = os.fsencode(interface)
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name)
            probe.connect((host, _ANY_PORT))
        except OSError:
            return None
        return str(probe.getsockname()[0]).partition("%")[0]


def _is_ours(host: str) -> bool:
    """Tell whether an address is this machine's."""
    with closing(socket.socket(family(host), socket.SOCK_DGRAM)) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True


def _with_route(host: str) -> set[str]:
    """Name the interfaces through which the main table has a route to an IPv4 address."""
    (wanted,) = struct.unpack("=I", socket.inet_aton(host))
    names = set()
    for fields in _rows("route", skip=1):
        destination, flags, mask = (int(fields[n], 16) for n in (1, 3, 7))
        if flags & _UP and wanted & mask == destination:
            names.add(fields[0])
    return names


def _ipv6_addresses() -> Iterator[tuple[str, str]]:
    for fields in _rows("if_inet6"):
        yield socket.inet_ntop(socket.AF_INET6, bytes.fromhex(fields[0])), fields[5]


def _ipv4_address(name: str) -> str | None:
    """Return an interface's address, in the words of the kernel: of several, the first."""
    import fcntl

    request = struct.pack("16s24x", os.fsencode(name)[:15])
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            answer = fcntl.ioctl(probe, _SIOCGIFADDR, request)
        except OSError:  # it has none
            return None
    return socket.inet_ntoa(answer[20:24])


def _rows(name: str, skip: int = 0) -> list[list[str]]:
    # As bytes: text would be cut at what else Unicode takes for a space, which names may have.
    lines = (_NET / name).read_bytes().splitlines()[skip:]
    return [[os.fsdecode(field) for field in line.split()] for line in lines]


_SIOCGIFADDR = 0x8915
