"""What a hostile client can do: nothing, and others don't notice."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import socket
import statistics
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from mphttp.broker.actions import Passed, act
from mphttp.broker.descriptor import connection_of
from mphttp.broker.listener import listen
from mphttp.broker.namespace import Namespace
from mphttp.broker.namespaces import Namespaces
from mphttp.broker.rules import Rules
from mphttp.broker.server import Server
from mphttp.broker.service import Service
from mphttp.kernel import (
    CallRefused,
    KernelError,
    NetlinkMechanism,
    NoSuchSubflow,
    NotMultipath,
    ProtocolError,
    SocketAddress,
    Subflows,
)
from mphttp.kernel.broker.mechanism import BrokerMechanism
from mphttp.kernel.broker.messages import (
    Close,
    Done,
    Hello,
    OnConnection,
    Open,
    Opened,
    Refused,
    SetBackup,
    Watch,
    Watching,
    Welcome,
)
from mphttp.kernel.broker.wire import encode_request
from mphttp.kernel.path_manager.commands import PathManagerMessage
from mphttp.kernel.reading.info import IPPROTO_MPTCP, capture
from tests.kernel.namespaces import Net

from .brokers import Broker, Stranger, eventually, running

pytestmark = pytest.mark.slow

NOBODY = 65534
PROMPTLY = 0.1  # seconds


def an_open(net: Net, port: int = 0) -> Open:
    path = net.paths[1]
    return Open(path.index, path.address, SocketAddress("10.0.2.2", port), 1, False)


def disconnect(sock: socket.socket) -> None:
    """End a connection, and keep the socket (connect(2), AF_UNSPEC)."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.connect(sock.fileno(), bytes(16), 16) == 0


def kind_of(answer: object) -> type:
    assert isinstance(answer, Refused), answer
    return answer.kind


def requests(net: Net) -> list[OnConnection]:
    return [an_open(net), Close(1), SetBackup(1, True), Watch()]


# What is passed.


