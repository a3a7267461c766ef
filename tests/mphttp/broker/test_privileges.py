"""What the broker keeps of its privileges, and where else it is at work."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import tempfile

import pytest

from mphttp.broker.linux import Capability
from mphttp.kernel import (
    KernelError,
    NetlinkMechanism,
    NotPermitted,
    NotSupported,
    SocketAddress,
    Subflows,
)
from mphttp.kernel.broker.mechanism import BrokerMechanism
from mphttp.kernel.events import SubflowEstablished
from tests.kernel.namespaces import Net
from tests.kernel.two_subflows import ss

from .brokers import Broker, eventually, running

OTHER = SocketAddress("10.0.2.2", 0)
NET_ADMIN = 1 << Capability.NET_ADMIN


def capabilities(broker: Broker, which: str) -> int:
    return int(broker.status(which), 16)


@pytest.mark.slow
def test_one_capability_is_kept(net: Net) -> None:
    with running() as broker:
        assert capabilities(broker, "CapEff") == NET_ADMIN
        assert capabilities(broker, "CapPrm") == NET_ADMIN
        assert capabilities(broker, "CapInh") == capabilities(broker, "CapAmb") == 0
        assert broker.status("NoNewPrivs") == "1"


@pytest.mark.slow
def test_what_was_asked_for_is_kept_as_well(root_net: Net) -> None:
    with running("--subflow-options", "--other-namespaces") as broker:
        kept = (Capability.NET_ADMIN, Capability.BPF, Capability.PERFMON, Capability.SYS_ADMIN)
        assert capabilities(broker, "CapEff") == sum(1 << capability for capability in kept)


@pytest.mark.slow
def test_another_user_can_be_had(root_net: Net) -> None:
    """It goes on as nobody, with the capability, and serves."""
    with running("--user", "nobody") as broker:
        assert broker.status("Uid").split() == ["65534"] * 4
        assert broker.status("Groups").strip() == ""
        assert capabilities(broker, "CapEff") == NET_ADMIN
        client, _ = root_net.connection()
        with Subflows(client, BrokerMechanism(broker.path)) as subflows:
            subflows.open(root_net.paths[1], OTHER)


@pytest.mark.slow
def test_without_the_capability_it_says_so(net: Net) -> None:
    net.leave_privilege()
    path = os.path.join(tempfile.mkdtemp(), "broker.sock")
    command = [sys.executable, "-m", "mphttp.broker", "--socket", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("mphttpd: error: ")
    assert not os.path.exists(path)


@pytest.mark.slow
def test_a_group_alone_may_connect(root_net: Net) -> None:
    with running("--group", "daemon") as broker:
        mode = os.stat(broker.path)
        assert (mode.st_mode & 0o777, mode.st_gid) == (0o660, 1)
        child = os.fork()
        if child == 0:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            try:
                BrokerMechanism(broker.path)
            except NotPermitted as error:
                os._exit(0 if "usermod" in error.hint else 1)
            os._exit(2)
        assert os.waitpid(child, 0)[1] == 0


@pytest.mark.slow
def test_a_group_can_be_refused(root_net: Net) -> None:
    with running("--exclude-group", "nogroup") as broker:
        BrokerMechanism(broker.path).close()
        os.setgroups([65534])  # one of several
        with pytest.raises(NotPermitted, match="group"):
            BrokerMechanism(broker.path)


@pytest.mark.slow
def test_an_interface_can_be_excluded(net: Net) -> None:
    with running("--exclude-interface", "c2") as broker:
        client, _ = net.connection()
        with Subflows(client, BrokerMechanism(broker.path)) as subflows:
            with pytest.raises(NotPermitted, match="c2"):
                subflows.open(net.paths[1], OTHER)
            subflows.open(net.paths[0], SocketAddress("10.0.1.2", 0))


@pytest.mark.slow
def test_a_connection_of_another_namespace_is_refused(net: Net) -> None:
    """Unless it was told to, the broker keeps to its own."""
    with net.server():
        broker = Broker()
    client, _ = net.connection()
    with Subflows(client, BrokerMechanism(broker.path)) as subflows:
        with pytest.raises(NotPermitted, match="another network namespace") as raised:
            subflows.open(net.paths[1], OTHER)
        assert "--other-namespaces" in raised.value.hint
    broker.stop()


@pytest.mark.slow
def test_a_connection_of_another_namespace_is_served_there(net: Net) -> None:
    """Interfaces, addresses and events are those of the client's; nothing stays when it goes."""
    with net.server():
        broker = Broker("--other-namespaces")
    before = broker.descriptors()
    client, _ = net.connection()
    mechanism = BrokerMechanism(broker.path)
    with Subflows(client, mechanism) as subflows:
        second = subflows.open(net.paths[1], OTHER)  # waits for events
        assert subflows.tuple_of(second).local.host == "10.0.2.1"
    assert "open a subflow on c2" in broker.log[1]
    mechanism.close()
    eventually(broker.descriptors, before)
    broker.stop()


