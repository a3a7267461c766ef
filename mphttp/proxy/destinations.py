"""Which addresses may be connected to for whom: nobody's own network, from other machines. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NOT_PUBLIC: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",  # this machine (RFC 1122, 3.2.1.3); Linux takes 0.0.0.0 for loopback
        "10.0.0.0/8",  # RFC 1918
        "100.64.0.0/10",  # between customers and carriers (RFC 6598)
        "127.0.0.0/8",
        "169.254.0.0/16",  # of a link (RFC 3927), and where clouds keep secrets
        "172.16.0.0/12",
        "192.0.0.0/24",  # RFC 6890; clouds have services there, too
        "192.168.0.0/16",
        "198.18.0.0/15",  # RFC 2544
        "224.0.0.0/4",
        "240.0.0.0/4",  # with the broadcast address
        "::/128",
        "::1/128",
        "64:ff9b:1::/48",  # NAT64 of a network's own (RFC 8215)
        "100::/64",
        "fc00::/7",  # RFC 4193
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")


def plain(text: str) -> Address:
    """Read an address; one that stands for an IPv4 address is that.

    IPv4-mapped and IPv4-compatible ones (RFC 4291, 2.5.5), NAT64 (RFC 6052) and 6to4 (RFC 3056).

    Raises:
        ValueError: it is none.
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and (address in _NAT64 or (address in _COMPATIBLE and int(address) > 1)):
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return inner or address


def is_loopback(text: str) -> bool:
    """Tell whether an address is this machine's alone."""
    return plain(text).is_loopback


@dataclass(frozen=True)
class Destinations:
    """The rules.

    Args:
        allowed: networks that other machines may reach though they aren't public.
        listening: where the proxy itself listens.
    """

    allowed: tuple[Network, ...] = ()
    listening: tuple[tuple[str, int], ...] = ()

    def refusal(self, address: str, port: int, *, local_client: bool, own: bool) -> str | None:
        """Say why an address isn't connected to, or return None.

        Args:
            address: an IP address.
            port: TCP port.
            local_client: whether who asks is on this machine.
            own: whether the address is this machine's.
        """
        where = plain(address)
        here = own or where.is_loopback or where.is_unspecified
        if here and self._is_itself(where, port):
            return "that is the proxy itself"
        if local_client or any(where in network for network in _like(where, self.allowed)):
            return None
        if here:
            return "that is the proxy's machine"
        if any(where in network for network in _like(where, _NOT_PUBLIC)):
            return "that is no public address"
        return None

    def _is_itself(self, where: Address, port: int) -> bool:
        at = [plain(host) for host, listened in self.listening if listened == port]
        return any(where == place or place.is_unspecified for place in at) or (
            where.is_unspecified and any(place.is_loopback for place in at)
        )


def _like(where: Address, networks: Iterable[Network]) -> Iterable[Network]:
    return (network for network in networks if network.version == where.version)