def passed_instead(net: Net) -> Iterator[tuple[str, int, type]]:
    """Everything that isn't a connected MPTCP socket."""
    kept: list[object] = []

    def keep(sock: socket.socket) -> socket.socket:
        kept.append(sock)
        return sock

    listener = net.listen()
    tcp, _ = net.connect(net.listen(protocol=0), protocol=0)
    fallen_back, _ = net.connect(net.listen(protocol=0))
    disconnected, _ = net.connection()
    disconnect(disconnected)
    unix, _ = (keep(sock) for sock in socket.socketpair())
    fresh = keep(socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP))
    datagrams = keep(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
    reader, writer = os.pipe()
    yield "TCP", tcp.fileno(), NotMultipath
    yield "fallen back", fallen_back.fileno(), NotMultipath
    yield "listening", listener.fileno(), CallRefused
    yield "disconnected", disconnected.fileno(), NotMultipath
    yield "never connected", fresh.fileno(), NotMultipath
    yield "Unix", unix.fileno(), NotMultipath
    yield "UDP", datagrams.fileno(), NotMultipath
    yield "pipe", reader, NotMultipath
    yield "folder", os.open("/", os.O_PATH), NotMultipath
    os.close(reader)
    os.close(writer)


def test_only_a_connected_mptcp_socket_will_do(net: Net) -> None:
    with running() as broker:
        stranger = Stranger(broker.path)
        before = broker.descriptors()
        for name, descriptor, kind in passed_instead(net):
            for request in requests(net):
                assert kind_of(stranger.ask(request, descriptor)) is kind, name
        eventually(broker.descriptors, before)
        assert len(broker.log) > 5  # refusals are logged, so many a second


def test_who_holds_no_socket_gets_nothing(net: Net) -> None:
    with running() as broker:
        stranger = Stranger(broker.path)
        for request in requests(net):
            assert kind_of(stranger.ask(request)) is CallRefused


def test_another_connection_is_out_of_reach(net: Net) -> None:
    """Passing one's own socket, one can name one's own subflows only."""
    with running() as broker:
        theirs, _ = net.connection()
        with Subflows(theirs, NetlinkMechanism()) as subflows:
            second = subflows.open(net.paths[1], SocketAddress("10.0.2.2", 0))
        mine, _ = net.connection()
        stranger = Stranger(broker.path)
        for request in (Close(second), SetBackup(second, True)):
            assert kind_of(stranger.ask(request, mine.fileno())) is NoSuchSubflow
        assert len(capture(theirs.fileno()).decode().subflows) == 2


def test_several_descriptors_are_refused_and_closed(net: Net) -> None:
    with running() as broker:
        client, _ = net.connection()
        stranger = Stranger(broker.path)
        before = broker.descriptors()
        for count in (2, 3, 64, 253):
            answer = stranger.ask(an_open(net), *[client.fileno()] * count)
            assert kind_of(answer) is CallRefused
        eventually(broker.descriptors, before)
        assert len(capture(client.fileno()).decode().subflows) == 1


def test_a_hello_with_a_descriptor_is_refused(net: Net) -> None:
    with running() as broker:
        client, _ = net.connection()
        before = broker.descriptors()
        stranger = Stranger(broker.path, hello=False)
        assert kind_of(stranger.ask(Hello(), client.fileno())) is CallRefused
        stranger.close()
        eventually(broker.descriptors, before)


# What is sent.


def test_what_cannot_be_read_ends_the_conversation(net: Net) -> None:
    bad = [b"\0", b"\1", b"\1\2", b"\xff" * 512, bytes(513), bytes(60_000), b"\1\3\0\0\0"]
    with running() as broker:
        client, _ = net.connection()
        before = broker.descriptors()
        for message in bad:
            for descriptors in ([], [client.fileno()]):
                stranger = Stranger(broker.path)
                stranger.send(message, descriptors)
                assert kind_of(stranger.receive()) is ProtocolError
                assert stranger.receive() is None
        eventually(broker.descriptors, before)
        assert "refused" in broker.log[1]


def test_byte_by_byte_nothing_comes_together(net: Net) -> None:
    """A message is what is sent at once; half of one is none."""
    with running() as broker:
        client, _ = net.connection()
        stranger = Stranger(broker.path)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for byte in encode_request(an_open(net)):
                stranger.send(bytes([byte]), [client.fileno()])
        assert kind_of(stranger.receive()) is ProtocolError
        assert len(capture(client.fileno()).decode().subflows) == 1


def test_nothing_is_done_before_hello(net: Net) -> None:
    with running() as broker:
        client, _ = net.connection()
        stranger = Stranger(broker.path, hello=False)
        assert kind_of(stranger.ask(an_open(net), client.fileno())) is ProtocolError
        assert stranger.receive() is None


# The time between the check and the act.


class Meddler(Namespace):
    """A path manager before which something happens to the connection."""

    def __init__(self, meddle: Callable[[PathManagerMessage], PathManagerMessage]) -> None:
        super().__init__()
        self._meddle = meddle

    def request(
        self, message: PathManagerMessage, *, dump: bool = False
    ) -> list[PathManagerMessage]:
        return super().request(self._meddle(message), dump=dump)


def test_a_connection_that_ends_between_check_and_act(net: Net) -> None:
    client, _ = net.connection()

    def meddle(message: PathManagerMessage) -> PathManagerMessage:
        disconnect(client)
        return message

    connection = connection_of(client)
    assert connection is not None
    for request in (an_open(net, 80), Close(1), SetBackup(1, True)):
        answer = act(request, Passed(client, Meddler(meddle), connection), "c2")
        assert kind_of(answer) is NoSuchSubflow


def test_a_token_that_is_given_to_another_between_check_and_act(net: Net) -> None:
    """What was opened on the other's connection is closed at once; nothing else reaches it."""
    client, _ = net.connection()
    other, _ = net.connection()
    port = other.getpeername()[1]
    others_token = capture(other.fileno()).decode().token
    commands = []

    def meddle(message: PathManagerMessage) -> PathManagerMessage:
        """Let the token mean the other's connection from now on."""
        if not commands:
            disconnect(client)
        commands.append(message.command.name)
        return type(message)(
            **{name: getattr(message, name) for name in message.__slots__} | {"token": others_token}
        )

    connection = connection_of(client)
    assert connection is not None
    answer = act(an_open(net, port), Passed(client, Meddler(meddle), connection), "c2")
    assert kind_of(answer) is NoSuchSubflow
    assert commands == ["SUBFLOW_CREATE", "REMOVE"]
    eventually(lambda: len(capture(other.fileno()).decode().subflows), 1)
    for request in (Close(1), SetBackup(1, True)):
        client, _ = net.connection()
        connection = connection_of(client)
        assert connection is not None
        commands.clear()
        answer = act(request, Passed(client, Meddler(meddle), connection), "")
        assert isinstance(answer, Refused)
    (left,) = capture(other.fileno()).decode().subflows
    assert left.established


# Taking more than one's share. These need two users: root, and nobody.


@contextmanager
def attacking(attack: Callable[[], object]) -> Iterator[int]:
    """Let another user's process attack, over and over, until the end."""
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        while True:
            with contextlib.suppress(OSError):
                attack()
    try:
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def served_within(net: Net, broker: Broker, rounds: int = 15) -> float:
    """Return the seconds after which a client of root's, old and new, is answered."""
    client, _ = net.connection()
    mechanism = BrokerMechanism(broker.path)
    control = mechanism.control(client)
    (subflow,) = control.info().subflows
    times = []
    for _ in range(rounds):
        began = time.monotonic()
        control.set_backup(subflow, False)
        BrokerMechanism(broker.path).close()
        times.append(time.monotonic() - began)
        time.sleep(0.02)
    mechanism.close()
    return statistics.median(times)  # since the machine has other things to do as well


def served_promptly(net: Net, broker: Broker, usual: float) -> None:
    """Check that such a client is answered as if there was nobody else."""
    assert served_within(net, broker) < PROMPTLY + 5 * usual


def test_a_flood_of_requests_holds_up_nobody(root_net: Net) -> None:
    with running("--requests-per-second", "200") as broker:
        client, _ = root_net.connection()
        message = encode_request(SetBackup(1, False))
        strangers: list[Stranger] = []

        def attack() -> None:
            if len(strangers) < 8:
                strangers.append(Stranger(broker.path))
                strangers[-1].sock.setblocking(False)
            for stranger in strangers:
                with contextlib.suppress(BlockingIOError):
                    stranger.send(message, [client.fileno()])
                with contextlib.suppress(BlockingIOError):
                    while True:
                        stranger.sock.recv(8192)

        before = broker.descriptors()
        usual = served_within(root_net, broker)
        with attacking(attack) as attacker:
            served_promptly(root_net, broker, usual)
            mine = [line for line in broker.log if f"process {attacker}:" in line]
        assert len(mine) < 200 + 200 * 10
        eventually(broker.descriptors, before)
        served_promptly(root_net, broker, usual)


def test_a_flood_of_connections_holds_up_nobody(root_net: Net) -> None:
    with running("--clients-per-user", "8") as broker:
        kept: list[Stranger] = []

        def attack() -> None:
            kept.append(Stranger(broker.path, hello=False))
            del kept[:-100]

        before = broker.descriptors()
        usual = served_within(root_net, broker)
        with attacking(attack):
            eventually(lambda: any("too many processes" in line for line in broker.log), True)
            served_promptly(root_net, broker, usual)
        eventually(broker.descriptors, before)


def test_all_clients_together_are_capped(root_net: Net) -> None:
    with running("--clients", "4") as broker:
        strangers = [Stranger(broker.path) for _ in range(4)]
        stranger = Stranger(broker.path, hello=False)
        assert kind_of(stranger.receive()) is CallRefused
        assert stranger.receive() is None
        strangers.pop().close()
        eventually(lambda: type(Stranger(broker.path, hello=False).ask(Hello())), Welcome)


def test_a_client_that_never_reads_is_left(root_net: Net) -> None:
    with running() as broker:
        client, _ = root_net.connection()
        message = encode_request(SetBackup(1, False))
        before = broker.descriptors()
        usual = served_within(root_net, broker)

        def attack() -> None:
            stranger = Stranger(broker.path)
            while True:
                stranger.send(message, [client.fileno()])

        with attacking(attack):
            served_promptly(root_net, broker, usual)
        eventually(broker.descriptors, before)


def test_a_watcher_that_never_reads_is_left(net: Net) -> None:
    """Events aren't kept for it; others have theirs."""
    with running("--requests-per-second", "100000") as broker:
        client, _ = net.connection()
        silent = Stranger(broker.path)
        assert isinstance(silent.ask(Watch(), client.fileno()), Watching)
        mechanism = BrokerMechanism(broker.path)
        control = mechanism.control(client)
        control.listen()
        remote = SocketAddress("10.0.2.2", client.getpeername()[1])
        poll = select.poll()
        poll.register(silent.sock, 0)  # tells of a hang-up alone
        events = []
        deadline = time.monotonic() + 30
        while not poll.poll(0):
            assert time.monotonic() < deadline
            with contextlib.suppress(KernelError):
                control.close(control.open(net.paths[1], remote))
            events += mechanism.events()
        assert len(events) > 100


def test_what_takes_long_to_close_holds_up_its_user_alone(root_net: Net) -> None:
    """A socket that lingers takes as long as its peer likes; a queue can hide it."""
    with running("--closings-per-user", "4") as broker:
        usual = served_within(root_net, broker)
        listener = root_net.listen(protocol=0)

        def attack() -> None:
            stranger = Stranger(broker.path)
            for nested in (False, True):
                sock = socket.socket()
                sock.connect(("10.0.1.2", listener.getsockname()[1]))
                sock.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        sock.send(bytes(65536))  # nobody reads it
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 60))
                if nested:
                    one, other = socket.socketpair()
                    socket.send_fds(one, [b"."], [sock.fileno()])
                    one.close()
                    last = other
                else:
                    last = sock
                stranger.send(encode_request(Close(1)), [last.fileno()])
                # A moment later the broker's is the last that is left.
                sock.close()
                last.close()
            stranger.receive()

        with attacking(attack):
            eventually(lambda: any("refused" in line for line in broker.log), True)
            served_promptly(root_net, broker, usual)
            assert broker.descriptors() < 200


