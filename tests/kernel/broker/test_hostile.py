"""A broker that lies, stalls, closes or floods: an error each time, and nobody waits for long."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mphttp.kernel import KernelError, ProtocolError
from mphttp.kernel.broker import channel
from mphttp.kernel.broker.control import BrokerControl
from mphttp.kernel.broker.mechanism import BrokerMechanism
from mphttp.kernel.broker.messages import (
    Answer,
    Close,
    Done,
    EventTold,
    Lost,
    Opened,
    SetBackup,
    Watching,
    Welcome,
)
from mphttp.kernel.broker.wire import encode_answer
from mphttp.kernel.values import FourTuple, SocketAddress, SubflowInfo, TCPState
from mphttp.kernel.values import Path as Way

HERE = SocketAddress("192.0.2.1", 443)
Serve = Callable[[socket.socket], None]


@contextmanager
def broker(folder: Path, serve: Serve, *, hello: bool = True) -> Iterator[str]:
    """Serve connections in threads of their own until all clients are gone."""
    path = str(folder / "b.sock")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen()
    threads = []

    def one(sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            if hello:
                sock.recv(100)
                sock.send(encode_answer(Welcome(options=True)))
            serve(sock)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                threads.append(threading.Thread(target=one, args=(sock,)))
                threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield path
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in [accepting, *threads]:
            thread.join(20)
            assert not thread.is_alive()


def answering(*answers: bytes | Answer) -> Serve:
    """Send these after each request."""

    def serve(sock: socket.socket) -> None:
        while sock.recv(1000):
            for answer in answers:
                sock.send(answer if isinstance(answer, bytes) else encode_answer(answer))

    return serve


def silent(sock: socket.socket) -> None:
    while sock.recv(1000):
        """Nothing."""


@pytest.fixture
def asked() -> Iterator[socket.socket]:
    """What is passed."""
    one, other = socket.socketpair()
    with one, other:
        yield one


class _Control(BrokerControl):
    """One of a connection that needn't be there."""

    def __init__(self, sock: socket.socket, mechanism: BrokerMechanism, token: int = 7) -> None:
        self._socket, self._broker, self._token = sock, mechanism, token
        self._ids = _Ids()  # type: ignore[assignment]


class _Ids:
    def of(self, _address: str) -> int:
        return 1

    def set(self, _address: str, _number: int) -> None:
        """Forget it."""


