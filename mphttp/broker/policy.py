"""The decision: what is asked, what is known of who asks, and whether it is granted. Pure."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from mphttp.kernel.broker.messages import (
    Claim,
    Close,
    GetOption,
    Hello,
    OnConnection,
    Open,
    Refused,
    Request,
    SetBackup,
    SetOption,
)
from mphttp.kernel.errors import (
    CallRefused,
    KernelError,
    NotMultipath,
    NotPermitted,
    NotSupported,
    OpenRefused,
)
from mphttp.kernel.reading.info import IPPROTO_MPTCP
from mphttp.kernel.values import ConnectionInfo

from .options import may_set
from .rules import Rules


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What the kernel tells of a descriptor that was passed.

    Args:
        protocol: of an IP socket; None for anything else.
        listening: whether it waits for connections.
        connection: the MPTCP connection, if it is connected and didn't fall back to TCP.
    """

    protocol: int | None
    listening: bool = False
    connection: ConnectionInfo | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of who asks, and of what it is about.

    Args:
        descriptors: how many were passed.
        groups: group ids of the process that asks.
        descriptor: the one that was passed, if it was one.
        within_reach: whether the connection's network namespace is the broker's, or one that the
            broker may enter.
        interface: name of the interface that a subflow is to leave through, if there is one.
        address_is_local: whether the local address is this machine's, in that namespace.
        watched: connections that this user's processes watch, this one not counted.
        congestion_controls: those that any user may choose.
    """

    descriptors: int
    groups: frozenset[int] = frozenset()
    descriptor: Descriptor | None = None
    within_reach: bool = True
    interface: str | None = None
    address_is_local: bool = False
    watched: int = 0
    congestion_controls: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Grant:
    """It may be done.

    Args:
        effect: what it does, for the log, without a token.
    """

    effect: str


def policy(request: Request, facts: Facts, rules: Rules) -> Grant | Refused:
    """Decide.

    Args:
        request: what is asked.
        facts: what was found out.
        rules: the configuration.
    """
    try:
        if facts.groups & rules.excluded_groups:
            raise NotPermitted("this broker doesn't serve a group that you are in")
        if isinstance(request, Hello):
            _check_number(facts, 0)
            return Grant("said hello")
        _check_number(facts, 1)
        connection = _checked(facts)
        if isinstance(request, Claim):
            return Grant("claim a connection")
        return Grant(_effect(request, facts, rules, connection))
    except KernelError as error:
        return Refused.of(error)


def _check_number(facts: Facts, wanted: int) -> None:
    if facts.descriptors != wanted:
        what = f"{facts.descriptors} descriptors were passed instead of {wanted}"
        raise CallRefused(what, errno=errno.EINVAL)


def _checked(facts: Facts) -> ConnectionInfo:
    """Refuse everything but a connected MPTCP socket within reach."""
    descriptor = facts.descriptor
    if descriptor is None or descriptor.protocol != IPPROTO_MPTCP:
        raise NotMultipath("what was passed is not an MPTCP socket")
    if descriptor.listening:
        raise CallRefused("the socket that was passed is listening", errno=errno.EINVAL)
    if descriptor.connection is None:
        raise NotMultipath("the socket that was passed has no MPTCP connection")
    if not facts.within_reach:
        raise NotPermitted(
            "the connection is of another network namespace than the broker",
            hint="start the broker with --other-namespaces, or one in that namespace",
        )
    return descriptor.connection


def _effect(request: OnConnection, facts: Facts, rules: Rules, connection: ConnectionInfo) -> str:
    match request:
        case Open():
            _check_open(request, facts, rules, connection)
            backup = "a backup subflow" if request.backup else "a subflow"
            return f"open {backup} on {facts.interface} to {request.remote.host}"
        case Close(subflow):
            return f"close subflow {subflow}"
        case SetBackup(subflow, backup):
            return f"{'pause' if backup else 'resume'} subflow {subflow}"
        case SetOption(subflow, level, name, value):
            _check_options(rules)
            if not may_set(level, name, value, facts.congestion_controls):
                what = f"option {name} of level {level} isn't everybody's to set to this value"
                raise NotPermitted(what, errno=errno.EPERM)
            return f"set option {name} of level {level} on subflow {subflow}"
        case GetOption(subflow, level, name):
            _check_options(rules)
            return f"read option {name} of level {level} of subflow {subflow}"
        case _:
            if facts.watched >= rules.connections_per_user:
                raise _full(f"{rules.connections_per_user} connections of one user are watched")
            return "watch a connection"


def _check_open(request: Open, facts: Facts, rules: Rules, connection: ConnectionInfo) -> None:
    if facts.interface is None:
        what = f"there is no interface with the index {request.interface_index}"
        raise OpenRefused(what, errno=errno.ENODEV)
    if facts.interface in rules.excluded_interfaces:
        what = f"this broker opens no subflows on {facts.interface}"
        raise NotPermitted(what, hint="its configuration says so: --exclude-interface")
    if not facts.address_is_local:
        what = f"{request.address} is no address of this machine"
        raise OpenRefused(what, errno=errno.EADDRNOTAVAIL)
    if sum(not subflow.closed for subflow in connection.subflows) >= rules.subflows_per_connection:
        raise _full(f"the connection has {rules.subflows_per_connection} subflows")


def _check_options(rules: Rules) -> None:
    if not rules.options:
        raise NotSupported(
            "this broker sets no options on one subflow", hint="start it with --subflow-options"
        )


def _full(what: str) -> KernelError:
    return CallRefused(f"{what}: this broker allows no more", errno=errno.EDQUOT)