@pytest.mark.slow
def test_who_leaves_before_it_is_told_takes_nobody_with_it(net: Net) -> None:
    """The last client of a namespace is found gone when it is told an event, and more wait."""
    with net.server():
        broker = Broker("--other-namespaces")
    before = broker.descriptors()
    witness = NetlinkMechanism()
    client, _ = net.connection()
    port = client.getpeername()[1]
    mechanism = BrokerMechanism(broker.path)
    mechanism.control(client).listen()
    assert select.select([mechanism], [], [], 10)[0]  # it is being told
    eventually(lambda: broker.status("State")[0], "S")  # it has nothing left to do
    os.kill(broker.process.pid, signal.SIGSTOP)
    witness.control(client).open(net.paths[1], SocketAddress("10.0.2.2", port))
    eventually(lambda: SubflowEstablished in map(type, witness.events()), True)
    mechanism.close()
    os.kill(broker.process.pid, signal.SIGCONT)
    eventually(broker.descriptors, before)
    witness.close()
    broker.stop()


def test_options_of_one_subflow(root_net: Net) -> None:
    """What any user may set is set on that subflow alone; what isn't, isn't."""
    with running("--subflow-options") as broker:
        check_options(root_net, broker)


@pytest.mark.slow
def test_options_of_one_subflow_in_another_namespace(root_net: Net) -> None:
    with root_net.server():
        broker = Broker("--subflow-options", "--other-namespaces")
    check_options(root_net, broker)
    broker.stop()


def check_options(net: Net, broker: Broker) -> None:
    client, _ = net.connection()
    with Subflows(client, BrokerMechanism(broker.path)) as subflows:
        (first,) = subflows.ids()
        second = subflows.open(net.paths[1], OTHER)
        subflows.setsockopt(second, socket.IPPROTO_IP, socket.IP_TOS, 0xB8)
        assert "tos:0xb8" in ss(subflows, second)
        assert "tos:0xb8" not in ss(subflows, first)
        subflows.setsockopt(second, socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
        name = subflows.getsockopt(second, socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
        assert name.rstrip(b"\0") == b"reno"
        assert len(subflows.getsockopt(second, socket.IPPROTO_TCP, 11, 104)) == 104
        with pytest.raises(NotPermitted):
            subflows.setsockopt(second, socket.SOL_SOCKET, socket.SO_MARK, 7)
        with pytest.raises(KernelError, match="bytes"):
            subflows.setsockopt(second, socket.IPPROTO_IP, socket.IP_TOS, b"")


@pytest.mark.slow
def test_options_are_not_there_by_default(net: Net) -> None:
    with running() as broker:
        client, _ = net.connection()
        subflows = Subflows(client, BrokerMechanism(broker.path))
        with pytest.raises(NotSupported, match="options"):
            subflows.setsockopt(1, socket.IPPROTO_IP, socket.IP_TOS, 0xB8)


SERVE_PASSED = """
import os, socket, sys
sock = socket.socket(fileno=int(sys.argv[1]))
os.dup2(sock.fileno(), 3, inheritable=True)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": sys.argv[2]}
os.execv(sys.executable, [sys.executable, "-m", "mphttp.broker"])
"""


def passing(listener: socket.socket, number: str = "1") -> subprocess.Popen[str]:
    """Start a broker as systemd does, with a socket at descriptor 3."""
    command = [sys.executable, "-c", SERVE_PASSED, str(listener.fileno()), number]
    return subprocess.Popen(
        command, pass_fds=[listener.fileno()], stderr=subprocess.PIPE, text=True
    )


@pytest.mark.slow
def test_a_socket_that_was_passed_is_served(net: Net) -> None:
    """Whoever connects before the broker is there is served when it is; the socket stays."""
    path = os.path.join(tempfile.mkdtemp(), "broker.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen()
        process = passing(listener)
        try:
            BrokerMechanism(path).close()
            process.terminate()
            _, told = process.communicate()
        finally:
            process.kill()
        assert process.returncode == 0, told
        assert os.path.exists(path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_SEQPACKET])
def test_a_socket_of_another_kind_is_refused(net: Net, kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_UNIX, kind) as listener:
        listener.bind(os.path.join(tempfile.mkdtemp(), "broker.sock"))
        if kind == socket.SOCK_STREAM:
            listener.listen()
        _, told = passing(listener).communicate()
    assert "no listening Unix socket" in told


@pytest.mark.slow
def test_several_sockets_are_refused(net: Net) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        _, told = passing(listener, "2").communicate()
    assert "2 sockets were passed" in told
