"""Interfaces and their addresses as rtnetlink tells them, and what changed about them. Pure.

Nothing here needs a privilege (include/uapi/linux/rtnetlink.h, if_link.h, if_addr.h).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from ..connection_events import (
    InterfaceDown,
    InterfaceEvent,
    InterfaceUp,
    LocalAddressAdded,
    LocalAddressRemoved,
)
from ..errors import ProtocolError
from ..netlink.codec import Message, unpack_attributes
from .routes import unpack_address

GROUPS = (1, 5, 9)
"""RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR and RTNLGRP_IPV6_IFADDR: where changes are told."""


class LinkMessage(IntEnum):
    """RTM_*: messages about interfaces and their addresses."""

    NEWLINK = 16
    DELLINK = 17
    GETLINK = 18
    NEWADDR = 20
    DELADDR = 21


LINK_QUESTION = bytes(16)
"""What follows the header of GETLINK: all interfaces."""

_LINK = struct.Struct("=BxHiII")  # struct ifinfomsg
_NAME = 3  # IFLA_IFNAME
_UP = 0x1 | 0x40  # IFF_UP and IFF_RUNNING


@dataclass(frozen=True, slots=True)
class Link:
    """An interface: its number, its name, and whether it can carry packets."""

    index: int
    name: str
    up: bool


@dataclass(frozen=True, slots=True)
class LocalAddress:
    """An address of an interface, and whether it can be used."""

    index: int
    host: str
    usable: bool


def decode_interface(message: Message) -> Link | LocalAddress | None:
    """Read a message about an interface or an address; one that says it is gone is not up.

    Returns:
        What it is about, or None for any other message.

    Raises:
        ProtocolError: it is too short, or a length leads outside.
    """
    match message.type:
        case LinkMessage.NEWLINK | LinkMessage.DELLINK:
            return _link(message)
        case LinkMessage.NEWADDR | LinkMessage.DELADDR:
            return _address(message)
        case _:
            return None


class Interfaces:
    """What is known of all interfaces."""

    def __init__(self) -> None:
        self._up: dict[int, str] = {}
        self._hosts: set[tuple[int, str]] = set()

    def step(self, news: Link | LocalAddress) -> Iterator[InterfaceEvent]:
        """Take one message; tell what it changes."""
        match news:
            case Link():
                yield from self._on_link(news)
            case LocalAddress():
                yield from self._on_address(news)

    def all(self, there: Iterable[Link | LocalAddress]) -> Iterator[InterfaceEvent]:
        """Take a list of all that there is; tell what is different from what was known."""
        known = list(there)
        links = {link.index for link in known if isinstance(link, Link)}
        hosts = {(a.index, a.host) for a in known if isinstance(a, LocalAddress)}
        for index, name in list(self._up.items()):
            if index not in links:
                yield from self.step(Link(index, name, up=False))
        for index, host in sorted(self._hosts - hosts):
            yield from self.step(LocalAddress(index, host, usable=False))
        for news in known:
            yield from self.step(news)

    def _on_link(self, link: Link) -> Iterator[InterfaceEvent]:
        before = self._up.get(link.index)
        if link.up:
            self._up[link.index] = link.name
            if before is not None and before != link.name:  # the same interface, by another name
                yield InterfaceDown(before, link.index)
            if before != link.name:
                yield InterfaceUp(link.name, link.index)
        elif before is not None:
            yield InterfaceDown(self._up.pop(link.index), link.index)

    def _on_address(self, address: LocalAddress) -> Iterator[InterfaceEvent]:
        key = (address.index, address.host)
        if address.usable and key not in self._hosts:
            self._hosts.add(key)
            yield LocalAddressAdded(*key)
        elif not address.usable and key in self._hosts:
            self._hosts.remove(key)
            yield LocalAddressRemoved(*key)


def _link(message: Message) -> Link | None:
    if len(message.payload) < _LINK.size:
        raise ProtocolError("an interface is shorter than its header")
    family, _, index, flags, _ = _LINK.unpack_from(message.payload)
    if family:  # a bridge tells of its ports by the same messages
        return None
    attributes = unpack_attributes(message.payload[_LINK.size :])
    name = os.fsdecode(attributes.get(_NAME, b"").rstrip(b"\0"))
    return Link(index, name, flags & _UP == _UP and message.type == LinkMessage.NEWLINK)


def _address(message: Message) -> LocalAddress:
    address = unpack_address(message.payload)
    usable = message.type == LinkMessage.NEWADDR and address.usable
    return LocalAddress(address.index, address.host, usable)