SUBFLOW = SubflowInfo(1, FourTuple(HERE, HERE), TCPState.ESTABLISHED, 0.0, 0, 0, 0, 0.0)
CALLS: dict[str, Callable[[BrokerControl], object]] = {
    "open": lambda control: control.open(Way("lo", 1, "192.0.2.1"), HERE),
    "close": lambda control: control.close(SUBFLOW),
    "set_backup": lambda control: control.set_backup(SUBFLOW, True),
    "setsockopt": lambda control: control.setsockopt(SUBFLOW, 1, 2, 3),
    "getsockopt": lambda control: control.getsockopt(SUBFLOW, 1, 2, 4),
}
OPENED = Opened(2, TCPState.SYN_SENT, 1, 2, 3)
RIGHT = {"open": OPENED}
LIES: dict[str, bytes | Answer] = {
    "welcome": Welcome(options=True),
    "opened": OPENED,
    "done": Done(),
    "watching": Watching(1),
    "lost": Lost(),
    "event": EventTold(b"\0" * 40),
    "garbage": b"\xff" * 100,
    "too long": b"\1" * 9000,
    "one byte": b"\1",
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
@pytest.mark.parametrize("call", CALLS)
def test_an_answer_to_something_else_is_an_error(
    tmp_path: Path, asked: socket.socket, call: str, lie: bytes | Answer
) -> None:
    if type(lie) is type(RIGHT.get(call, Done())):
        return
    with broker(tmp_path, answering(lie)) as path:
        mechanism = BrokerMechanism(path)
        with pytest.raises(ProtocolError):
            CALLS[call](_Control(asked, mechanism))
        mechanism.close()


def test_what_was_said_unasked_is_nobodys_answer(tmp_path: Path, asked: socket.socket) -> None:
    """A second answer to the first request must not be taken for the second's."""
    with broker(tmp_path, answering(Done(b"first"), Done(b"stale"))) as path:
        requests = channel.RequestChannel(path)
        for _ in range(3):
            assert requests.ask(SetBackup(1, True), asked) == Done(b"first")
            assert select.select([requests._socket], [], [], 20)[0]  # the stale one is there
        requests.close()


@pytest.mark.slow
def test_one_that_stalls_costs_its_time_once(
    tmp_path: Path, asked: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is asked again by and by."""
    requests: list[bytes] = []

    def serve(sock: socket.socket) -> None:
        while message := sock.recv(1000):
            requests.append(message)
            if len(requests) > 1:
                sock.send(encode_answer(Done()))

    with broker(tmp_path, serve) as path:
        monkeypatch.setattr(channel, "_TIMEOUT", 1)
        asking = channel.RequestChannel(path)
        with pytest.raises(KernelError, match="didn't answer"):
            asking.ask(Close(1), asked)
        for _ in range(100):
            with pytest.raises(KernelError, match="isn't asked"):
                asking.ask(Close(1), asked)
        assert len(requests) == 1
        monkeypatch.setattr(time, "monotonic", lambda now=time.monotonic: now() + 31)
        assert asking.ask(Close(1), asked) == Done()
        asking.close()


@pytest.mark.parametrize("serve", [socket.socket.close, lambda sock: sock.recv(1000)])
def test_one_that_closes_is_an_error(tmp_path: Path, asked: socket.socket, serve: Serve) -> None:
    with broker(tmp_path, serve) as path:
        asking = channel.RequestChannel(path)
        with pytest.raises(KernelError):
            asking.ask(Close(1), asked)
        asking.close()


@pytest.mark.parametrize("answer", [b"", b"\1", b"\1\xff", b"\0" * 8192, encode_answer(Done())])
def test_who_does_not_say_hello_is_no_broker(tmp_path: Path, answer: bytes) -> None:
    def serve(sock: socket.socket) -> None:
        sock.recv(100)
        if answer:
            sock.send(answer)

    with broker(tmp_path, serve, hello=False) as path, pytest.raises(KernelError):
        BrokerMechanism(path)


def test_a_flood_of_events_is_read_in_pieces_and_not_kept(
    tmp_path: Path, asked: socket.socket
) -> None:
    """Addresses of connections that nobody has asked about aren't remembered."""
    others = [Watching(n, ((1, HERE), (2, HERE))) for n in range(100, 400)]
    flood = [*others, Lost(), EventTold(b"nonsense"), *others]

    def serve(sock: socket.socket) -> None:
        sock.recv(1000)
        for answer in flood:
            sock.send(encode_answer(answer))
        silent(sock)

    with broker(tmp_path, serve) as path:
        mechanism = BrokerMechanism(path)
        control = _Control(asked, mechanism)
        mechanism.listen(control)
        most, ended = 0, time.monotonic() + 5
        seen = 0
        while seen < 2 * len(others) * 2 and time.monotonic() < ended:
            events = mechanism.events()
            seen += len(events)
            most = max(most, len(events))
        assert most <= 64 * 2
        assert not any(mechanism.announced(token) for token in range(100, 400))
        mechanism.close()


def test_one_that_passes_descriptors_leaves_none(tmp_path: Path, asked: socket.socket) -> None:
    def serve(sock: socket.socket) -> None:
        while sock.recv(1000):
            socket.send_fds(sock, [encode_answer(Done())], [0, 1, 2])

    with broker(tmp_path, serve) as path:
        asking = channel.RequestChannel(path)
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(10):
            asking.ask(Close(1), asked)
        assert len(os.listdir("/proc/self/fd")) == before
        asking.close()
