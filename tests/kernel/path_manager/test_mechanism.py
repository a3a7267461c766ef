"""The netlink mechanism on the real kernel."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from mphttp.kernel import (
    CallRefused,
    NetlinkMechanism,
    NoSuchSubflow,
    NotMultipath,
    NotPermitted,
    NotReady,
    NotSupported,
    OpenRefused,
    SocketAddress,
    TCPState,
)
from mphttp.kernel.events import (
    AddressAnnounced,
    AddressRemoved,
    ConnectionClosed,
    ConnectionCreated,
    ConnectionEstablished,
    Event,
    ListenerClosed,
    ListenerCreated,
    Overflow,
    SubflowClosed,
    SubflowEstablished,
    SubflowPriority,
)
from mphttp.kernel.interfaces.honoured import honours_device
from mphttp.kernel.path_manager import control
from mphttp.kernel.path_manager.commands import PathManagerMessage
from mphttp.kernel.values import FourTuple, Path

from ..namespaces import Net, address_of, exchange, ip


def wait_for(mechanism: NetlinkMechanism, *kinds: type[Event]) -> list[Event]:
    """Collect events until there is one of each kind."""
    seen: list[Event] = []
    deadline = time.monotonic() + 20
    while not all(any(isinstance(event, kind) for event in seen) for kind in kinds):
        assert select.select([mechanism], [], [], deadline - time.monotonic())[0], seen
        seen += mechanism.events()
    return seen


def of_kind(kind: type[Event], events: list[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, kind)]


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for what the kernel does by and by and tells by no event."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_the_life_of_a_connection_is_told(net: Net) -> None:
    """Created, established, a subflow established and closed, closed: with the right values."""
    mechanism = NetlinkMechanism()
    client, served = net.connection()
    control = mechanism.control(client)
    pair = FourTuple(SocketAddress(*client.getsockname()), SocketAddress(*client.getpeername()))
    remote = SocketAddress("10.0.2.2", pair.remote.port)
    subflow = control.open(net.paths[1], remote)
    joined = wait_for(mechanism, SubflowEstablished)
    control.close(subflow)
    closed = wait_for(mechanism, SubflowClosed)
    client.close()
    served.close()
    gone = wait_for(mechanism, ConnectionClosed)
    token = control.token
    # Kernels that ignore the interface have it be told by the address alone.
    index = net.paths[1].index if honours_device(mechanism.control) else None
    assert joined == [
        ConnectionCreated(token, pair, server_side=False, deny_join_id0=False),
        ConnectionEstablished(token, pair, server_side=False, deny_join_id0=False),
        SubflowEstablished(token, subflow.tuple, 1, joined[2].remote_id, False, index),
    ]
    assert subflow.tuple.local.host == "10.0.2.1"
    assert subflow.tuple.remote == remote
    assert closed == [
        SubflowClosed(token, subflow.tuple, 1, closed[0].remote_id, error=0, reset_reason=None)
    ]
    assert gone[-1] == ConnectionClosed(token)


def test_the_servers_side_is_told(net: Net) -> None:
    """A listener and an accepted connection are told in the server's namespace."""
    with net.server():
        mechanism = NetlinkMechanism()
    listener = net.listen("10.0.1.2")
    client, served = net.connect(listener)
    exchange(client, served)
    events = wait_for(mechanism, ConnectionEstablished)
    if not of_kind(ListenerCreated, events):
        pytest.skip("this kernel's events don't tell of listeners")
    address = address_of(listener)
    listener.close()
    events += wait_for(mechanism, ListenerClosed)
    assert of_kind(ListenerCreated, events) == [ListenerCreated(address)]
    assert of_kind(ListenerClosed, events) == [ListenerClosed(address)]
    assert all(event.server_side for event in of_kind(ConnectionEstablished, events))


def test_announced_and_removed_addresses_are_told(net: Net) -> None:
    """ADD_ADDR and REMOVE_ADDR of the server arrive as events."""
    mechanism = NetlinkMechanism()
    with net.server():
        ip("mptcp endpoint add 10.0.2.2 dev s2 id 7 signal")
    listener = net.listen()
    client, served = net.connect(listener)
    exchange(client, served)
    token = mechanism.control(client).token
    announced = of_kind(AddressAnnounced, wait_for(mechanism, AddressAnnounced))
    assert announced == [AddressAnnounced(token, 7, address_of(listener, "10.0.2.2"))]
    with net.server():
        ip("mptcp endpoint delete id 7")
    removed = of_kind(AddressRemoved, wait_for(mechanism, AddressRemoved))
    assert removed == [AddressRemoved(token, 7)]


