"""The three network namespaces: client, server, and between them the wire that the forwarder reads.

Each link is two pairs of virtual Ethernet devices:

    client: wifi ═══ wire: c0   (forwarder)   wire: s0 ═══ server: wifi

TUN would need one pair less, but /dev/net/tun is often root's own or missing. Packets cross the
wire as they would cross a real one: at most 1500 bytes, with real checksums, no ARP, no neighbour
discovery, and nothing at all while no application sends.
"""

from __future__ import annotations

import array
import fcntl
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyroute2 import MPTCP, IPRoute, NetlinkError

from . import linux, names
from .errors import LabError

# include/uapi/linux/sockios.h, ethtool.h, if.h
_SIOCETHTOOL = 0x8946
_ETHTOOL_STXCSUM = 0x17
_IFF_NOARP = 0x80
_IFF_MULTICAST = 0x1000
_IFA_F_NODAD = 0x02  # include/uapi/linux/if_addr.h

_LOOPBACK = 1  # its index in every namespace

_QUIET = {
    "net.ipv6.conf.default.addr_gen_mode": "1",  # no link-local address, so nothing to solicit from
    # What one connection learned of a path must not change the next one.
    "net.ipv4.tcp_no_metrics_save": "1",
}
_CLIENT = {
    **_QUIET,
    "net.mptcp.pm_type": "1",
    "net.mptcp.blackhole_timeout": "0",  # a link that was silent once would lose MPTCP for an hour
    # Strict filtering would drop what comes back on any link but the first.
    "net.ipv4.conf.all.rp_filter": "2",
    "net.ipv4.conf.default.rp_filter": "2",
}
_SERVER = {
    **_QUIET,
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
}
_WIRE = {
    "net.ipv6.conf.all.disable_ipv6": "1",
    "net.ipv6.conf.default.disable_ipv6": "1",
}
# Knobs that older kernels don't have, and do without.
_OPTIONAL = {"net.mptcp.blackhole_timeout"}


@dataclass(frozen=True, slots=True)
class Networks:
    """Descriptors of the three namespaces."""

    client: int
    server: int
    wire: int

    @classmethod
    def make(cls, links: Sequence[str], server_subflow_limit: int | None) -> Networks:
        """Make the namespaces and everything in them, and stay in the wire's.

        Args:
            links: names, the system's choice first.
            server_subflow_limit: additional subflows that the server takes on each connection;
                None for the kernel's default.
        """
        made = cls(_namespace(_CLIENT), _namespace(_SERVER), _namespace(_WIRE))
        made._connect(links)
        made._set_up_server(links, server_subflow_limit)
        with within(made.client), IPRoute() as netlink:
            netlink.link("set", index=_LOOPBACK, state="up")
            for index, name in enumerate(links):
                _make_endpoint(netlink, name)
                plug_in(netlink, index, name)
        linux.setns(made.wire)
        return made

    def _connect(self, links: Sequence[str]) -> None:
        with within(self.wire), IPRoute() as netlink:
            for index, name in enumerate(links):
                # Without ARP an interface sends to its own address, so both ends have the same.
                end = {"ifname": name, "address": f"02:00:00:00:00:{index:02x}"}
                for side, first, namespace in (("c", 1000, self.client), ("s", 2000, self.server)):
                    # An end whose peer has the same index would look down for up to a second
                    # (net/core/link_watch.c), so the wire's indices are far above the others.
                    device = {"index": first + index, "ifname": f"{side}{index}", "kind": "veth"}
                    peer = {**end, "net_ns_fd": namespace}
                    netlink.link("add", **device, peer=peer, state="up")

    def _set_up_server(self, links: Sequence[str], subflow_limit: int | None) -> None:
        with within(self.server), IPRoute() as netlink:
            netlink.link("set", index=_LOOPBACK, state="up")
            netlink.addr("add", index=_LOOPBACK, address=names.SERVER_ADDRESS, prefixlen=32)
            netlink.addr("add", index=_LOOPBACK, address=names.SERVER_ADDRESS_V6, prefixlen=128)
            for index, name in enumerate(links):
                device = _make_endpoint(netlink, name)
                _address(netlink, device, names.gateway_address(index), 24)
                _address(netlink, device, names.gateway_address_v6(index), 64)
                netlink.link("set", index=device, state="up")
            if subflow_limit is not None:
                _limit_subflows(subflow_limit)


def plug_in(netlink: Any, index: int, name: str) -> None:
    """Bring the client's interface up, with its addresses and default routes; all may be there."""
    device = _device(netlink, name)
    _address(netlink, device, names.client_address(index), 24)
    _address(netlink, device, names.client_address_v6(index), 64)
    netlink.link("set", index=device, state="up")
    for gateway in (names.gateway_address(index), names.gateway_address_v6(index)):
        family = socket.AF_INET6 if ":" in gateway else socket.AF_INET
        # The first link has the best metric, so it is what the system chooses.
        route = {"gateway": gateway, "oif": device, "priority": 100 + index}
        netlink.route("replace", dst="default", family=family, **route)


def unplug(netlink: Any, name: str) -> None:
    """Take the client's interface down; the kernel forgets its routes."""
    netlink.link("set", index=_device(netlink, name), state="down")


@contextmanager
def within(namespace: int) -> Iterator[None]:
    """Be in a network namespace for a while."""
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    linux.setns(namespace)
    try:
        yield
    finally:
        linux.setns(here)
        os.close(here)


def _namespace(settings: dict[str, str]) -> int:
    descriptor = linux.new_network()
    for name, value in settings.items():
        with suppress(*([FileNotFoundError] if name in _OPTIONAL else [])):
            Path("/proc/sys", *name.split(".")).write_text(value)
    return descriptor


def _limit_subflows(limit: int) -> None:
    """Set how many additional subflows this namespace takes on each connection."""
    try:
        with MPTCP() as mptcp:
            mptcp.limits("set", subflows=limit)
    except NetlinkError as error:
        raise LabError(f"This kernel's server can't have a limit of {limit} subflows.") from error


def _make_endpoint(netlink: Any, name: str) -> int:
    """Make an interface silent and honest: no ARP, no multicast, checksums and segments its own."""
    device = _device(netlink, name)
    netlink.link("set", index=device, flags=_IFF_NOARP, mask=_IFF_NOARP | _IFF_MULTICAST)
    _turn_off_offloads(name)
    return device


def _turn_off_offloads(name: str) -> None:
    """Have checksums made in software; segmentation goes with them (netdev-features.rst)."""
    value = array.array("I", [_ETHTOOL_STXCSUM, 0])
    request = struct.pack("16sP", name.encode(), value.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, _SIOCETHTOOL, request)


def _address(netlink: Any, device: int, address: str, prefix: int) -> None:
    # Nobody else has it: while the kernel looks for a duplicate, nobody can bind to it.
    flags = _IFA_F_NODAD if ":" in address else 0
    netlink.addr("replace", index=device, address=address, prefixlen=prefix, flags=flags)


def _device(netlink: Any, name: str) -> int:
    found = netlink.link_lookup(ifname=name)
    if not found:
        raise LabError(f"There is no interface {name} any more.")
    return int(found[0])
