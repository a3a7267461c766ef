"""What is granted and what is refused, decided without a socket or a privilege."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from mphttp.broker.policy import Descriptor, Facts, Grant, policy
from mphttp.broker.rules import Rules
from mphttp.kernel.broker.messages import (
    Close,
    GetOption,
    Hello,
    OnConnection,
    Open,
    Refused,
    SetBackup,
    SetOption,
    Watch,
)
from mphttp.kernel.errors import (
    CallRefused,
    NotMultipath,
    NotPermitted,
    NotSupported,
    OpenRefused,
)
from mphttp.kernel.values import (
    ConnectionInfo,
    FourTuple,
    SocketAddress,
    SubflowInfo,
    TCPState,
)

MPTCP = 262
PAIR = FourTuple(SocketAddress("192.0.2.1", 40000), SocketAddress("192.0.2.9", 443))


def connection(*states: TCPState) -> ConnectionInfo:
    subflows = (
        SubflowInfo(n, PAIR, state, 0.02, 0, 0, 0, 0.0) for n, state in enumerate(states, 1)
    )
    return ConnectionInfo(0xABCD1234, 0, True, tuple(subflows))


GOOD = Facts(
    descriptors=1,
    descriptor=Descriptor(MPTCP, connection=connection(TCPState.ESTABLISHED)),
    interface="lte0",
    address_is_local=True,
    congestion_controls=frozenset({"reno", "cubic"}),
)
RULES = Rules(options=True)
OPEN = Open(3, "198.51.100.1", PAIR.remote, 1, False)
DSCP = SetOption(1, socket.IPPROTO_IP, socket.IP_TOS, b"\xb8\0\0\0")
ON_CONNECTION = [
    OPEN,
    Close(1),
    SetBackup(1, True),
    DSCP,
    GetOption(1, socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16),
    Watch(),
]


def refusal(request: OnConnection | Hello, facts: Facts, rules: Rules = RULES) -> type:
    decision = policy(request, facts, rules)
    assert isinstance(decision, Refused), decision
    return decision.kind


@pytest.mark.parametrize("request_", ON_CONNECTION, ids=lambda r: type(r).__name__)
def test_whoever_holds_the_socket_may(request_: OnConnection) -> None:
    decision = policy(request_, GOOD, RULES)
    assert isinstance(decision, Grant)
    assert "abcd1234" not in decision.effect
    assert str(0xABCD1234) not in decision.effect


@pytest.mark.parametrize("request_", ON_CONNECTION, ids=lambda r: type(r).__name__)
@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        (replace(GOOD, descriptors=0, descriptor=None), CallRefused),
        (replace(GOOD, descriptors=2, descriptor=None), CallRefused),
        (replace(GOOD, descriptors=253, descriptor=None), CallRefused),
        (replace(GOOD, descriptor=None), NotMultipath),  # a file, a Unix socket
        (replace(GOOD, descriptor=Descriptor(None)), NotMultipath),
        (replace(GOOD, descriptor=Descriptor(socket.IPPROTO_TCP)), NotMultipath),
        (replace(GOOD, descriptor=Descriptor(MPTCP)), NotMultipath),  # not connected, fell back
        (replace(GOOD, descriptor=Descriptor(MPTCP, listening=True)), CallRefused),
        (replace(GOOD, within_reach=False), NotPermitted),
    ],
)
def test_whoever_passes_anything_else_may_nothing(
    request_: OnConnection, facts: Facts, kind: type
) -> None:
    assert refusal(request_, facts) is kind


def test_a_hello_passes_nothing() -> None:
    assert isinstance(policy(Hello(), Facts(descriptors=0), RULES), Grant)
    assert refusal(Hello(), GOOD) is CallRefused


@pytest.mark.parametrize("request_", [Hello(), *ON_CONNECTION], ids=lambda r: type(r).__name__)
def test_a_group_can_be_excluded(request_: OnConnection | Hello) -> None:
    facts = replace(GOOD, descriptors=int(request_ != Hello()), groups=frozenset({100, 1234}))
    assert isinstance(
        policy(request_, facts, replace(RULES, excluded_groups=frozenset({7}))), Grant
    )
    rules = replace(RULES, excluded_groups=frozenset({7, 1234}))
    assert refusal(request_, facts, rules) is NotPermitted


def test_an_interface_can_be_excluded() -> None:
    rules = replace(RULES, excluded_interfaces=frozenset({"lte0"}))
    assert refusal(OPEN, GOOD, rules) is NotPermitted
    assert isinstance(policy(OPEN, replace(GOOD, interface="wlan0"), rules), Grant)


def test_an_interface_must_be_there() -> None:
    assert refusal(OPEN, replace(GOOD, interface=None)) is OpenRefused


def test_a_local_address_must_be_the_machines() -> None:
    assert refusal(OPEN, replace(GOOD, address_is_local=False)) is OpenRefused


def test_subflows_of_a_connection_are_capped() -> None:
    """Those that are closed don't count."""
    rules = replace(RULES, subflows_per_connection=3)
    states = [TCPState.ESTABLISHED, TCPState.SYN_SENT, TCPState.CLOSE]
    facts = replace(GOOD, descriptor=Descriptor(MPTCP, connection=connection(*states)))
    assert isinstance(policy(OPEN, facts, rules), Grant)
    states.append(TCPState.ESTABLISHED)
    facts = replace(GOOD, descriptor=Descriptor(MPTCP, connection=connection(*states)))
    assert refusal(OPEN, facts, rules) is CallRefused


def test_watched_connections_are_capped() -> None:
    rules = replace(RULES, connections_per_user=5)
    assert isinstance(policy(Watch(), replace(GOOD, watched=4), rules), Grant)
    assert refusal(Watch(), replace(GOOD, watched=5), rules) is CallRefused


def test_options_are_there_only_where_they_were_asked_for() -> None:
    rules = replace(RULES, options=False)
    for request in (DSCP, GetOption(1, 6, 13, 16)):
        assert refusal(request, GOOD, rules) is NotSupported


@pytest.mark.parametrize(
    ("level", "name", "value"),
    [
        (socket.SOL_SOCKET, socket.SO_MARK, 1),  # would lead packets around the machine's rules
        (socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lte0"),
        (socket.SOL_SOCKET, socket.SO_PRIORITY, 7),
        (socket.SOL_SOCKET, socket.SO_PRIORITY, -1),
        (socket.SOL_SOCKET, socket.SO_PRIORITY, b"\1"),
        (socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"bbr"),  # not among those for everybody
        (socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"\xff"),
        (socket.IPPROTO_IP, 19, 1),  # IP_TRANSPARENT
        (99, 99, 1),
    ],
)
def test_no_option_that_is_not_everybodys_to_set(level: int, name: int, value: int | bytes) -> None:
    data = value if isinstance(value, bytes) else value.to_bytes(4, "little", signed=True)
    assert refusal(SetOption(1, level, name, data), GOOD) is NotPermitted


@pytest.mark.parametrize(
    ("level", "name", "value"),
    [
        (socket.SOL_SOCKET, socket.SO_PRIORITY, b"\6\0\0\0"),
        (socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno"),
        (socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno".ljust(16, b"\0")),
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, b"\1\0\0\0"),
        (socket.IPPROTO_IPV6, socket.IPV6_TCLASS, b"\xb8\0\0\0"),
    ],
)
def test_options_that_anybody_may_set(level: int, name: int, value: bytes) -> None:
    assert isinstance(policy(SetOption(1, level, name, value), GOOD, RULES), Grant)