def test_priority_is_sent_and_told(net: Net) -> None:
    """set_backup sends MP_PRIO: the server's namespace tells of it, both ways."""
    mechanism = NetlinkMechanism()
    client, served = net.connection()
    control = mechanism.control(client)
    subflow = control.open(net.paths[1], SocketAddress("10.0.2.2", 0))
    wait_for(mechanism, SubflowEstablished)
    with net.server():
        there = NetlinkMechanism()
    mirrored = FourTuple(subflow.tuple.remote, subflow.tuple.local)
    token = there.control(served).token
    for backup in (True, False):
        control.set_backup(subflow, backup)
        told = of_kind(SubflowPriority, wait_for(there, SubflowPriority))
        assert told == [SubflowPriority(token, mirrored, backup)]


def black_hole(net: Net) -> None:
    """Let all packets of the first link vanish, both ways; nobody is told."""
    nobody = "lladdr 02:00:00:00:00:01"
    ip(f"neighbour replace 10.0.1.2 {nobody} dev c1 nud permanent")
    with net.server():
        ip(f"neighbour replace 10.0.1.1 {nobody} dev s1 nud permanent")


def test_a_withdrawn_address_is_told_over_the_other_path(net: Net) -> None:
    """Over a dead path no close arrives; REMOVE_ADDR does, and the peer sends anew what was lost.

    The server's retransmission time-out is a minute: before that it would do nothing by itself.
    """
    with net.server():
        ip("route replace 10.0.1.0/24 dev s1 src 10.0.1.2 rto_min 60s")
    mechanism = NetlinkMechanism()
    client, served = net.connection()
    control = mechanism.control(client)
    control.open(net.paths[1], SocketAddress("10.0.2.2", 0), backup=True)
    wait_for(mechanism, SubflowEstablished)
    with net.server():
        there = NetlinkMechanism()
    token, first = there.control(served).token, control.info().subflows[0]
    black_hole(net)
    served.sendall(b"lost on the first path")
    control.withdraw(first)
    told = wait_for(there, AddressRemoved, SubflowClosed)
    client.settimeout(20)
    assert of_kind(AddressRemoved, told) == [AddressRemoved(token, 0)]
    assert client.recv(100) == b"lost on the first path"
    with pytest.raises(NoSuchSubflow):
        control.withdraw(first)


def test_an_address_can_be_withdrawn_again_and_again(net: Net) -> None:
    """One that was opened here has an identifier of its own, and is free to be used again."""
    mechanism = NetlinkMechanism()
    client, served = net.connection()
    control = mechanism.control(client)
    with net.server():
        there = NetlinkMechanism()
    for _ in range(3):
        subflow = control.open(net.paths[1], SocketAddress("10.0.2.2", 0))
        wait_for(mechanism, SubflowEstablished)
        control.withdraw(subflow)
        told = of_kind(AddressRemoved, wait_for(there, AddressRemoved, SubflowClosed))
        assert told == [AddressRemoved(there.control(served).token, 1)]
    exchange(client, served)


def test_what_another_control_opened_is_not_withdrawn(net: Net) -> None:
    """Its identifier could be another address's here: nothing is done."""
    mechanism = NetlinkMechanism()
    client, _ = net.connection()
    one, other = mechanism.control(client), mechanism.control(client)
    subflow = one.open(net.paths[1], SocketAddress("10.0.2.2", 0))
    wait_for(mechanism, SubflowEstablished)
    with pytest.raises(CallRefused, match=r"10\.0\.2\.1"):
        other.withdraw(subflow)
    assert [s.established for s in one.info().subflows] == [True, True]


def test_a_paused_subflow_carries_nothing(net: Net) -> None:
    """While a subflow is backup, the server sends on the other one alone."""
    mechanism = NetlinkMechanism()
    client, served = net.connection()
    control = mechanism.control(client)
    subflow = control.open(net.paths[1], SocketAddress("10.0.2.2", 0), backup=True)
    wait_for(mechanism, SubflowEstablished)
    served.sendall(bytes(100_000))
    left = 100_000
    while left:
        left -= len(client.recv(left))
    received = {s.id: s.bytes_received for s in control.info().subflows}
    assert received[subflow.id] == 0
    assert sum(received.values()) >= 100_000


