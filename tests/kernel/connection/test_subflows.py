"""The six calls, blocking, on real connections."""

from __future__ import annotations

import select
import socket
import threading

import pytest

from mphttp.kernel import (
    CallRefused,
    FourTuple,
    NetlinkMechanism,
    NoSuchSubflow,
    NotMultipath,
    NotPermitted,
    NotReady,
    OpenRefused,
    SocketAddress,
    Subflows,
    TCPState,
)

from ..namespaces import Net, exchange, ip


def test_the_six_calls(net: Net) -> None:
    """Listed, told, opened, closed; TCP_INFO of one subflow is read without any privilege."""
    client, served = net.connection()
    port = client.getpeername()[1]
    with Subflows(client) as subflows:
        assert subflows.ids() == [1]
        second = subflows.open(net.paths[1], SocketAddress("10.0.2.2", port))
        assert subflows.ids() == [1, second]
        assert subflows.tuple_of(second).local.host == "10.0.2.1"
        assert subflows.tuple_of(second).remote == ("10.0.2.2", port)
        tcp_info = subflows.getsockopt(second, socket.IPPROTO_TCP, socket.TCP_INFO, 104)
        assert tcp_info[0] == TCPState.ESTABLISHED
        assert len(tcp_info) == 104
        subflows.close(1)
        assert subflows.ids() == [second]
        exchange(client, served)
        assert [s.id for s in subflows.info().subflows] == [1, second]
        for call in (subflows.tuple_of, subflows.close):
            with pytest.raises(NoSuchSubflow):
                call(1)


def test_open_by_both_addresses(net: Net) -> None:
    """As in the paper: a tuple with a local port of 0, and a remote port of 0 for the same one."""
    client, _ = net.connection()
    with Subflows(client) as subflows:
        where = FourTuple(SocketAddress("10.0.2.1", 0), SocketAddress("10.0.2.2", 0))
        opened = subflows.tuple_of(subflows.open(where))
        assert opened.remote == ("10.0.2.2", client.getpeername()[1])
        with pytest.raises(ValueError, match="local port must be 0"):
            subflows.open(where._replace(local=SocketAddress("10.0.2.1", 5)))
        with pytest.raises(OpenRefused, match="no interface has the address"):
            subflows.open(where._replace(local=SocketAddress("10.0.7.1", 0)))


def test_open_waits_until_the_connection_is_established(net: Net) -> None:
    """ENOTCONN is waited for: the open that began before the first data succeeds after it."""
    client, served = net.connect(net.listen())
    with Subflows(client) as subflows:
        refused = threading.Event()
        control = subflows._control
        open_ = control.open

        def watched(*args: object, **options: bool) -> object:
            try:
                return open_(*args, **options)  # type: ignore[arg-type]
            except NotReady:
                refused.set()
                raise

        control.open = watched  # type: ignore[assignment]
        opened: list[int] = []
        opener = threading.Thread(
            target=lambda: opened.append(
                subflows.open(net.paths[1], SocketAddress("10.0.2.2", 0), timeout=30)
            )
        )
        opener.start()
        assert refused.wait(30)
        exchange(client, served)
        opener.join()
        assert opened == [2]


def test_open_does_not_wait_forever_for_data(net: Net) -> None:
    client, _ = net.connect(net.listen())
    with Subflows(client) as subflows, pytest.raises(NotReady) as refused:
        subflows.open(net.paths[1], SocketAddress("10.0.2.2", 0), timeout=0.1)
    assert "exchange data first" in refused.value.hint


def test_a_server_at_its_limit_is_a_refusal(net: Net) -> None:
    """The handshake works and yet the subflow isn't open: settling finds out."""
    with net.server():
        ip("mptcp limits set subflows 1")
    client, _ = net.connection()
    with Subflows(client) as subflows:
        assert subflows.open(net.paths[1], SocketAddress("10.0.2.2", 0)) == 2
        with pytest.raises(OpenRefused):
            subflows.open(net.paths[0])
        assert subflows.ids() == [1, 2]


def test_a_refused_port(net: Net) -> None:
    client, _ = net.connection()
    with Subflows(client) as subflows, pytest.raises(OpenRefused, match=r"refused|reset"):
        subflows.open(net.paths[1], SocketAddress("10.0.2.2", 9))


