"""Small questions about IP addresses in text form. Pure."""

from __future__ import annotations

import ipaddress
import socket

from .values import SocketAddress


def canonical(host: str) -> str:
    """Write an address as the kernel's answers are written here, without a scope.

    Raises:
        ValueError: it is no IP address.
    """
    address = ipaddress.ip_address(host.partition("%")[0])
    return socket.inet_ntop(family(host), address.packed)


def family(host: str) -> socket.AddressFamily:
    """AF_INET or AF_INET6.

    Raises:
        ValueError: it is no IP address.
    """
    version = ipaddress.ip_address(host).version
    return socket.AF_INET if version == 4 else socket.AF_INET6


def unmapped(address: SocketAddress) -> SocketAddress:
    """Write an IPv4-mapped IPv6 address as the IPv4 address that its packets carry.

    Raises:
        ValueError: it is no IP address.
    """
    host = ipaddress.ip_address(canonical(address.host))
    mapped = host.ipv4_mapped if isinstance(host, ipaddress.IPv6Address) else None
    return SocketAddress(str(mapped) if mapped else canonical(address.host), address.port)