def test_lost_events_show_as_overflow(net: Net) -> None:
    """A buffer that is too small gives an Overflow, and what comes after it is told again."""
    mechanism = NetlinkMechanism(receive_buffer=1)
    listener = net.listen()
    for _ in range(50):
        for end in net.connect(listener):
            end.close()
    events = []
    while batch := mechanism.events():
        events += batch
    assert Overflow() in events
    client, _ = net.connection()
    assert wait_for(mechanism, ConnectionEstablished)[-1].token == mechanism.control(client).token


def test_opening_before_data_is_not_ready(net: Net) -> None:
    """Before the first exchange of data the kernel says ENOTCONN; after it the same call works."""
    mechanism = NetlinkMechanism()
    client, served = net.connect(net.listen())
    control = mechanism.control(client)
    assert not control.info().fully_established
    with pytest.raises(NotReady):
        control.open(net.paths[1], SocketAddress("10.0.2.2", 0))
    exchange(client, served)
    assert control.info().fully_established
    assert control.open(net.paths[1], SocketAddress("10.0.2.2", 0)).tuple.remote.host == "10.0.2.2"


def test_a_new_subflow_is_known_while_its_syn_travels(net: Net) -> None:
    """What open returns is in SYN_SENT if nobody has answered, and close ends it."""
    mechanism = NetlinkMechanism()
    client, _ = net.connection()
    control = mechanism.control(client)
    with net.server():
        ip("link set s2 down")
    ip("neighbour add 10.0.2.2 lladdr 02:00:00:00:00:01 dev c2 nud permanent")
    subflow = control.open(net.paths[1], SocketAddress("10.0.2.2", 0))
    assert subflow.state == TCPState.SYN_SENT
    control.close(subflow)
    wait_until(lambda: subflow.id not in [s.id for s in control.info().subflows])


def test_a_refused_port_is_told(net: Net) -> None:
    """A port where nobody listens refuses, mostly at once, and the event has the error 111."""
    mechanism = NetlinkMechanism()
    client, _ = net.connection()
    with contextlib.suppress(OpenRefused):
        mechanism.control(client).open(net.paths[1], SocketAddress("10.0.2.2", 9))
    events = of_kind(SubflowClosed, wait_for(mechanism, SubflowClosed))
    assert [event.error for event in events] == [111]


def test_a_server_at_its_limit_refuses_after_the_handshake(net: Net) -> None:
    """The subflow beyond the limit is told established first, then closed."""
    mechanism = NetlinkMechanism()
    with net.server():
        ip("mptcp limits set subflows 1")
    client, _ = net.connection()
    control = mechanism.control(client)
    control.open(net.paths[1], SocketAddress("10.0.2.2", 0))
    wait_for(mechanism, SubflowEstablished)
    with suppress(OpenRefused):  # the reset can be faster than the look
        control.open(net.paths[0], SocketAddress("10.0.1.2", 0))
    kinds = [type(event) for event in wait_for(mechanism, SubflowClosed)]
    assert kinds == [SubflowEstablished, SubflowClosed]


def test_the_first_subflow_leaves_a_ghost(net: Net) -> None:
    """A destroyed first subflow stays in the list, closed, and data flows on over the other."""
    mechanism = NetlinkMechanism()
    client, served = net.connection()
    control = mechanism.control(client)
    control.open(net.paths[1], SocketAddress("10.0.2.2", 0))
    wait_for(mechanism, SubflowEstablished)
    first = control.info().subflows[0]
    control.close(first)
    ghost, other = control.info().subflows
    assert ghost.id == first.id
    assert ghost.closed
    assert other.established
    exchange(client, served)
    with pytest.raises(NoSuchSubflow):
        control.close(first)


def test_without_any_subflow_the_connection_lives_on(net: Net) -> None:
    """When all were destroyed, a new subflow carries what is sent after it is open."""
    mechanism = NetlinkMechanism()
    client, served = net.connection()
    control = mechanism.control(client)
    control.close(control.info().subflows[0])
    control.open(net.paths[1], SocketAddress("10.0.2.2", 0))
    wait_for(mechanism, SubflowEstablished)
    exchange(client, served)


def test_a_peer_without_mptcp_is_not_multipath(net: Net) -> None:
    """A connection that fell back to TCP is told from a socket that never was MPTCP."""
    mechanism = NetlinkMechanism()
    listener = net.listen(protocol=socket.IPPROTO_TCP)
    fallen, _ = net.connect(listener)
    with pytest.raises(NotMultipath, match="fell back"):
        mechanism.control(fallen)
    plain, _ = net.connect(listener, protocol=socket.IPPROTO_TCP)
    with pytest.raises(NotMultipath, match="not an MPTCP socket"):
        mechanism.control(plain)