def test_strict_reverse_path_filtering_is_named(net: Net) -> None:
    """The answers are dropped silently; the error says so, and no SYN is left behind."""
    with net.server():
        ip("address add 10.9.9.9/32 dev lo")
    ip("route add default via 10.0.1.2 dev c1", "route add default via 10.0.2.2 dev c2 metric 9")
    net.sysctl("net.ipv4.conf.c2.rp_filter", 1)
    client, served = net.connection("10.9.9.9")
    with Subflows(client) as subflows:
        with pytest.raises(OpenRefused, match="nobody answered") as refused:
            subflows.open(net.paths[1], timeout=0.3)
        assert "rp_filter" in refused.value.hint
        assert [s.id for s in subflows.info().subflows if s.id != 1 and s.state != 7] == []
        net.sysctl("net.ipv4.conf.c2.rp_filter", 2)
        assert subflows.open(net.paths[1]) in subflows.ids()
    exchange(client, served)


def test_a_subflow_is_paused_and_resumed(net: Net) -> None:
    """Paused, it carries nothing; resumed, and alone, it carries all."""
    client, served = net.connection()
    with Subflows(client) as subflows:
        second = subflows.open(net.paths[1], SocketAddress("10.0.2.2", 0), backup=True)
        received = transfer(subflows, client, served)
        assert received[second] == 0
        subflows.set_backup(second, False)
        subflows.set_backup(1, True)
        with net.server():
            there = NetlinkMechanism()
        received = transfer(subflows, client, served)
        assert received[second] > 50_000
        there.close()


def transfer(subflows: Subflows, client: socket.socket, served: socket.socket) -> dict[int, int]:
    """Let the server send, and tell what arrived on each subflow."""
    before = {s.id: s.bytes_received for s in subflows.info().subflows}
    exchange(client, served)
    served.sendall(bytes(100_000))
    assert len(client.recv(100_000, socket.MSG_WAITALL)) == 100_000
    return {s.id: s.bytes_received - before[s.id] for s in subflows.info().subflows}


def test_an_option_for_all_reaches_the_connection(net: Net) -> None:
    client, _ = net.connection()
    with Subflows(client) as subflows:
        subflows.setsockopt_all(socket.IPPROTO_IP, socket.IP_TOS, 0x20)
        assert client.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 0x20
        with pytest.raises(CallRefused, match="option 3 of level 1"):
            subflows.setsockopt_all(socket.SOL_SOCKET, socket.SO_TYPE, 1)


def test_announced_addresses_can_be_listed(net: Net) -> None:
    """What the peer announced and didn't withdraw (ADD_ADDR, REMOVE_ADDR; paper, section 5)."""
    with net.server():
        ip("mptcp endpoint add 10.0.2.2 dev s2 id 7 signal")
    mechanism = NetlinkMechanism()
    listener = net.listen()
    client, served = net.connect(listener)
    subflows = Subflows(client, mechanism)
    exchange(client, served)
    address = SocketAddress("10.0.2.2", listener.getsockname()[1])
    while not (announced := subflows.announced()):
        assert select.select([mechanism], [], [], 20)[0]
    assert announced == [address]
    with net.server():
        ip("mptcp endpoint delete id 7")
    while subflows.announced():
        assert select.select([mechanism], [], [], 20)[0]


def test_without_the_privilege_it_tells_and_explains(net: Net) -> None:
    """Information needs no privilege; a change says what is missing."""
    client, _ = net.connection()
    net.leave_privilege()
    with Subflows(client) as subflows:
        assert subflows.ids() == [1]
        assert subflows.announced() == []
        with pytest.raises(NotPermitted) as refused:
            subflows.open(net.paths[1])
        assert "net_admin" in refused.value.hint
        for call in (lambda: subflows.close(1), lambda: subflows.set_backup(1, True)):
            with pytest.raises(NotPermitted):
                call()


def test_a_plain_connection_has_no_subflows(net: Net) -> None:
    client, _ = net.connect(net.listen(protocol=socket.IPPROTO_TCP))
    with pytest.raises(NotMultipath):
        Subflows(client)
