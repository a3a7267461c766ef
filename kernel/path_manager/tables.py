"""The tables of the generic netlink family `mptcp_pm`, version 1.

Names and numbers are those of the kernel's specification, in the order it has them
(Documentation/netlink/specs/mptcp_pm.yaml; include/uapi/linux/mptcp_pm.h and mptcp.h).
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

MPTCP_PM_NAME = "mptcp_pm"
MPTCP_PM_VER = 1
MPTCP_PM_EV_GRP_NAME = "mptcp_pm_events"


class Command(IntEnum):
    """MPTCP_PM_CMD_*: what the path manager is asked."""

    ADD_ADDR = 1
    DEL_ADDR = 2
    GET_ADDR = 3
    FLUSH_ADDRS = 4
    SET_LIMITS = 5
    GET_LIMITS = 6
    SET_FLAGS = 7
    ANNOUNCE = 8
    REMOVE = 9
    SUBFLOW_CREATE = 10
    SUBFLOW_DESTROY = 11


class Attribute(IntEnum):
    """MPTCP_PM_ATTR_*: what a command carries (ADDR is also MPTCP_PM_ENDPOINT_ADDR)."""

    ADDR = 1
    RCV_ADD_ADDRS = 2
    SUBFLOWS = 3
    TOKEN = 4
    LOC_ID = 5
    ADDR_REMOTE = 6


class AddressAttribute(IntEnum):
    """MPTCP_PM_ADDR_ATTR_*: what an address, nested in a command, carries."""

    FAMILY = 1
    ID = 2
    ADDR4 = 3
    ADDR6 = 4
    PORT = 5
    FLAGS = 6
    IF_IDX = 7


class AddressFlag(IntFlag):
    """MPTCP_PM_ADDR_FLAG_*: what an address is for."""

    SIGNAL = 1 << 0
    SUBFLOW = 1 << 1
    BACKUP = 1 << 2
    FULLMESH = 1 << 3
    IMPLICIT = 1 << 4
    LAMINAR = 1 << 5


class EventType(IntEnum):
    """MPTCP_EVENT_*: what a multicast message is about."""

    CREATED = 1
    ESTABLISHED = 2
    CLOSED = 3
    ANNOUNCED = 6
    REMOVED = 7
    SUB_ESTABLISHED = 10
    SUB_CLOSED = 11
    SUB_PRIORITY = 13
    LISTENER_CREATED = 15
    LISTENER_CLOSED = 16


class EventAttribute(IntEnum):
    """MPTCP_ATTR_*: what an event carries."""

    TOKEN = 1
    FAMILY = 2
    LOC_ID = 3
    REM_ID = 4
    SADDR4 = 5
    SADDR6 = 6
    DADDR4 = 7
    DADDR6 = 8
    SPORT = 9
    DPORT = 10
    BACKUP = 11
    ERROR = 12
    FLAGS = 13
    TIMEOUT = 14
    IF_IDX = 15
    RESET_REASON = 16
    RESET_FLAGS = 17
    SERVER_SIDE = 18


class EventFlag(IntFlag):
    """MPTCP_PM_EV_FLAG_*: flags of an event."""

    DENY_JOIN_ID0 = 1 << 0
    SERVER_SIDE = 1 << 1
