"""Options of one subflow, told by `ss` and by the packets on the wire."""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import pytest

from mphttp.kernel import CallRefused, NotSupported, ReadonlyMechanism, SocketAddress, Subflows

from ..namespaces import Net, exchange, ip
from ..two_subflows import (
    IP,
    IPV6,
    SO_MARK,
    SO_MAX_PACING_RATE,
    SOCKET,
    TCP,
    Connection,
    integer,
    ss,
    two_subflows,
)

pytestmark = pytest.mark.slow

EXPEDITED = 46 << 2
"""The byte that IP_TOS and IPV6_TCLASS take for the code point EF (RFC 3246)."""


@pytest.mark.parametrize("host", ["10.0.1.2", "fd00:1::2"])
@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ((SOCKET, socket.SO_PRIORITY), 5, "class_id:0x5"),
        ((SOCKET, SO_MARK), 7, "fwmark:0x7"),
        ((SOCKET, SO_MAX_PACING_RATE), 3_000_000_000, "/24000000000bps"),
        ((TCP, socket.TCP_CONGESTION), b"reno", " reno "),
    ],
)
def test_ss_tells_it_of_one_subflow(
    root_net: Net, host: str, option: tuple[int, int], value: int | bytes, told: str
) -> None:
    """What is set on one subflow is told of it, and of the other it isn't; reading gives it."""
    with two_subflows(root_net, host) as on:
        on.subflows.setsockopt(on.second, *option, value)
        assert told in ss(on.subflows, on.second)
        assert told not in ss(on.subflows, on.first)
        size = 4 if isinstance(value, int) else 16
        read = on.subflows.getsockopt(on.second, *option, size)
        assert (integer(read) if isinstance(value, int) else read.rstrip(b"\0")) == value
        assert on.subflows.getsockopt(on.first, *option, size) != read


def test_keep_alive_of_one_subflow(root_net: Net) -> None:
    """Its timer runs, with the times that were set, on this subflow alone."""
    values = {
        (TCP, socket.TCP_KEEPIDLE): 77,
        (TCP, socket.TCP_KEEPINTVL): 11,
        (TCP, socket.TCP_KEEPCNT): 3,
        (SOCKET, socket.SO_KEEPALIVE): 1,
    }
    with two_subflows(root_net) as on:
        for option, value in values.items():
            on.subflows.setsockopt(on.second, *option, value)
        assert "timer:(keepalive,1min" in ss(on.subflows, on.second)
        assert "keepalive" not in ss(on.subflows, on.first)
        for option, value in values.items():
            assert integer(on.subflows.getsockopt(on.second, *option, 4)) == value
            assert integer(on.subflows.getsockopt(on.first, *option, 4)) != value


def test_the_user_timeout_ends_one_subflow(root_net: Net) -> None:
    """On links that carry nothing any more, the subflow with a short time-out goes first."""
    with two_subflows(root_net) as on:
        on.subflows.setsockopt(on.second, TCP, socket.TCP_USER_TIMEOUT, 300)
        assert integer(on.subflows.getsockopt(on.second, TCP, socket.TCP_USER_TIMEOUT, 4)) == 300
        with root_net.server():
            ip("link set s1 down", "link set s2 down")
        on.client.setblocking(False)
        on.client.send(bytes(100_000))
        deadline = time.monotonic() + 30
        while on.second in on.subflows.ids():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert on.subflows.ids() == [on.first]


@contextmanager
def marks(net: Net, link: int) -> Iterator[set[int]]:
    """Collect the DSCP byte of each TCP packet that reaches the server by a link meanwhile."""
    seen: set[int] = set()
    with net.server():
        sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        sniffer.bind((f"s{link}", 3))
    yield seen
    while select.select([sniffer], [], [], 0)[0]:
        packet, (_, protocol, kind, *_) = sniffer.recvfrom(65536)
        if kind == socket.PACKET_OUTGOING:
            continue
        if protocol == 0x0800 and packet[9] == TCP:
            seen.add(packet[1])
        if protocol == 0x86DD and packet[6] == TCP:
            seen.add((int.from_bytes(packet[:2], "big") >> 4) & 0xFF)
    sniffer.close()


@pytest.mark.parametrize(
    ("host", "option"),
    [
        ("10.0.1.2", (IP, socket.IP_TOS)),
        ("fd00:1::2", (IPV6, socket.IPV6_TCLASS)),
        ("::ffff:10.0.1.2", (IP, socket.IP_TOS)),
    ],
)
@pytest.mark.parametrize("marked", ["first", "second"])
def test_packets_of_one_subflow_are_marked(
    root_net: Net, host: str, option: tuple[int, int], marked: str
) -> None:
    """The capture shows the DSCP in every packet of one subflow and in none of the other's."""
    with two_subflows(root_net, host) as on:
        on.subflows.setsockopt(getattr(on, marked), *option, EXPEDITED)
        with marks(root_net, 1) as first, marks(root_net, 2) as second:
            use_both(on)
        expected = ({EXPEDITED}, {0}) if marked == "first" else ({0}, {EXPEDITED})
        assert (first, second) == expected


