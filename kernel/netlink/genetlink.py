"""Generic netlink: the header of its messages, and the controller that names families.

Pure (include/uapi/linux/genetlink.h).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from ..errors import ProtocolError
from .codec import integer, pack_attributes, unpack_attributes

GENL_ID_CTRL = 16
"""The message type of the controller, the one family whose number is fixed."""


class ControllerCommand(IntEnum):
    """What the controller is asked and answers."""

    NEWFAMILY = 1
    GETFAMILY = 3


class ControllerAttribute(IntEnum):
    """What it tells about a family."""

    FAMILY_ID = 1
    FAMILY_NAME = 2
    VERSION = 3
    OPS = 6
    MCAST_GROUPS = 7


class OperationAttribute(IntEnum):
    """What it tells about one command."""

    ID = 1


class GroupAttribute(IntEnum):
    """What it tells about one multicast group."""

    NAME = 1
    ID = 2


_HEADER = struct.Struct("=BBH")
_CONTROLLER_VERSION = 2


@dataclass(frozen=True, slots=True)
class Family:
    """A generic netlink family of this kernel.

    Args:
        id: the message type that it got when it was registered.
        groups: the numbers of its multicast groups, by name.
        commands: those that it knows.
    """

    id: int
    groups: Mapping[str, int]
    commands: frozenset[int] = frozenset()


def pack_generic(command: int, version: int, attributes: Mapping[int, bytes]) -> bytes:
    """Put the payload of a generic netlink message on the wire."""
    return _HEADER.pack(command, version, 0) + pack_attributes(attributes)


def unpack_generic(payload: bytes) -> tuple[int, dict[int, bytes]]:
    """Read the payload of a generic netlink message: its command and its attributes.

    Raises:
        ProtocolError: it is shorter than its header, or a length leads outside.
    """
    if len(payload) < _HEADER.size:
        raise ProtocolError("a generic netlink message is shorter than its header")
    return payload[0], unpack_attributes(payload[_HEADER.size :])


def pack_get_family(name: str) -> bytes:
    """Ask the controller for a family by its name."""
    attributes: dict[int, bytes] = {ControllerAttribute.FAMILY_NAME: name.encode() + b"\0"}
    return pack_generic(ControllerCommand.GETFAMILY, _CONTROLLER_VERSION, attributes)


def unpack_family(payload: bytes) -> Family:
    """Read the controller's answer.

    Raises:
        ProtocolError: it is none, or incomplete.
    """
    command, attributes = unpack_generic(payload)
    if command != ControllerCommand.NEWFAMILY:
        raise ProtocolError(f"the controller answered with its command {command}")
    groups = unpack_attributes(attributes.get(ControllerAttribute.MCAST_GROUPS, b""))
    operations = unpack_attributes(attributes.get(ControllerAttribute.OPS, b""))
    return Family(
        integer(attributes, ControllerAttribute.FAMILY_ID, 2),
        dict(_group(unpack_attributes(group)) for group in groups.values()),
        frozenset(
            integer(unpack_attributes(operation), OperationAttribute.ID, 4)
            for operation in operations.values()
        ),
    )


def _group(attributes: Mapping[int, bytes]) -> tuple[str, int]:
    name = attributes.get(GroupAttribute.NAME, b"").rstrip(b"\0").decode("utf-8", "replace")
    return name, integer(attributes, GroupAttribute.ID, 4)
