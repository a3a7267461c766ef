"""Two network namespaces joined by two links, for one test, in a process of its own.

Works for an ordinary user and for root; nothing of the machine itself is changed. The client's
namespace has the userspace path manager, the server's the kernel's own.

    c1 10.0.1.1 fd00:1::1 ─── s1 10.0.1.2 fd00:1::2
    c2 10.0.2.1 fd00:2::1 ─── s2 10.0.2.2 fd00:2::2
"""

from __future__ import annotations

import ctypes
import os
import pickle
import socket
import subprocess
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path as File

import pytest

from mphttp.kernel.bpf import program
from mphttp.kernel.reading.info import IPPROTO_MPTCP
from mphttp.kernel.values import Path, SocketAddress

_libc = ctypes.CDLL(None, use_errno=True)
_NEWUSER, _NEWNET, _NEWNS = 0x10000000, 0x40000000, 0x20000
_MPTCP = File("/proc/sys/net/mptcp")
_OWN_NET = "/proc/thread-self/ns/net"


class Net:
    """What a test that asks for the fixture `net` or `root_net` finds around it.

    Args:
        user_namespace: whether to leave for a new user namespace, too, where anybody is root. But
            BPF asks for privilege in the initial one.
    """

    def __init__(self, *, user_namespace: bool = True) -> None:
        self._user_namespace = user_namespace
        self._sockets: list[socket.socket] = []

    def start(self) -> None:
        """Leave for new namespaces and build the links; for a process made for it."""
        if self._user_namespace:
            _new_user_namespace()
        else:
            _check(_libc.unshare(_NEWNET | _NEWNS), "unshare")
        self._client = os.open(_OWN_NET, os.O_RDONLY)
        builder = threading.Thread(target=self._make_server)
        builder.start()
        builder.join()
        there = f"/proc/{os.getpid()}/fd/{self._server}"
        links = [f"link add c{n} type veth peer name s{n} netns {there}" for n in (1, 2)]
        self._configure("c", 1, *links)
        has_mptcp = _MPTCP.exists()
        if has_mptcp:
            self.sysctl("net.mptcp.pm_type", 1)
        with self.server():
            limits = "mptcp limits set subflows 8 add_addr_accepted 8"
            self._configure("s", 2, *([limits] if has_mptcp else []))
        self.paths = [Path(f"c{n}", socket.if_nametoindex(f"c{n}"), f"10.0.{n}.1") for n in (1, 2)]
        self.paths6 = [Path(p.name, p.index, f"fd00:{n}::1") for n, p in enumerate(self.paths, 1)]

    @contextmanager
    def server(self) -> Iterator[None]:
        """Be in the server's namespace: sockets that are made here stay there."""
        _check(_libc.setns(self._server, _NEWNET), "setns")
        try:
            yield
        finally:
            _check(_libc.setns(self._client, _NEWNET), "setns")

    def leave_privilege(self) -> None:
        """Go on without any capability over the network namespace."""
        _check(_libc.unshare(_NEWUSER), "unshare")

    def sysctl(self, name: str, value: object) -> None:
        """Set a variable of the namespace that one is in."""
        File("/proc/sys", *name.split(".")).write_text(str(value))

    def listen(self, host: str = "0.0.0.0", protocol: int = IPPROTO_MPTCP) -> socket.socket:
        """Listen in the server's namespace."""
        with self.server():
            listener = self._keep(socket.socket(_family(host), socket.SOCK_STREAM, protocol))
        listener.bind((host, 0))
        listener.listen(64)
        return listener

    def connect(
        self, listener: socket.socket, host: str = "10.0.1.2", protocol: int = IPPROTO_MPTCP
    ) -> tuple[socket.socket, socket.socket]:
        """Connect from the client's namespace; no data has been exchanged yet."""
        client = self._keep(socket.socket(_family(host), socket.SOCK_STREAM, protocol))
        client.connect((host, listener.getsockname()[1]))
        served, _ = listener.accept()
        return client, self._keep(served)

    def connection(self, host: str = "10.0.1.2") -> tuple[socket.socket, socket.socket]:
        """Connect and exchange a byte each way, so that the connection is fully established."""
        client, served = self.connect(self.listen("::" if ":" in host else "0.0.0.0"), host)
        exchange(client, served)
        return client, served

    def _keep(self, sock: socket.socket) -> socket.socket:
        self._sockets.append(sock)  # until the process ends
        return sock

    def _make_server(self) -> None:
        _check(_libc.unshare(_NEWNET), "unshare")
        self._server = os.open(_OWN_NET, os.O_RDONLY)

    def _configure(self, side: str, host: int, *more: str) -> None:
        commands = [*more, "link set lo up"]
        for n in (1, 2):
            commands += [
                f"address add 10.0.{n}.{host}/24 dev {side}{n}",
                f"address add fd00:{n}::{host}/64 dev {side}{n} nodad",
                f"link set {side}{n} up",
            ]
        ip(*commands)
        for which in ("all", f"{side}1", f"{side}2"):
            self.sysctl(f"net.ipv4.conf.{which}.rp_filter", 0)


def ip(*commands: str) -> None:
    """Run commands of iproute2 in the namespace that one is in."""
    subprocess.run(["ip", "-batch", "-"], input="\n".join(commands), text=True, check=True)


def exchange(one: socket.socket, other: socket.socket) -> None:
    """Send a byte each way and wait for both."""
    for sender, receiver in ((one, other), (other, one)):
        sender.sendall(b".")
        assert receiver.recv(1) == b"."


def address_of(listener: socket.socket, host: str = "10.0.1.2") -> SocketAddress:
    """The address at which a host reaches a listener."""
    return SocketAddress(host, listener.getsockname()[1])


def in_child(function: Callable[[], object]) -> None:
    """Run a function in a child process, and fail or skip as it does."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        # The child runs this function and nothing else, so locks of other threads don't matter.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os.close(reader)
        os.write(writer, pickle.dumps(_outcome(function)))
        os._exit(0)
    os.close(writer)
    try:
        with os.fdopen(reader, "rb") as pipe:
            told = pipe.read()
    except BaseException:
        os.kill(child, 9)  # the test's time is over
        raise
    finally:
        os.waitpid(child, 0)
    kind, text = pickle.loads(told) if told else ("failed", "the child process died")
    if kind == "skipped":
        pytest.skip(text)
    if kind == "failed":
        pytest.fail(text, pytrace=False)


def skip_without_bpf() -> None:
    """Skip, with the reason, where options of one subflow can't be set."""
    if os.geteuid():
        pytest.skip("BPF needs root")

    def start_and_load() -> None:
        Net(user_namespace=False).start()
        program.check()

    try:
        in_child(start_and_load)
    except pytest.fail.Exception as failed:
        pytest.skip(f"no BPF here: {str(failed).splitlines()[-1]}")


def _outcome(function: Callable[[], object]) -> tuple[str, str]:
    try:
        function()
    except pytest.skip.Exception as skipped:
        return "skipped", str(skipped)
    except BaseException:
        return "failed", traceback.format_exc()
    return "passed", ""


def _new_user_namespace() -> None:
    user, group = os.geteuid(), os.getegid()
    _check(_libc.unshare(_NEWUSER | _NEWNET), "unshare")
    File("/proc/self/setgroups").write_text("deny")
    File("/proc/self/uid_map").write_text(f"0 {user} 1")
    File("/proc/self/gid_map").write_text(f"0 {group} 1")


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _check(result: int, call: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
