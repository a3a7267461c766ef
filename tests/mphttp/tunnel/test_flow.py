"""One direction of a stream."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from mphttp.network.dial import multipath_socket
from mphttp.tunnel.flow import Flow, Pipes, Waits

SIZE = 2_000_000


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    with closing(Pipes()) as pipes:
        yield pipes


@pytest.mark.parametrize("plain", [True, False], ids=["tcp", "mptcp"])
def test_streams_share_pipes_but_no_bytes(pipes: Pipes, plain: bool) -> None:
    """What a slow reader leaves on its way stays as it is while another stream moves."""
    streams = [Stream(pipes, seed, plain=plain) for seed in (1, 2)]
    for stream in streams:
        stream.feed_until_full()
    for stream in streams:
        with closing(stream):
            assert stream.rest() == stream.data


class Stream:
    """Random bytes from a socket through a flow into a small one that nobody reads at first."""

    def __init__(self, pipes: Pipes, seed: int, *, plain: bool) -> None:
        self.data = random.Random(seed).randbytes(SIZE)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.source = multipath_socket(socket.AF_INET, plain=plain)
            self.source.connect(listener.getsockname())
            self.peer, _ = listener.accept()
        self.target, self.reader = socket.socketpair()
        for sock in (self.peer, self.source, self.target, self.reader):
            sock.setblocking(False)
        self.flow = Flow(self.source, self.target, pipes)
        self._fed = 0

    def feed_until_full(self) -> None:
        while self._step() is not Waits.WRITABLE:
            pass

    def rest(self) -> bytes:
        came = bytearray()
        while self._step() is not Waits.NOTHING:
            came += self._read()
        while piece := self._read():
            came += piece
        return bytes(came)

    def close(self) -> None:
        self.flow.close()
        for sock in (self.peer, self.source, self.target, self.reader):
            sock.close()

    def _step(self) -> Waits:
        try:
            self._fed += self.peer.send(self.data[self._fed : self._fed + 100_000])
        except BlockingIOError:
            pass
        except BrokenPipeError:
            return self.flow.step()
        if self._fed == SIZE:
            self.peer.shutdown(socket.SHUT_WR)
        return self.flow.step()

    def _read(self) -> bytes:
        try:
            return self.reader.recv(50_000)
        except BlockingIOError:
            return b""
