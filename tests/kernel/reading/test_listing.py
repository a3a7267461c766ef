"""The kernel's list of sockets, and its codec."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.kernel import ProtocolError, SocketAddress, Subflows, TCPState
from mphttp.kernel.netlink.codec import pack_attributes, pack_integer
from mphttp.kernel.reading.listing import SocketLister
from mphttp.kernel.reading.sock_diag import decode_connection, decode_subflow, pack_question

from ..namespaces import Net


@pytest.mark.parametrize("host", ["10.0.1.2", "fd00:1::2"])
def test_a_connection_is_listed_with_its_subflows(net: Net, host: str) -> None:
    """With what its own socket tells, and the backup flag, which that doesn't tell."""
    client, _ = net.connection(host)
    path, other = net.paths[1], "10.0.2.2"
    if ":" in host:
        path, other = net.paths6[1], "fd00:2::2"
    with Subflows(client) as subflows, closing(SocketLister()) as lister:
        subflows.open(path, SocketAddress(other, 0), backup=True)
        info = subflows.info()
        (listing,) = lister.connections()
        assert listing.connection.token == info.token
        assert listing.connection.tuple == info.subflows[0].tuple
        assert listing.connection.bytes_received == info.bytes_received
        assert [s.info.tuple for s in listing.subflows] == [s.tuple for s in info.subflows]
        assert [s.backup for s in listing.subflows] == [False, True]
        again = lister.connections()
        assert [s.info.id for s in again[0].subflows] == [s.info.id for s in listing.subflows]


def test_no_privilege_is_needed_for_the_connections(net: Net) -> None:
    """Subflows can be told from other TCP sockets without one from 6.15 on."""
    net.connection()
    net.leave_privilege()
    with closing(SocketLister()) as lister:
        (listing,) = lister.connections()
        assert listing.connection.state == TCPState.ESTABLISHED


def test_a_connection_that_fell_back_is_told_apart(net: Net) -> None:
    fallen, _ = net.connect(net.listen(protocol=socket.IPPROTO_TCP))
    net.connection()
    with closing(SocketLister()) as lister:
        listed = [listing.connection for listing in lister.connections()]
    assert len(listed) == 2
    here = [c.tuple.local for c in listed if c.fell_back]
    assert here == [fallen.getsockname()]


def test_the_question_is_what_the_kernel_reads() -> None:
    """Header of 56 bytes, states but LISTEN and CLOSE, and the protocol that doesn't fit a byte."""
    question = pack_question(socket.AF_INET6, 262)
    assert question[:3] == bytes([socket.AF_INET6, 6, 2])
    states = struct.unpack_from("=I", question, 4)[0]
    assert not states & (1 << TCPState.LISTEN | 1 << TCPState.CLOSE)
    assert states & 1 << TCPState.SYN_SENT
    assert question[56:] == struct.pack("=HHI", 8, 3, 262)


def answer(family: int, attributes: dict[int, bytes]) -> bytes:
    """A struct inet_diag_msg, as the kernel writes it."""
    ports = struct.pack("!HH", 5000, 80)
    hosts = socket.inet_aton("10.0.0.1").ljust(16, b"\0") + socket.inet_aton("10.0.0.2").ljust(
        16, b"\0"
    )
    rest = struct.pack("=3I", 0, 7, 1) + struct.pack("=5I", 0, 0, 0, 1000, 4242)
    return bytes([family, 1, 0, 0]) + ports + hosts + rest + pack_attributes(attributes)


def test_answers_are_read() -> None:
    info = bytearray(80)
    struct.pack_into("=I", info, 12, 0xABCD)
    struct.pack_into("=QQ", info, 64, 10**10, 5)
    listed = decode_connection(answer(socket.AF_INET, {2: bytes(info)}))
    assert (listed.token, listed.bytes_received, listed.bytes_acked) == (0xABCD, 10**10, 5)
    assert listed.tuple == (("10.0.0.1", 5000), ("10.0.0.2", 80))
    assert (listed.inode, listed.user, listed.cookie) == (4242, 1000, 1 << 32 | 7)
    old = decode_connection(answer(socket.AF_INET, {2: bytes(info[:64])}))
    assert (old.token, old.bytes_received) == (0xABCD, None)


def test_only_subflows_count_as_such() -> None:
    tcp = {2: bytes([1]).ljust(144, b"\0")}
    assert decode_subflow(answer(socket.AF_INET, tcp)) is None
    tls = {19: pack_attributes({1: b"tls\0"})}
    assert decode_subflow(answer(socket.AF_INET, tcp | tls)) is None
    mptcp = pack_attributes({2: pack_integer(9, 4), 8: pack_integer(1 << 5, 4)})
    found = decode_subflow(answer(socket.AF_INET, tcp | {19: pack_attributes({3: mptcp})}))
    assert found is not None
    assert (found.token, found.backup, found.info.established) == (9, True, True)


def whole() -> Iterator[bytes]:
    mptcp = pack_attributes({2: pack_integer(9, 4), 8: pack_integer(0, 4)})
    tcp = {2: bytes([1]).ljust(250, b"\0"), 19: pack_attributes({1: b"mptcp\0", 3: mptcp})}
    yield from (answer(family, tcp) for family in (socket.AF_INET, socket.AF_INET6))


@given(st.binary(max_size=200) | st.sampled_from(list(whole())), st.data())
def test_damaged_answers_end_in_values_or_a_protocol_error(
    payload: bytes, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(payload)))
    damaged = payload[:at] + data.draw(st.binary(max_size=4)) + payload[at:]
    for read in (decode_connection, decode_subflow):
        with suppress(ProtocolError):
            read(damaged)