def test_a_closed_socket_has_no_subflows(net: Net) -> None:
    """Every call on a closed socket is NoSuchSubflow."""
    mechanism = NetlinkMechanism()
    client, served = net.connection()
    control = mechanism.control(client)
    subflow = control.info().subflows[0]
    client.close()
    served.close()
    wait_for(mechanism, ConnectionClosed)
    for call in (
        control.info,
        lambda: control.open(net.paths[1], SocketAddress("10.0.2.2", 80)),
        lambda: control.close(subflow),
        lambda: control.set_backup(subflow, True),
        lambda: control.withdraw(subflow),
    ):
        with pytest.raises(NoSuchSubflow):
            call()


def test_without_the_capability_nothing_is_permitted(net: Net) -> None:
    """Without CAP_NET_ADMIN the events can't be joined, and an open is refused with a hint."""
    mechanism = NetlinkMechanism()
    client, _ = net.connection()
    control = mechanism.control(client)
    net.leave_privilege()
    with pytest.raises(NotPermitted) as refused:
        control.open(net.paths[1], SocketAddress("10.0.2.2", 0))
    assert "net_admin" in refused.value.hint
    with pytest.raises(NotPermitted) as denied:
        NetlinkMechanism()
    assert "net_admin" in denied.value.hint


def test_a_connection_of_the_kernels_manager_says_so(net: Net) -> None:
    """The manager is fixed when a connection is made; switching later doesn't help it."""
    net.sysctl("net.mptcp.pm_type", 0)
    client, _ = net.connection()
    net.sysctl("net.mptcp.pm_type", 1)
    control = NetlinkMechanism().control(client)
    with pytest.raises(NotSupported, match="userspace PM not selected") as refused:
        control.open(net.paths[1], SocketAddress("10.0.2.2", 0))
    assert "sysctl -w net.mptcp." in refused.value.hint


def test_the_interface_is_honoured_with_two_default_routes(net: Net) -> None:
    """Two default routes to one server: the second path's packets leave through its interface."""
    with net.server():
        ip("address add 10.9.9.9/32 dev lo")
    ip("route add default via 10.0.1.2 dev c1", "route add default via 10.0.2.2 dev c2 metric 9")
    mechanism = NetlinkMechanism()
    if not honours_device(mechanism.control):
        pytest.skip("this kernel ignores it; see test_old_kernels")
    client, served = net.connection("10.9.9.9")
    control = mechanism.control(client)
    subflow = control.open(net.paths[1], SocketAddress("10.9.9.9", 0))
    event = wait_for(mechanism, SubflowEstablished)[-1]
    assert event.interface_index == net.paths[1].index
    control.close(control.info().subflows[0])
    ip("link set c1 down")
    exchange(client, served)
    assert {s.id: s.bytes_received for s in control.info().subflows}[subflow.id] > 0


def test_ipv6(net: Net) -> None:
    """The same calls work over IPv6."""
    mechanism = NetlinkMechanism()
    client, served = net.connection("fd00:1::2")
    control = mechanism.control(client)
    subflow = control.open(net.paths6[1], SocketAddress("fd00:2::2", 0))
    assert subflow.tuple.local.host == "fd00:2::1"
    assert wait_for(mechanism, SubflowEstablished)[-1].tuple == subflow.tuple
    control.set_backup(subflow, True)
    control.close(control.info().subflows[0])
    exchange(client, served)
    control.close(subflow)


def test_ipv4_subflows_on_a_mapped_connection(net: Net) -> None:
    """An IPv6 socket connected to an IPv4-mapped address takes IPv4 paths."""
    listener = net.listen()
    client = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, 262)
    client.connect(("::ffff:10.0.1.2", listener.getsockname()[1]))
    served, _ = listener.accept()
    exchange(client, served)
    mechanism = NetlinkMechanism()
    control = mechanism.control(client)
    subflow = control.open(net.paths[1], SocketAddress("::ffff:10.0.2.2", 0))
    wait_for(mechanism, SubflowEstablished)
    control.set_backup(subflow, True)
    control.close(subflow)


