"""Reading real connections."""

from __future__ import annotations

import dataclasses
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from mphttp.kernel import (
    NetlinkMechanism,
    NoSuchSubflow,
    NotMultipath,
    SocketAddress,
    capture,
    tcp_info,
)
from mphttp.kernel.reading.info import (
    BriefCapture,
    FullCapture,
    LegacyCapture,
    capture_after,
    capture_legacy,
)

from ..namespaces import Net, exchange


def test_a_capture_keeps_what_was(net: Net) -> None:
    """It is read later and tells of the moment when it was taken."""
    client, served = net.connection()
    before = capture(client.fileno())
    exchange(client, served)
    after = capture(client.fileno())
    assert isinstance(before, FullCapture)
    assert (before.decode().bytes_received, after.decode().bytes_received) == (1, 2)
    (subflow,) = after.decode().subflows
    assert subflow.id == 1
    assert subflow.tuple.local == SocketAddress(*client.getsockname())
    assert subflow.tuple.remote == SocketAddress(*client.getpeername())
    assert subflow.established
    assert subflow.bytes_received == 2
    assert 0 < subflow.rtt < 10


@pytest.mark.slow
@pytest.mark.parametrize(
    "hosts", [("10.0.1.2", "10.0.2.2"), ("fd00:1::2", "fd00:2::2")], ids=["IPv4", "IPv6"]
)
def test_the_older_options_tell_the_same(net: Net, hosts: tuple[str, str]) -> None:
    """Before 6.5 three options are read; all but the ids and the connection's bytes is the same."""
    client, _ = net.connection(hosts[0])
    control = NetlinkMechanism().control(client)
    for path, host in zip(net.paths6 if ":" in hosts[0] else net.paths, hosts, strict=True):
        control.open(path, SocketAddress(host, 0))
    older = capture_legacy(client.fileno())
    newer = capture(client.fileno())
    assert isinstance(older, LegacyCapture)

    def known(info: LegacyCapture | FullCapture) -> list[object]:
        return [(s.tuple, s.state, s.bytes_received) for s in info.decode().subflows]

    assert known(older) == known(newer)
    assert len(known(older)) == 3
    assert older.decode().token == newer.decode().token
    assert older.decode().fully_established


def test_a_brief_capture_tells_the_same(net: Net) -> None:
    """With one subflow, the counters alone say what a full capture says of bytes."""
    client, served = net.connection()
    earlier = capture(client.fileno())
    assert isinstance(earlier, FullCapture)
    exchange(client, served)
    brief, full = capture_after(client, earlier), capture(client.fileno())
    assert isinstance(brief, BriefCapture)
    assert brief.bytes_received == full.bytes_received == 2
    told, expected = brief.decode(), full.decode()
    assert told.bytes_received == expected.bytes_received
    assert [(s.id, s.tuple, s.bytes_received) for s in told.subflows] == [
        (s.id, s.tuple, s.bytes_received) for s in expected.subflows
    ]


def test_a_second_subflow_ends_brief_captures(net: Net) -> None:
    """What came over which subflow takes a full capture, also where one was the first alone."""
    client, _ = net.connection()
    earlier = capture(client.fileno())
    assert isinstance(earlier, FullCapture)
    assert earlier.single
    NetlinkMechanism().control(client).open(net.paths[1], SocketAddress("10.0.2.2", 0))
    later = capture_after(client, earlier)
    assert isinstance(later, FullCapture)
    assert not later.single
    assert len(later.decode().subflows) == 2


def test_a_brief_capture_fails_as_a_full_one_does(net: Net) -> None:
    """A closed socket is said to be closed."""
    client, _ = net.connection()
    earlier = capture(client.fileno())
    assert isinstance(earlier, FullCapture)
    client.close()
    with pytest.raises(NoSuchSubflow):
        capture_after(client, earlier)


def test_there_is_room_for_many_subflows(net: Net) -> None:
    """More than a first call has room for: all are told, once each."""
    client, _ = net.connection()
    control = NetlinkMechanism().control(client)
    for _ in range(8):
        control.open(net.paths[0], SocketAddress("10.0.1.2", 0))
    assert [s.id for s in capture(client.fileno()).decode().subflows] == list(range(1, 10))
    assert len(capture_legacy(client.fileno()).decode().subflows) == 9


def test_threads_do_not_share_memory(net: Net) -> None:
    """Captures of different connections, taken at once by many threads, aren't mixed up."""
    connections = [net.connection()[0] for _ in range(4)]
    tokens = [capture(sock.fileno()).decode().token for sock in connections]

    def look(n: int) -> bool:
        taken = [capture(connections[n % 4].fileno()) for _ in range(50)]
        return all(one.decode().token == tokens[n % 4] for one in taken)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(look, range(40)))


@pytest.mark.parametrize("take", [capture, capture_legacy])
def test_plain_connections_are_not_multipath(net: Net, take: type[FullCapture]) -> None:
    """A fallback and a TCP socket are told apart, on both ways of reading."""
    listener = net.listen(protocol=socket.IPPROTO_TCP)
    fallen, _ = net.connect(listener)
    plain, _ = net.connect(listener, protocol=socket.IPPROTO_TCP)
    with pytest.raises(NotMultipath, match="fell back") as told:
        take(fallen.fileno())
    assert "does not speak Multipath TCP" in told.value.hint
    with pytest.raises(NotMultipath, match="not an MPTCP socket"):
        take(plain.fileno())
    local, _ = socket.socketpair()
    with pytest.raises(NotMultipath):
        take(local.fileno())


@pytest.mark.parametrize("take", [capture, capture_legacy])
def test_a_closed_socket(net: Net, take: type[FullCapture]) -> None:
    client, _ = net.connection()
    client.close()
    with pytest.raises(NoSuchSubflow):
        take(client.fileno())


@pytest.mark.parametrize("protocol", [socket.IPPROTO_TCP, 262])
def test_a_plain_connection_is_one_subflow(net: Net, protocol: int) -> None:
    """TCP, and MPTCP that fell back, are told by TCP_INFO."""
    client, served = net.connect(net.listen(protocol=socket.IPPROTO_TCP), protocol=protocol)
    served.sendall(b"12345")
    assert client.recv(5, socket.MSG_WAITALL) == b"12345"
    told = tcp_info(client)
    assert (told.id, told.bytes_received) == (0, 5)
    assert told.tuple.remote == SocketAddress(*client.getpeername())
    assert dataclasses.astuple(told)[2] == 1
    client.close()
    with pytest.raises(NoSuchSubflow):
        tcp_info(client)