def test_the_same_socket_can_be_passed_for_ever(net: Net) -> None:
    """Descriptors in flight and in hand stay few."""
    with running("--requests-per-second", "100000") as broker:
        client, _ = net.connection()
        stranger = Stranger(broker.path)
        before = broker.descriptors()
        for _ in range(2000):
            assert isinstance(stranger.ask(SetBackup(1, False), client.fileno()), Done)
        eventually(broker.descriptors, before)


def test_subflows_are_capped(net: Net) -> None:
    with running("--subflows-per-connection", "3") as broker:
        client, _ = net.connection()
        stranger = Stranger(broker.path)
        for _ in range(2):
            assert isinstance(stranger.ask(an_open(net), client.fileno()), Opened)
        assert kind_of(stranger.ask(an_open(net), client.fileno())) is CallRefused


def test_a_bug_that_a_client_finds_ends_its_own_conversation(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others are served on, by the same process."""
    log: list[str] = []
    rules = Rules()
    path = os.path.join(tempfile.mkdtemp(), "broker.sock")
    namespaces = Namespaces(enter=False, room=1)
    server = Server(listen(path, 0o666, None), namespaces, rules, log.append)
    threading.Thread(target=server.run, daemon=True).start()
    good, bad = Stranger(path), Stranger(path)
    client, _ = net.connection()

    def fail(*_: object) -> None:
        raise RuntimeError("found")

    with monkeypatch.context() as patched:
        patched.setattr(Service, "_on_connection", fail)
        bad.send(encode_request(Watch()), [client.fileno()])
        assert bad.receive() is None
    assert isinstance(good.ask(Watch(), client.fileno()), Watching)
    assert "a bug: RuntimeError('found')" in log[-1]
