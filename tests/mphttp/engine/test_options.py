"""A strategy sets options of one subflow, through the engine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from mphttp import MultipathTransport, Strategy
from mphttp.kernel import Subflows
from mphttp.strategies import CommandFailed, Open, SetOption, Transfer, Until

from ...kernel.namespaces import Net, in_child, ip, skip_without_bpf
from ...kernel.two_subflows import ss

HALF = 100_000
ORIGIN = "10.9.9.9"


@dataclass(frozen=True)
class MarkSecond(Strategy):
    """Mark a subflow on the second path, and change its congestion control."""

    done: threading.Event = field(default_factory=threading.Event)
    failed: list[str] = field(default_factory=list)

    def run(self, transfer: Transfer) -> Generator[Any, Any, None]:
        yield Until(received=1)
        second = yield Open(transfer.paths[1])
        yield SetOption(second, socket.IPPROTO_IP, socket.IP_TOS, 0xB8)
        yield SetOption(second, socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
        try:
            yield SetOption(second, socket.IPPROTO_IP, socket.IP_TTL, 9)
        except CommandFailed as error:
            self.failed.append(str(error))
        self.done.set()
        yield Until(received=2 * HALF)


@contextmanager
def origin(net: Net, go_on: threading.Event) -> Iterator[str]:
    """Answer one request, and send the second half of the body when told to."""
    with net.server():
        ip(f"address add {ORIGIN}/32 dev lo")
    ip("route add default via 10.0.1.2 dev c1", "route add default via 10.0.2.2 dev c2 metric 9")
    listener = net.listen()

    def serve() -> None:
        connection, _ = listener.accept()
        while b"\r\n\r\n" not in connection.recv(65536):
            pass
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (2 * HALF))
        connection.sendall(bytes(HALF))
        go_on.wait(30)
        connection.sendall(bytes(HALF))

    server = threading.Thread(target=serve)
    server.start()
    yield f"http://{ORIGIN}:{listener.getsockname()[1]}/"
    server.join()


def scenario() -> None:
    net = Net(user_namespace=False)
    net.start()
    strategy, go_on = MarkSecond(), threading.Event()
    with (
        origin(net, go_on) as url,
        httpx.Client(transport=MultipathTransport(strategy=strategy)) as client,
        client.stream("GET", url) as response,
    ):
        body = response.iter_raw(HALF // 4)
        received = len(next(body))
        assert strategy.done.wait(30)
        sock = response.extensions["network_stream"].get_extra_info("socket")
        with Subflows(sock) as subflows:
            first, second = subflows.ids()
            told = {subflow: ss(subflows, subflow) for subflow in (first, second)}
        assert "tos:0xb8 " in told[second]
        assert " reno " in told[second]
        assert "tos:0 " in told[first]
        assert " reno " not in told[first]
        go_on.set()
        received += sum(map(len, body))
    assert received == 2 * HALF
    assert len(strategy.failed) == 1
    assert "option 2 of level 0" in strategy.failed[0]


def test_a_strategy_sets_options_of_one_subflow() -> None:
    """They hold while the response is under way, for that subflow alone; a refusal is told."""
    skip_without_bpf()
    in_child(scenario)