def use_both(on: Connection) -> None:
    """Send over each subflow, the other one paused."""
    for paused, used in ((on.second, on.first), (on.first, on.second)):
        on.subflows.set_backup(used, False)
        on.subflows.set_backup(paused, True)
        exchange(on.client, on.served)
        on.client.sendall(bytes(100_000))
        assert len(on.served.recv(100_000, socket.MSG_WAITALL)) == 100_000


def test_congestion_control_changes_in_mid_transfer(root_net: Net) -> None:
    """One subflow goes from cubic to reno and back, the other stays; all bytes arrive in order."""
    pattern = bytes(range(251)) * 4000
    with two_subflows(root_net) as on, Stream(on, pattern) as stream:
        on.subflows.setsockopt_all(TCP, socket.TCP_CONGESTION, b"cubic")
        for control in ("reno", "cubic", "reno"):
            stream.wait_for_more()
            on.subflows.setsockopt(on.second, TCP, socket.TCP_CONGESTION, control.encode())
            assert f" {control} " in ss(on.subflows, on.second)
            assert " cubic " in ss(on.subflows, on.first)
            stream.wait_for_more()
    times, rest = divmod(len(stream.received), len(pattern))
    assert rest == 0
    assert stream.received == pattern * times


class Stream:
    """Data that flows from the client to the server meanwhile: a pattern, time and again."""

    def __init__(self, on: Connection, pattern: bytes) -> None:
        self.received = bytearray()
        self._ends, self._pattern = (on.client, on.served), pattern
        self._finish = threading.Event()
        self._threads = [threading.Thread(target=work) for work in (self._send, self._receive)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._finish.set()
        for thread in self._threads:
            thread.join()

    def wait_for_more(self) -> None:
        before, deadline = len(self.received), time.monotonic() + 20
        while len(self.received) == before:
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def _send(self) -> None:
        while not self._finish.is_set():
            self._ends[0].sendall(self._pattern)
        self._ends[0].shutdown(socket.SHUT_WR)

    def _receive(self) -> None:
        while data := self._ends[1].recv(1 << 20):
            self.received.extend(data)


def test_options_need_no_path_manager(root_net: Net) -> None:
    """Where subflows can't be opened, options of the one that there is can still be set."""
    client, _ = root_net.connection()
    with Subflows(client, ReadonlyMechanism(NotSupported("nothing"))) as subflows:
        subflows.setsockopt(1, IP, socket.IP_TOS, 0x20)
        assert "tos:0x20" in ss(subflows, 1)


def test_tcp_info_of_one_subflow(root_net: Net) -> None:
    """It is the subflow's own, as long as the kernel's, and cut to what was asked for."""
    with two_subflows(root_net) as on:
        exchange(on.client, on.served)
        both = (on.first, on.second)
        whole = {i: on.subflows.getsockopt(i, TCP, socket.TCP_INFO, 4096) for i in both}
        assert all(200 <= len(info) < 4096 for info in whole.values())
        received = {i: struct.unpack_from("=Q", info, 128)[0] for i, info in whole.items()}
        assert received == {s.id: s.bytes_received for s in on.subflows.info().subflows}
        assert received[on.first] > 0
        assert len(on.subflows.getsockopt(on.first, TCP, socket.TCP_INFO, 9)) == 9


def test_an_option_for_all(root_net: Net) -> None:
    """By the connection where it takes it, also for later subflows; else on those there are."""
    with two_subflows(root_net) as on:
        both = [on.first, on.second]
        assert on.subflows.setsockopt_all(SOCKET, SO_MARK, 7) == both
        assert on.subflows.setsockopt_all(SOCKET, SO_MAX_PACING_RATE, 12345) == both
        assert on.subflows.setsockopt_all(TCP, socket.TCP_USER_TIMEOUT, 9876) == both
        third = on.subflows.open(root_net.paths[1], SocketAddress("10.0.2.2", 0))
        for subflow in both:
            assert "fwmark:0x7" in ss(on.subflows, subflow)
            assert "/98760bps" in ss(on.subflows, subflow)
            timeout = on.subflows.getsockopt(subflow, TCP, socket.TCP_USER_TIMEOUT, 4)
            assert integer(timeout) == 9876
        assert "fwmark:0x7" in ss(on.subflows, third)
        assert "/98760bps" not in ss(on.subflows, third)


def test_an_option_for_all_of_one_family(root_net: Net) -> None:
    """A connection over both: the traffic class is set where there is one."""
    client, _ = root_net.connection("fd00:1::2")
    with Subflows(client) as subflows:
        second = subflows.open(root_net.paths[1], SocketAddress("10.0.2.2", 0))
        assert subflows.setsockopt_all(IPV6, socket.IPV6_TCLASS, 0x30) == [1]
        assert "tclass:0x30" in ss(subflows, 1)
        subflows.close(1)
        with pytest.raises(CallRefused):
            subflows.setsockopt_all(IPV6, socket.IPV6_TCLASS, 0x30)
        assert subflows.ids() == [second]
