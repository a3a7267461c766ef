"""Where threads, descriptors or memory can't be had, the broker waits for them, and goes on."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from mphttp.broker.__main__ import _log
from mphttp.broker.disposal import Disposal
from mphttp.kernel.broker.messages import Close, Done, Hello, SetBackup, Welcome
from mphttp.kernel.broker.wire import encode_request
from tests.kernel.namespaces import Net

from .brokers import Broker, Stranger, eventually, running

pytestmark = pytest.mark.slow


def processor_seconds(broker: Broker) -> float:
    """Tell how much of a processor it has had."""
    fields = Path(f"/proc/{broker.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def a_pipe() -> tuple[int, int]:
    """Make one; the end that is to be closed, and another that shows when it is."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    return writer, reader


def is_closed(reader: int) -> bool:
    """Tell whether the other end of a pipe is closed."""
    try:
        return os.read(reader, 1) == b""
    except BlockingIOError:
        return False


class _NoThread(threading.Thread):
    def start(self) -> None:
        raise RuntimeError("can't start new thread")


def test_what_no_thread_can_close_is_closed_when_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as scarce:
        scarce.setattr(threading, "Thread", _NoThread)
        disposal = Disposal()
        writer, reader = a_pipe()
        disposal.close(1, [writer])
        disposal.help()
        assert disposal.short
        assert disposal.waiting(1) == disposal.all_waiting() == 1
        assert not is_closed(reader)
    disposal.help()
    eventually(lambda: is_closed(reader), True)
    eventually(disposal.all_waiting, 0)
    assert not disposal.short
    os.close(reader)


def test_one_thread_closes_for_all_where_there_are_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was there from the beginning."""
    disposal = Disposal()
    monkeypatch.setattr(threading, "Thread", _NoThread)
    pipes = [a_pipe() for _ in range(50)]
    for user, (writer, _) in enumerate(pipes):
        disposal.close(user, [writer])
    eventually(disposal.all_waiting, 0)
    for _, reader in pipes:
        assert is_closed(reader)
        os.close(reader)


def test_users_that_come_one_after_the_other_share_a_thread() -> None:
    before = threading.active_count()
    disposal = Disposal()
    for user in range(100):
        writer, reader = a_pipe()
        disposal.close(user, [writer])
        eventually(disposal.all_waiting, 0)
        os.close(reader)
    assert threading.active_count() <= before + 2


def test_without_threads_every_user_is_served(root_net: Net) -> None:
    """A user with subordinate ids has 65,536 of them, each of which passes a descriptor."""
    _, most = resource.getrlimit(resource.RLIMIT_NPROC)
    resource.setrlimit(resource.RLIMIT_NPROC, (1, most))  # it holds for nobody, not for root
    with running("--user", "nobody") as broker:
        client, _ = root_net.connection()
        for user in range(3000, 3040):
            child = os.fork()
            if not child:
                os.setgroups([])
                os.setuid(user)
                stranger = Stranger(broker.path)
                answer = stranger.ask(SetBackup(1, False), client.fileno())
                stranger.send(encode_request(Close(9)), [0])
                os._exit(0 if isinstance(answer, Done) else 1)
            assert os.waitpid(child, 0)[1] == 0
        assert isinstance(Stranger(broker.path, hello=False).ask(Hello()), Welcome)


def test_without_descriptors_it_sleeps_and_serves_who_is_there(root_net: Net) -> None:
    with running("--clients-per-user", "1000") as broker:
        there = Stranger(broker.path)
        client, _ = root_net.connection()
        few = broker.descriptors() + 10
        resource.prlimit(broker.process.pid, resource.RLIMIT_NOFILE, (few, few))
        waiting = []
        for _ in range(30):
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            sock.connect(broker.path)
            waiting.append(sock)
        eventually(lambda: any("no client can be taken" in line for line in broker.log), True)
        before = processor_seconds(broker)
        began = time.monotonic()
        there.sock.settimeout(30)
        while time.monotonic() < began + 1.5:
            there.ask(Hello())
            time.sleep(0.1)
        assert processor_seconds(broker) - before < 0.75  # it would be all of the time
        for sock in waiting:
            sock.close()
        there.close()

        def serves_a_new_one() -> bool:
            stranger = Stranger(broker.path)
            answer = stranger.ask(SetBackup(1, False), client.fileno())
            stranger.close()
            return isinstance(answer, Done)

        eventually(serves_a_new_one, True)


def test_there_is_room_for_what_a_message_can_bring(root_net: Net) -> None:
    """Else the kernel would close what it has no room for, in the thread that serves all."""
    with running("--clients-per-user", "1000") as broker:
        limit = resource.prlimit(broker.process.pid, resource.RLIMIT_NOFILE)
        assert limit[0] == limit[1]


def test_what_is_granted_fills_no_log(root_net: Net) -> None:
    with running("--requests-per-second", "100000") as broker:
        client, _ = root_net.connection()
        stranger = Stranger(broker.path)
        began = time.monotonic()
        for _ in range(1000):
            assert isinstance(stranger.ask(SetBackup(1, False), client.fileno()), Done)
        seconds = time.monotonic() - began
        assert len(broker.log) < 30 + 20 * seconds
        time.sleep(0.1)  # until one more may be logged
        stranger.ask(SetBackup(1, False), client.fileno())
        eventually(lambda: "more before that" in broker.log[-1], True)


def test_a_log_that_nobody_reads_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As when the journal was started anew; and a stranger's words are only words there."""
    _log("an interface named \x1b[2J\nmphttpd: user 0: open")
    told = capsys.readouterr().err
    assert told == "mphttpd: an interface named \\x1b[2J\\nmphttpd: user 0: open\n"
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stderr", full)
        _log("nobody reads this")
        monkeypatch.undo()
        with contextlib.suppress(OSError):
            full.close()
