"""Where hosts are, if not where the system finds them. Pure."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from .socket_types import Entry, Found

Family = Literal["any", "ipv4", "ipv6"]
ANY_HOST = "*"


class Instead(NamedTuple):
    """A connection that leads elsewhere; the request, TLS and cookies don't know of it.

    Args:
        host: whose connections are meant, in lower case; "" is any.
        port: likewise; 0 is any.
        to_host: where they lead; "" is the host itself.
        to_port: likewise; 0 is the port itself.
    """

    host: str
    port: int
    to_host: str
    to_port: int


@dataclass(frozen=True)
class Hosts:
    """How hosts become addresses.

    Args:
        family: which addresses count.
        addresses: IP addresses by host, in lower case, and port; the host `ANY_HOST` is any.
        instead: connections that lead elsewhere; the first that fits counts.
    """

    family: Family = "any"
    addresses: Mapping[tuple[str, int], tuple[str, ...]] = field(default_factory=dict)
    instead: tuple[Instead, ...] = ()

    def leads_to(self, host: str, port: int) -> tuple[str, int]:
        """Return where a connection to a host leads."""
        for one in self.instead:
            if one.host in ("", host.lower()) and one.port in (0, port):
                return one.to_host or host, one.to_port or port
        return host, port

    def known(self, host: str, port: int) -> Found | None:
        """Return the addresses that nobody needs to be asked for, as `getaddrinfo` has them."""
        given = self.addresses.get((host.lower(), port)) or self.addresses.get((ANY_HOST, port))
        return None if given is None else [_entry(address, port) for address in given]

    def of_family(self, host: str, found: Found) -> Found:
        """Return the addresses that count.

        Args:
            host: for words.
            found: as `getaddrinfo` has them.

        Raises:
            OSError: none does.
        """
        if self.family == "any":
            return found
        family = socket.AF_INET if self.family == "ipv4" else socket.AF_INET6
        those = [entry for entry in found if entry[0] == family]
        if not those:
            kind = "IPv4" if self.family == "ipv4" else "IPv6"
            raise OSError(errno.EADDRNOTAVAIL, f"{host} has no {kind} address")
        return those


SYSTEM = Hosts()
"""As the system finds them."""


def _entry(address: str, port: int) -> Entry:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    place = (address, port, 0, 0) if family == socket.AF_INET6 else (address, port)
    return family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place
