"""`mphttp watch` on real connections over the loopback interface."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from mphttp.cli.exits import ExitCode
from mphttp.kernel import Subflows
from mphttp.kernel.reading.info import mptcp_error
from mphttp.network.dial import IPPROTO_MPTCP

ME = str(os.getpid())
pytestmark = pytest.mark.skipif(bool(mptcp_error()), reason="this kernel makes no MPTCP sockets")


class Peers:
    """A listener on loopback, and connections to it."""

    def __init__(self) -> None:
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)]
        self.sockets[0].bind(("127.0.0.1", 0))
        self.sockets[0].listen()
        self.url = f"http://127.0.0.1:{self.sockets[0].getsockname()[1]}"

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)
        client.connect(self.sockets[0].getsockname())
        served, _ = self.sockets[0].accept()
        self.sockets += [client, served]
        client.sendall(bytes(1000))
        served.sendall(bytes(3000))
        assert len(client.recv(3000, socket.MSG_WAITALL)) == 3000
        return client

    def close(self) -> None:
        for sock in self.sockets:
            sock.close()


@pytest.fixture
def peers() -> Iterator[Peers]:
    with closing(Peers()) as peers:
        yield peers


def looks(*steps: Callable[[], object]) -> Callable[[float], None]:
    """Do one thing after each look, and then press Ctrl-C."""
    waiting = iter(steps)

    def sleep(_: float) -> None:
        step = next(waiting, None)
        if step is None:
            raise KeyboardInterrupt
        step()

    return sleep


def test_once_tells_a_connection_as_the_socket_itself_does(run, peers: Peers) -> None:
    """Token, addresses and bytes are those that the connection's own socket tells."""
    client = peers.connect()
    told = run("watch", "--once", "--json", peers.url).json
    (connection,) = told["connections"]
    with Subflows(client) as subflows:
        info = subflows.info()
    assert connection["token"] == info.token
    assert connection["local"] == list(client.getsockname())
    assert connection["remote"] == list(client.getpeername())
    assert (connection["bytes_received"], connection["bytes_sent"]) == (3000, 1000)
    assert connection["owner"].endswith(f"[{ME}]")
    (subflow,) = connection["subflows"]
    assert subflow["path"] == "lo"
    assert subflow["bytes_received"] == info.subflows[0].bytes_received
    assert told["events"] == []


def test_it_lists_what_ss_lists(run, peers: Peers) -> None:
    for _ in range(3):
        peers.connect()
    port = peers.url.rpartition(":")[2]
    told = run("watch", "--once", "--json").json["connections"]
    ours = {c["local"][1] for c in told if str(c["remote"][1]) == port}
    command = ["ss", "-HMn", "state", "established", "dport", "=", port]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert {int(line.split()[2].rpartition(":")[2]) for line in listed} == ours
    assert len(ours) == 3


def test_all_of_many_connections_is_told_to_programs(run, peers: Peers) -> None:
    """As one line of JSON, however long, which no terminal's limit cuts."""
    for _ in range(40):
        peers.connect()
    result = run("watch", "--once", "--json", peers.url)
    assert len(result.out) > 10_000
    assert len(result.json["connections"]) == 40


def test_only_the_sockets_of_one_process(run, peers: Peers) -> None:
    """Another process sees ours by our number, and none of its own."""
    client = peers.connect()
    told = run("watch", "--once", "--json", ME).json["connections"]
    assert {c["owner"].partition("[")[2] for c in told} == {f"{ME}]"}
    assert client.getsockname()[1] in {c["local"][1] for c in told}
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        result = run("watch", "--once", str(other.pid))
        other.communicate(b"\n")
    assert result.err == "no MPTCP connections\n"
    assert len(result.out.splitlines()) == 1


def test_changes_come_as_lines(run, peers: Peers) -> None:
    """Not on a terminal: the table once, then what happens; Ctrl-C is a good end."""
    first = peers.connect()
    (before,) = run("watch", "--once", "--json", peers.url).json["connections"]

    def close() -> None:
        """Close both ends; without the privilege, only the kernel's list tells that it is gone."""
        first.close()
        peers.sockets[2].close()
        for _ in range(200):
            told = run("watch", "--once", "--json", peers.url).json["connections"]
            if before["token"] not in [connection["token"] for connection in told]:
                return
            select.select([], [], [], 0.02)

    result = run("watch", peers.url, sleep=looks(peers.connect, close))
    assert result.code == ExitCode.OK
    header, title, row, came, went = result.out.decode().splitlines()
    assert header.split()[0] == "path"
    assert f"127.0.0.1:{first_port(title)} → 127.0.0.1:" in title
    assert row.split()[0] == "lo"
    assert came.endswith(" connection established")
    assert went.endswith(" connection closed")


def first_port(title: str) -> str:
    return title.partition("127.0.0.1:")[2].partition(" ")[0]


def test_json_is_a_line_for_each_look(run, peers: Peers) -> None:
    peers.connect()
    result = run("watch", "--json", peers.url, sleep=looks(peers.connect))
    one, two = map(json.loads, result.out.splitlines())
    assert [len(look["connections"]) for look in (one, two)] == [1, 2]
    assert [event["kind"] for event in two["events"]] == ["connection_established"]
    assert one["connections"][0]["subflows"][0]["rate_in"] is None
    rates = [look["subflows"][0]["rate_in"] for look in two["connections"]]  # in any order
    assert [rate is None for rate in rates].count(True) == 1


def test_on_a_terminal_it_is_drawn(run, peers: Peers) -> None:
    """The alternate screen is left again, so that nothing stays behind."""
    peers.connect()
    result = run("watch", peers.url, out_terminal=True, sleep=looks(peers.connect))
    text = result.out.decode()
    assert peers.url.removeprefix("http://") in text
    assert "connection established" in text
    assert "\x1b[?1049h" in text
    assert "\x1b[?1049l" in text


def test_no_colour_holds(run, peers: Peers) -> None:
    peers.connect()
    shown = run("watch", peers.url, out_terminal=True, sleep=looks(), environ={"NO_COLOR": "1"})
    assert b"\x1b[32m" not in shown.out


def test_it_ends_with_the_process(run, peers: Peers) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        result = run(
            "watch", str(other.pid), sleep=looks(lambda: other.communicate(b"\n"), pytest.fail)
        )
    assert result.code == ExitCode.OK


def test_another_network_is_not_seen_from_here(run) -> None:
    """The kernel lists the sockets of one network namespace, so the hint says how to go there."""
    command = ["unshare", "-Urn", "sh", "-c", "echo; exec cat"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        if other.stdout.readline() != b"\n":
            pytest.skip("no network namespaces here")
        result = run("watch", "--once", str(other.pid))
        other.communicate()
    assert result.code == ExitCode.USAGE
    assert "another network namespace" in result.err
    assert f"nsenter --target {other.pid} --net" in result.err


@pytest.mark.parametrize(
    ("whose", "code", "words"),
    [
        ("4194999", ExitCode.USAGE, "there is no process 4194999"),
        ("http://no-such-host.invalid/", ExitCode.RESOLVE, "can't be resolved"),
        ("wlan0", ExitCode.URL, "is no http or https URL"),
    ],
)
def test_what_can_not_be_watched(run, whose: str, code: ExitCode, words: str) -> None:
    result = run("watch", "--once", whose)
    assert result.code == code
    assert words in result.err
