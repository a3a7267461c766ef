"""Whether the route to a destination is a tunnel's that others must not go around. Pure.

A VPN that takes all traffic does it for secrecy, or since nothing else leads there; an uplink that
is used beside it would betray the one and miss the other. Nobody tells which interface is a VPN's:
the routing tables and the interface itself are looked at. The route is a tunnel's

- if a rule leads to its table before the others' tables are looked at (wg-quick, NetworkManager,
  Tailscale: `ip rule not fwmark ... table ...`);
- if it is a part of everything, such as 0.0.0.0/1, where the others have 0.0.0.0/0 (OpenVPN);
- if the interface is of a kind that puts packets into others (wireguard, tun, ipip, gre ...);
- if it is point to point, and a route to a single host leads by a gateway on another interface:
  the other end of the tunnel (PPTP, L2TP, SSTP). A modem, which may be ppp or point to point as
  well, has none.

Interfaces of the tunnel's own kind are its equals: two of them are two uplinks.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from ..errors import ProtocolError
from ..netlink.codec import optional_integer, unpack_attributes

_KINDS = frozenset(
    {"wireguard", "tun", "ovpn", "ipip", "gre", "gretap", "erspan", "ip6gre", "ip6gretap"}
    | {"ip6erspan", "ip6tnl", "sit", "vti", "vti6", "xfrm", "amt", "gtp"}
)
"""IFLA_INFO_KIND of what puts packets into others."""
_TYPES = frozenset({768, 769, 776, 778, 823})
"""ARPHRD_TUNNEL, TUNNEL6, SIT, IPGRE and IP6GRE: the kernel's own (include/uapi/linux/if_arp.h)."""
_PART_OF_ALL = 4
"""Bits of a destination; an entry with so few, and not none, is a part of everything."""

_LINK = struct.Struct("=BxHiII")  # struct ifinfomsg
_POINT_TO_POINT = 0x10  # IFF_POINTOPOINT
_LINK_INFO, _KIND = 18, 1  # IFLA_LINKINFO, IFLA_INFO_KIND

_RULE = struct.Struct("=8BI")  # struct fib_rule_hdr
_UIDS = struct.Struct("=II")  # struct fib_rule_uid_range
_TO_TABLE = 1  # FR_ACT_TO_TBL
_INVERTED = 0x2  # FIB_RULE_INVERT
_NOTHING_SUPPRESSED = 0xFFFFFFFF
_LAST = 1 << 32  # after every rule


class _RuleAttribute(IntEnum):
    """FRA_*: what a rule looks at, and what it does."""

    IIFNAME = 3
    PRIORITY = 6
    FWMARK = 10
    SUPPRESS_PREFIXLEN = 14
    TABLE = 15
    OIFNAME = 17
    UID_RANGE = 20


@dataclass(frozen=True, slots=True)
class Entry:
    """What leads to a destination through an interface.

    Args:
        index: the interface's index.
        table: the routing table that has the entry.
        length: bits of the destination that it fixes; 0 for a default route.
    """

    index: int
    table: int
    length: int


@dataclass(frozen=True, slots=True)
class Device:
    """What the kernel tells of an interface.

    Args:
        type: of its hardware, ARPHRD_*.
        point_to_point: whether there is one other end.
        kind: of what made it, such as "wireguard"; "" for a real one.
    """

    type: int
    point_to_point: bool
    kind: str

    @property
    def tunnels(self) -> bool:
        """Whether it puts packets into others."""
        return self.kind in _KINDS or self.type in _TYPES


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that leads what this process sends to a table.

    Args:
        priority: when it is looked at, the lowest first.
        table: where it leads.
        suppressed: entries with no more bits than this don't count; -1 if all do.
        bound: whether it is about one source or one interface alone.
    """

    priority: int
    table: int
    suppressed: int
    bound: bool = False


def outside(
    entry: Entry,
    others: Iterable[Entry],
    *,
    rules: Sequence[Rule],
    devices: dict[int, Device],
    far_hosts: Iterable[int],
) -> set[int]:
    """Return the interfaces whose packets would go around a tunnel.

    Args:
        entry: what the system chooses for the destination.
        others: what else leads there.
        rules: all of the destination's family.
        devices: the interfaces by their indices.
        far_hosts: interfaces through whose gateways a route to a single host leads.
    """
    place = _place((rule for rule in rules if not rule.bound), entry)
    device = devices.get(entry.index)
    led_by = set(far_hosts) - {entry.index}
    tunnel = device is not None and (
        device.tunnels or (device.point_to_point and not led_by.isdisjoint(o.index for o in others))
    )
    return {
        other.index
        for other in others
        if other.index != entry.index
        and (
            _place(rules, other) > place
            or (0 < entry.length <= _PART_OF_ALL and not other.length)
            or (tunnel and not _equals(devices, entry.index, other.index))
        )
    }


def _equals(devices: dict[int, Device], one: int, other: int) -> bool:
    return other in devices and devices[one] == devices[other]


def _place(rules: Iterable[Rule], entry: Entry) -> int:
    """Return the priority of the first rule that leads to an entry."""
    leading = (r for r in rules if r.table == entry.table and entry.length > r.suppressed)
    return min((rule.priority for rule in leading), default=_LAST)


def unpack_device(payload: bytes) -> tuple[int, Device]:
    """Read an interface's index, and what it is, from the payload of RTM_NEWLINK.

    Raises:
        ProtocolError: it is too short, or a length leads outside.
    """
    if len(payload) < _LINK.size:
        raise ProtocolError("an interface is shorter than its header")
    _, kind, index, flags, _ = _LINK.unpack_from(payload)
    attributes = unpack_attributes(payload[_LINK.size :])
    made_by = unpack_attributes(attributes.get(_LINK_INFO, b"")).get(_KIND, b"")
    name = made_by.rstrip(b"\0").decode("ascii", "replace")
    return index, Device(kind, bool(flags & _POINT_TO_POINT), name)


def unpack_rule(payload: bytes, user: int) -> Rule | None:
    """Read a rule from the payload of RTM_NEWRULE; None if it leads to no table, or others alone.

    Args:
        payload: of the message.
        user: whose packets are led.

    Raises:
        ProtocolError: it is too short, or a length leads outside.
    """
    if len(payload) < _RULE.size:
        raise ProtocolError("a rule is shorter than its header")
    header = _RULE.unpack_from(payload)
    attributes = unpack_attributes(payload[_RULE.size :])
    inverted = bool(header[8] & _INVERTED)
    if header[7] != _TO_TABLE or not (inverted or _is_about(attributes, user)):
        return None
    suppressed = optional_integer(attributes, _RuleAttribute.SUPPRESS_PREFIXLEN, 4)
    return Rule(
        optional_integer(attributes, _RuleAttribute.PRIORITY, 4) or 0,
        optional_integer(attributes, _RuleAttribute.TABLE, 4) or header[4],
        -1 if suppressed in (None, _NOTHING_SUPPRESSED) else int(suppressed or 0),
        bound=not inverted and (header[2] > 0 or _RuleAttribute.OIFNAME in attributes),
    )


def _is_about(attributes: Mapping[int, bytes], user: int) -> bool:
    """Tell whether a rule may be about what a user's program sends, without a mark."""
    if optional_integer(attributes, _RuleAttribute.FWMARK, 4):
        return False
    if attributes.get(_RuleAttribute.IIFNAME, b"lo\0").rstrip(b"\0") != b"lo":
        return False
    users = attributes.get(_RuleAttribute.UID_RANGE, b"")
    if len(users) != _UIDS.size:
        return True
    first, last = _UIDS.unpack(users)
    return bool(first <= user <= last)
