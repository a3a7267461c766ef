"""What a client gets from a broker."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections.abc import Iterable
from dataclasses import replace

import pytest

from mphttp.kernel import (
    CallRefused,
    KernelError,
    LeavesElsewhere,
    NetlinkMechanism,
    NoSuchSubflow,
    NotMultipath,
    NotPermitted,
    NotReady,
    NotSupported,
    OpenRefused,
    SocketAddress,
    Subflows,
    best_mechanism,
    findings,
)
from mphttp.kernel.broker.mechanism import BrokerMechanism
from mphttp.kernel.events import (
    AddressAnnounced,
    ConnectionClosed,
    Event,
    Overflow,
    SubflowClosed,
    SubflowEstablished,
)
from mphttp.kernel.interfaces import honoured
from tests.kernel.namespaces import Net, exchange, ip

from .brokers import Broker, eventually, running

OTHER = SocketAddress("10.0.2.2", 0)


def wait_for(mechanism: BrokerMechanism, *kinds: type) -> list[Event]:
    """Collect events until one of each kind has come."""
    events: list[Event] = []
    poll = select.poll()
    poll.register(mechanism.fileno(), select.POLLIN)
    while not {type(event) for event in events} >= set(kinds):
        assert poll.poll(10_000), events
        events += mechanism.events()
    return events


def exchange_whole(one: socket.socket, other: socket.socket, size: int = 300_000) -> None:
    """Send a body and check that it comes whole."""
    body = os.urandom(size)
    other.settimeout(20)
    one.setblocking(False)
    sent, came = 0, b""
    while len(came) < size:
        if sent < size:
            with contextlib.suppress(BlockingIOError):
                sent += one.send(body[sent : sent + 65536])
        came += other.recv(65536)
    one.setblocking(True)
    assert came == body


@pytest.mark.slow
def test_the_six_calls_without_a_privilege(net: Net) -> None:
    """Open, pause, resume and close work for a process that has no capability at all."""
    with running() as broker:
        client, served = net.connection()
        net.leave_privilege()
        with pytest.raises(NotPermitted):
            NetlinkMechanism()
        mechanism = BrokerMechanism(broker.path)
        with Subflows(client, mechanism) as subflows:
            (first,) = subflows.ids()
            second = subflows.open(net.paths[1], OTHER)
            assert subflows.ids() == [first, second]
            assert subflows.tuple_of(second).local.host == "10.0.2.1"
            subflows.set_backup(second, True)
            subflows.set_backup(second, False)
            exchange_whole(served, client)
            subflows.close(first)
            eventually(subflows.ids, [second])
            exchange_whole(served, client)
        mechanism.close()
    effects = [line.partition(": ")[2] for line in broker.log[1:]]
    assert effects == [
        "open a subflow on c2 to 10.0.2.2",
        f"pause subflow {second}",
        f"resume subflow {second}",
        f"close subflow {first}",
    ]


@pytest.mark.slow
def test_the_log_names_user_and_process_and_no_token(net: Net) -> None:
    with running() as broker:
        client, _ = net.connection()
        with Subflows(client, BrokerMechanism(broker.path)) as subflows:
            subflows.open(net.paths[1], OTHER)
            token = subflows.info().token
    assert broker.log[1].startswith(f"user {os.getuid()} process {os.getpid()}: ")
    told = " ".join(broker.log)
    assert all(form not in told for form in (str(token), f"{token:x}", f"{token:#x}"))


@pytest.mark.slow
def test_it_is_chosen_where_netlink_is_not_permitted(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running() as broker:
        monkeypatch.setenv("MPHTTP_BROKER", broker.path)
        chosen = best_mechanism()
        assert chosen.name == "netlink"
        chosen.close()
        net.leave_privilege()
        chosen = best_mechanism()
        assert (chosen.name, chosen.reason) == ("broker", None)
        chosen.close()
        found = {finding.name: finding for finding in findings()}
        assert found["broker"].ok
        assert "CAP_NET_ADMIN" not in found
        assert all(finding.ok for finding in found.values() if finding.needed)


def test_where_no_broker_is_doctor_says_how_to_get_one(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPHTTP_BROKER", "/nowhere/broker.sock")
    net.leave_privilege()
    found = {finding.name: finding for finding in findings()}
    assert (found["broker"].ok, found["broker"].mend) == (False, "sudo mphttp setup")
    assert not found["control"].ok


@pytest.mark.slow
def test_refusals_are_those_of_netlink(net: Net) -> None:
    """Through the broker, a call fails with the same error as it does with the privilege."""

    def refusals(mechanism: BrokerMechanism | NetlinkMechanism) -> Iterable[tuple[type, int]]:
        client, _ = net.connection()
        control = mechanism.control(client)
        port = client.getpeername()[1]
        subflow = control.open(net.paths[1], SocketAddress("10.0.2.2", port))
        unready = mechanism.control(net.connect(net.listen())[0])
        calls = [
            lambda: unready.open(net.paths[1], SocketAddress("10.0.2.2", 80)),
            lambda: control.open(net.paths[1], SocketAddress("fd00:2::2", port)),
            lambda: control.open(replace(net.paths[1], address="203.0.113.1"), OTHER),
            lambda: control.close(subflow),
            lambda: control.set_backup(subflow, True),
        ]
        control.close(subflow)
        eventually(lambda: len(control.info().subflows), 1)
        for call in calls:
            with pytest.raises(KernelError) as raised:
                call()
            yield type(raised.value), raised.value.errno or 0

    with running() as broker:
        ours = list(refusals(BrokerMechanism(broker.path)))
        theirs = list(refusals(NetlinkMechanism()))
    assert [kind for kind, _ in ours] == [kind for kind, _ in theirs]
    assert NotReady in {kind for kind, _ in ours}
    assert NoSuchSubflow in {kind for kind, _ in ours}


@pytest.mark.slow
def test_events_are_those_of_the_connections_that_were_passed(net: Net) -> None:
    """Another connection opens, changes and ends; not a word of it reaches this client."""
    with running() as broker:
        mechanism = BrokerMechanism(broker.path)
        client, _ = net.connection()
        control = mechanism.control(client)
        control.listen()
        stranger, served = net.connection()
        with Subflows(stranger, NetlinkMechanism()) as theirs:
            theirs.close(theirs.open(net.paths[1], OTHER))
        stranger.close()
        served.close()
        subflow = control.open(net.paths[1], SocketAddress("10.0.2.2", client.getpeername()[1]))
        events = wait_for(mechanism, SubflowEstablished)
        control.close(subflow)
        events += wait_for(mechanism, SubflowClosed)
        client.close()
        events += wait_for(mechanism, ConnectionClosed)
        assert {event.token for event in events} == {control.token}


@pytest.mark.slow
def test_addresses_that_were_announced_before_are_told(net: Net) -> None:
    """The broker listens from its start; a client that comes later is told what it missed."""
    with running() as broker:
        with net.server():
            ip("mptcp endpoint add 10.0.2.2 id 7 dev s2 signal")
        client, _ = net.connection()
        port = client.getpeername()[1]
        time.sleep(0.2)  # nobody tells a process without privilege that the ADD_ADDR has come
        mechanism = BrokerMechanism(broker.path)
        with Subflows(client, mechanism) as subflows:
            (announced,) = (
                e for e in wait_for(mechanism, AddressAnnounced) if isinstance(e, AddressAnnounced)
            )
            assert (announced.remote_id, announced.remote.host) == (7, "10.0.2.2")
            (remote,) = subflows.announced()
            assert remote.host == "10.0.2.2"
            subflows.open(net.paths[1], SocketAddress(remote.host, remote.port or port))


@pytest.mark.slow
def test_many_addresses_keep_their_identifiers(net: Net) -> None:
    """Each open names the identifier again; the broker keeps nothing."""
    ip(*(f"address add 10.0.2.{n}/24 dev c2" for n in range(10, 14)))
    with running() as broker:
        client, _ = net.connection()
        with Subflows(client, BrokerMechanism(broker.path)) as subflows:
            for n in (10, 11, 12, 13, 10, 12):
                subflows.open(replace(net.paths[1], address=f"10.0.2.{n}"), OTHER)
            assert len(subflows.ids()) == 7


@pytest.mark.slow
def test_identifiers_that_another_gave_are_learnt(net: Net) -> None:
    with running() as broker:
        client, _ = net.connection()
        ip("address add 10.0.2.10/24 dev c2")
        with Subflows(client, NetlinkMechanism()) as theirs:
            path = net.paths[1]
            theirs.open(replace(path, address="10.0.2.10"), OTHER)
        with Subflows(client, BrokerMechanism(broker.path)) as subflows:
            subflows.open(path, OTHER)
            subflows.open(path, OTHER)
            assert len(subflows.ids()) == 4


@pytest.mark.slow
def test_the_kernels_own_path_manager_is_told(net: Net) -> None:
    with running() as broker:
        net.sysctl("net.mptcp.pm_type", 0)
        client, _ = net.connection()
        subflows = Subflows(client, BrokerMechanism(broker.path))
        with pytest.raises(NotSupported, match="userspace PM not selected"):
            subflows.open(net.paths[1], OTHER)


@pytest.mark.slow
def test_plain_tcp_is_told_before_the_broker_is_asked(net: Net) -> None:
    with running() as broker:
        client, _ = net.connect(net.listen(protocol=0))
        with pytest.raises(NotMultipath):
            BrokerMechanism(broker.path).control(client)


@pytest.mark.slow
def test_a_closed_socket_is_told(net: Net) -> None:
    with running() as broker:
        client, _ = net.connection()
        mechanism = BrokerMechanism(broker.path)
        control = mechanism.control(client)
        (subflow,) = control.info().subflows
        client.close()
        with pytest.raises(NoSuchSubflow):
            control.close(subflow)
        control.listen()  # nothing to listen to
        other = mechanism.control(net.connection()[0])
        with pytest.raises(CallRefused):  # it asks on
            other.open(net.paths[1], SocketAddress("fd00:2::2", 1))


@pytest.mark.slow
def test_a_broker_that_ends_takes_nothing_with_it(net: Net) -> None:
    """The body goes on over both subflows, and the next call finds the broker that came after."""
    first = Broker()
    client, served = net.connection()
    mechanism = BrokerMechanism(first.path)
    control = mechanism.control(client)
    control.listen()
    remote = SocketAddress("10.0.2.2", client.getpeername()[1])
    subflow = control.open(net.paths[1], remote)
    wait_for(mechanism, SubflowEstablished)
    first.kill()
    exchange_whole(served, client)
    assert wait_for(mechanism, Overflow)
    with pytest.raises(NotSupported):
        control.close(subflow)
    assert mechanism.events() == []
    second = Broker(path=first.path)
    control.close(subflow)
    control.open(net.paths[1], remote)
    assert wait_for(mechanism, SubflowEstablished)  # and its events, as before
    exchange_whole(served, client)
    second.stop()


@pytest.mark.slow
def test_nothing_but_its_subflows_stays_when_a_client_goes(net: Net) -> None:
    """What it opened lives as long as its connection; the broker is as it was before."""
    with running() as broker:
        before = broker.descriptors()
        client, served = net.connection()
        mechanism = BrokerMechanism(broker.path)
        control = mechanism.control(client)
        control.listen()
        control.open(net.paths[1], SocketAddress("10.0.2.2", client.getpeername()[1]))
        wait_for(mechanism, SubflowEstablished)
        assert broker.descriptors() > before
        mechanism.close()
        eventually(broker.descriptors, before)
        assert len(control.info().subflows) == 2
        exchange(client, served)


@pytest.mark.slow
def test_the_broker_holds_no_connection_open(net: Net) -> None:
    """When the client closes its socket, the server sees the end at once."""
    with running() as broker:
        client, served = net.connection()
        mechanism = BrokerMechanism(broker.path)
        control = mechanism.control(client)
        control.listen()
        control.open(net.paths[1], SocketAddress("10.0.2.2", client.getpeername()[1]))
        client.close()
        served.settimeout(5)
        assert served.recv(1) == b""


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_ten_thousand_cycles_leave_memory_and_descriptors_flat(net: Net) -> None:
    with running("--requests-per-second", "100000") as broker:
        before = broker.descriptors()
        client, _ = net.connection()
        mechanism = BrokerMechanism(broker.path)
        control = mechanism.control(client)
        control.listen()
        remote = SocketAddress("10.0.2.2", client.getpeername()[1])

        def cycles(count: int) -> int:
            done = 0
            while done < count:
                # A peer that is still busy with the last ones refuses, or resets before we close.
                with contextlib.suppress(OpenRefused, NoSuchSubflow):
                    control.close(control.open(net.paths[1], remote))
                    done += 1
                mechanism.events()
            eventually(lambda: len(control.info().subflows), 1)
            return broker.memory()

        memory = cycles(1000)
        later = cycles(10_000)
        eventually(broker.descriptors, before + 2)  # this client's two connections
        assert later <= memory + (1 << 20)


@pytest.mark.slow
def test_it_is_not_asked_for_what_would_leave_by_another_interface(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a kernel that ignores interfaces, which is found through the broker as well."""
    ip("route add default via 10.0.1.2 metric 1", "route add default via 10.0.2.2 metric 2")
    with net.server():
        ip("address add 203.0.113.7/32 dev lo")
    with running() as broker:
        client, _ = net.connection("203.0.113.7")
        mechanism = BrokerMechanism(broker.path)
        monkeypatch.setattr(honoured, "_known", honoured._Known())
        with Subflows(client, mechanism) as subflows:
            with contextlib.suppress(LeavesElsewhere):
                subflows.open(net.paths[1])
            honours = honoured._known.honoured  # this kernel, as a trial shows
            monkeypatch.setattr(honoured, "_known", honoured._Known(honoured=False))
            with pytest.raises(LeavesElsewhere):
                subflows.open(net.paths[1])
        opened = [line for line in broker.log if "open a subflow on c2" in line]
        assert (len(opened), honours) in ((1, True), (0, False))
        mechanism.close()
