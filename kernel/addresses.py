"""Small questions about IP addresses in text form. Pure."""

from __future__ import annotations

import socket

from .values import SocketAddress

MAPPED = bytes(10) + b"\xff\xff"
"""The first octets of an IPv4-mapped IPv6 address, ::ffff:0:0/96 (RFC 4291, 2.5.5.2)."""


def canonical(host: str) -> str:
    """Write an address as the kernel's answers are written here, without a scope.

    Raises:
        ValueError: it is no IP address.
    """
    return socket.inet_ntop(*packed(host))


def packed(host: str) -> tuple[socket.AddressFamily, bytes]:
    """Write an address as packets carry it: AF_INET and 4 bytes, or AF_INET6 and 16.

    Raises:
        ValueError: it is no IP address.
    """
    kind = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:  # ten times as fast as the module ipaddress, and each call needs many
        return kind, socket.inet_pton(kind, host.partition("%")[0])
    except OSError:
        raise ValueError(f"{host!r} is no IP address") from None


def family(host: str) -> socket.AddressFamily:
    """AF_INET or AF_INET6.

    Raises:
        ValueError: it is no IP address.
    """
    return packed(host)[0]


def unmapped(address: SocketAddress) -> SocketAddress:
    """Write an IPv4-mapped IPv6 address as the IPv4 address that its packets carry.

    Raises:
        ValueError: it is no IP address.
    """
    kind, octets = packed(address.host)
    if kind == socket.AF_INET6 and octets.startswith(MAPPED):
        kind, octets = socket.AF_INET, octets[len(MAPPED) :]
    return SocketAddress(socket.inet_ntop(kind, octets), address.port)


def is_link_local(host: str) -> bool:
    """Tell whether an IPv6 address is one of a link (RFC 4291, section 2.5.6: fe80::/10).

    Raises:
        ValueError: it is no IP address.
    """
    kind, octets = packed(host)
    return kind == socket.AF_INET6 and octets[0] == 0xFE and octets[1] & 0xC0 == 0x80
