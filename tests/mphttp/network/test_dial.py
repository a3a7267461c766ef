"""Making and connecting sockets: MPTCP where the kernel has it, to the address that answers."""

from __future__ import annotations

import errno
import os
import resource
import socket
from collections.abc import Iterator

import pytest

from mphttp.engine import Request
from mphttp.kernel.reading.info import mptcp_error
from mphttp.kernel.values import SocketAddress
from mphttp.network.dial import IPPROTO_MPTCP, dial, multipath_socket
from mphttp.network.start import Start
from mphttp.network.time_limit import TimeLimit
from mphttp.strategies import Path, SinglePath
from tests.kernel.namespaces import Net, in_child, ip

needs_mptcp = pytest.mark.skipif(mptcp_error() != 0, reason="this kernel makes no MPTCP sockets")
LOOPBACK = SocketAddress("127.0.0.1", 80)
NO_LIMIT = TimeLimit(None)


@pytest.fixture
def port() -> Iterator[int]:
    """A port where somebody listens, on IPv4 only."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@pytest.fixture(autouse=True)
def _no_descriptor_left() -> Iterator[None]:
    before = os.listdir("/proc/self/fd")
    yield
    assert len(os.listdir("/proc/self/fd")) == len(before)


@needs_mptcp
def test_a_socket_speaks_mptcp(port: int) -> None:
    with dial("127.0.0.1", port, limit=NO_LIMIT) as sock:
        assert sock.proto == IPPROTO_MPTCP
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_kernel_without_mptcp_makes_tcp_sockets() -> None:
    """Switched off in a namespace of its own."""

    def without() -> None:
        net = Net()
        net.start()
        net.sysctl("net.mptcp.enabled", 0)
        ip("link set lo up")
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            dial("127.0.0.1", server.getsockname()[1], limit=NO_LIMIT) as sock,
        ):
            assert sock.proto != IPPROTO_MPTCP
        with multipath_socket(socket.AF_INET6) as sock:
            assert sock.proto != IPPROTO_MPTCP

    if mptcp_error():
        pytest.skip("this kernel makes no MPTCP sockets, with or without the switch")
    in_child(without)


def test_another_error_than_no_mptcp_is_told() -> None:

    def without_descriptors() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
        with pytest.raises(OSError, match="Too many open files"):
            multipath_socket(socket.AF_INET)

    in_child(without_descriptors)


def resolve_to(monkeypatch: pytest.MonkeyPatch, *hosts: str) -> None:
    """Let every name stand for these addresses, in this order."""

    def found(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        return [
            (socket.AF_INET6 if ":" in h else socket.AF_INET, socket.SOCK_STREAM, 6, "", (h, port))
            for h in hosts
        ]

    monkeypatch.setattr(socket, "getaddrinfo", found)


def test_the_next_address_is_tried(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    resolve_to(monkeypatch, "127.0.0.2", "127.0.0.1")
    with dial("two.example", port, limit=NO_LIMIT) as sock:
        assert sock.getpeername() == ("127.0.0.1", port)


def test_an_address_that_no_path_reaches_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    """A host may have an IPv6 address, and the interface that is to be used none."""
    resolve_to(monkeypatch, "2001:db8::1", "127.0.0.1")
    with dial("two.example", port, limit=NO_LIMIT, start=Start(["lo"])) as sock:
        assert sock.getpeername() == ("127.0.0.1", port)


def test_nobody_listens(nobody: int) -> None:
    with pytest.raises(ConnectionRefusedError):
        dial("127.0.0.1", nobody, limit=NO_LIMIT)


def test_nobody_answers() -> None:
    """A full backlog drops what comes."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        address = server.getsockname()
        with socket.create_connection(address), pytest.raises(TimeoutError):
            dial(*address, limit=TimeLimit(0.2))


def test_an_address_that_is_named_twice_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two sockets for it, one would be forgotten."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        address = server.getsockname()
        with socket.create_connection(address):
            resolve_to(monkeypatch, "127.0.0.1", "127.0.0.1")
            with pytest.raises(TimeoutError):
                dial("two.example", address[1], limit=TimeLimit(0.4))


def test_no_address_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch)
    with pytest.raises(OSError, match="no address is known for nowhere"):
        dial("nowhere.example", 80, limit=NO_LIMIT)


def test_a_local_address_is_kept(port: int) -> None:
    with dial("127.0.0.1", port, limit=NO_LIMIT, local_address="127.0.0.3") as sock:
        assert sock.getsockname()[0] == "127.0.0.3"


def test_options_are_set_before_connecting(port: int) -> None:
    """Some work only then, such as the smallest segment."""
    option = (socket.IPPROTO_TCP, socket.TCP_MAXSEG, 600)
    with dial("127.0.0.1", port, limit=NO_LIMIT, options=[option]) as sock:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) <= 600


def test_a_bad_option_is_told(port: int) -> None:
    with pytest.raises(OSError, match="Protocol not available"):
        dial("127.0.0.1", port, limit=NO_LIMIT, options=[(socket.IPPROTO_TCP, 9999, 1)])


def test_a_named_interface_is_used(port: int) -> None:
    with dial("127.0.0.1", port, limit=NO_LIMIT, start=Start(["lo"])) as sock:
        assert sock.getsockname()[0] == "127.0.0.1"


def test_no_named_interface_reaches_the_peer(port: int) -> None:
    """Another one must not take its place: who names interfaces may have to pay for the others."""
    with pytest.raises(OSError, match="none of the interfaces nope0 reaches") as caught:
        dial("127.0.0.1", port, limit=NO_LIMIT, start=Start(["nope0"]))
    assert caught.value.errno == errno.ENETUNREACH


def test_where_nobody_asks_the_system_chooses() -> None:
    assert Start(None).paths(LOOPBACK) == [None]
    with Request("http://127.0.0.1/", SinglePath("lo")):
        (chosen,) = Start(None).paths(LOOPBACK)  # which is what the system would choose
    assert chosen
    assert chosen.name == "lo"
    assert Path(chosen.name) == Path("lo")