def test_a_path_of_the_other_family_is_refused(net: Net) -> None:
    """An IPv4 path to an IPv6 address is refused in words, before the kernel is asked."""
    client, _ = net.connection()
    control = NetlinkMechanism().control(client)
    with pytest.raises(CallRefused, match=r"c2 has the address 10\.0\.2\.1"):
        control.open(net.paths[1], SocketAddress("fd00:2::2", 80))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (Path("c2", 99, "10.0.2.1"), "No such device"),
        (Path("c2", 0, "10.7.7.7"), "Cannot assign requested address"),
    ],
)
def test_a_path_that_is_gone_is_refused(net: Net, path: Path, words: str) -> None:
    """An interface or an address that doesn't exist any more is an OpenRefused that names it."""
    client, _ = net.connection()
    with pytest.raises(OpenRefused, match=words):
        NetlinkMechanism().control(client).open(path, SocketAddress("10.0.2.2", 0))


def test_the_initial_address_can_be_denied(net: Net) -> None:
    """A server that denies joins to its first address (flag C) is obeyed; its others are open."""
    mechanism = NetlinkMechanism()
    with net.server():
        net.sysctl("net.mptcp.allow_join_initial_addr_port", 0)
    client, _ = net.connection()
    control = mechanism.control(client)
    events = wait_for(mechanism, ConnectionEstablished)
    if not any(event.deny_join_id0 for event in events):
        pytest.skip("this kernel's events don't tell it")
    assert [event.deny_join_id0 for event in events] == [True, True]
    with pytest.raises(OpenRefused, match="asked for no further subflows"):
        control.open(net.paths[1], SocketAddress("10.0.1.2", 0))
    assert control.open(net.paths[1], SocketAddress("10.0.2.2", 0)).id == 2


def test_parallel_subflows_on_one_path(net: Net) -> None:
    """Several subflows share one path, also the first subflow's, and all can be closed."""
    mechanism = NetlinkMechanism()
    client, served = net.connection()
    control = mechanism.control(client)
    opened = []
    for n in (1, 1, 2, 2):
        opened.append(control.open(net.paths[n - 1], SocketAddress(f"10.0.{n}.2", 0)))
        wait_for(mechanism, SubflowEstablished)
    assert [subflow.id for subflow in opened] == [2, 3, 4, 5]
    assert len({subflow.tuple for subflow in opened}) == 4
    for subflow in opened:
        control.close(subflow)
    exchange(client, served)


def test_identifiers_given_by_another_control_are_learned(net: Net) -> None:
    """Two controls of one connection that number its addresses differently get along."""
    mechanism = NetlinkMechanism()
    client, _ = net.connection()
    one, other = mechanism.control(client), mechanism.control(client)
    one.open(net.paths[0], SocketAddress("10.0.1.2", 0))
    one.open(net.paths[1], SocketAddress("10.0.2.2", 0))
    other.open(net.paths[1], SocketAddress("10.0.2.2", 0))
    other.open(net.paths[0], SocketAddress("10.0.1.2", 0))
    assert len(one.info().subflows) == 5


def test_identifiers_are_learned_of_subflows_where_the_kernel_lists_none(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before Linux 6.10 no command lists a connection's addresses."""
    mechanism = NetlinkMechanism()

    def refuse(_token: int) -> PathManagerMessage:
        raise CallRefused("there is no such command")

    monkeypatch.setattr(control, "get_addresses", refuse)
    client, _ = net.connection()
    one, other = mechanism.control(client), mechanism.control(client)
    one.open(net.paths[0], SocketAddress("10.0.1.2", 0))
    one.open(net.paths[1], SocketAddress("10.0.2.2", 0))
    other.open(net.paths[1], SocketAddress("10.0.2.2", 0))
    other.open(net.paths[0], SocketAddress("10.0.1.2", 0))
    assert len(one.info().subflows) == 5


@pytest.mark.slow
def test_300_replacements(net: Net) -> None:
    """Make before break, 300 times, while data flows: nothing runs out and no byte is lost."""
    mechanism = NetlinkMechanism()
    client, served = net.connection()
    control = mechanism.control(client)
    current = control.info().subflows[0]
    for turn in range(300):
        n = turn % 2
        subflow = control.open(net.paths[n], SocketAddress(f"10.0.{n + 1}.2", 0))
        wait_for(mechanism, SubflowEstablished)
        control.close(current)
        current = subflow
        exchange(client, served)
    assert current.id == 301
    assert [s.id for s in control.info().subflows if s.established] == [301]
