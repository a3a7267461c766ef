"""Where a connection starts if its first path is dead: two real links, one of them silent."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path as File

import anyio
import pytest

from mphttp.engine import Request
from mphttp.network.dial import dial
from mphttp.network.dial_async import dial_async
from mphttp.network.start import Start
from mphttp.network.time_limit import TimeLimit
from mphttp.strategies import CheapestFirst, FullMesh, SinglePath, Strategy
from tests.kernel.namespaces import Net, in_child, ip
from tests.lab.leaks import eventually

HOST = "203.0.113.1"
Dial = Callable[..., socket.socket]


def dial_in(backend: str) -> Dial:
    """Return what connects in an event loop."""
    return lambda *place, **more: anyio.run(partial(dial_async, *place, **more), backend=backend)


DIALS: dict[str, Dial] = {"threads": dial, "asyncio": dial_in("asyncio"), "trio": dial_in("trio")}


def two_links() -> tuple[Net, int]:
    """Reach a server over both links, the first preferred; its answers over that one get lost."""
    net = Net()
    net.start()
    with net.server():
        ip(f"address add {HOST}/32 dev lo", "route add blackhole 10.0.1.1/32")
    ip(
        "route add default via 10.0.1.2 dev c1 metric 100",
        "route add default via 10.0.2.2 dev c2 metric 200",
    )
    return net, net.listen().getsockname()[1]


def connections() -> int:
    """Count the TCP connections of this namespace, whatever their state."""
    return len(File("/proc/thread-self/net/tcp").read_text().splitlines()) - 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dial", "strategy", "names"),
    [
        (DIALS["threads"], FullMesh(), None),
        (DIALS["asyncio"], FullMesh(), ("c1", "c2")),
        (DIALS["trio"], CheapestFirst(("c1", "c2")), None),
        (DIALS["threads"], CheapestFirst(("c1", "c2")), ("c2", "c1")),
    ],
    ids=["the system", "the caller", "the strategy", "the strategy of two"],
)
def test_another_path_takes_the_place_of_a_dead_one(
    dial: Dial, strategy: Strategy, names: tuple[str, ...] | None
) -> None:
    """Whoever chose it: without a limit, the kernel alone would wait for two minutes."""

    def start() -> None:
        _, port = two_links()
        request = Request("http://www.example/", strategy)
        with request, dial(HOST, port, limit=TimeLimit(None), start=Start(names)) as sock:
            assert sock.getsockname()[0] == "10.0.2.1"
            eventually(connections, 1)  # of the attempt that lost, nothing is left
        ((what, _),) = request.problems
        assert what.startswith("the connection could not start on c1")

    in_child(start)


def test_a_path_that_answers_is_kept() -> None:
    def start() -> None:
        _, port = two_links()
        request = Request("http://www.example/", FullMesh())
        with request, dial(HOST, port, limit=TimeLimit(20), start=Start(["c2", "c1"])) as sock:
            assert sock.getsockname()[0] == "10.0.2.1"
            eventually(connections, 1)
        assert request.problems == []

    in_child(start)


@pytest.mark.slow
def test_who_wants_one_path_has_no_other() -> None:
    """Others may have to be paid for."""

    def start() -> None:
        _, port = two_links()
        with Request("http://www.example/", SinglePath()), pytest.raises(TimeoutError):
            dial(HOST, port, limit=TimeLimit(0.8), start=Start(None))
        with Request("http://www.example/", FullMesh()), pytest.raises(TimeoutError):
            dial(HOST, port, limit=TimeLimit(0.8), start=Start(["c1"]))

    in_child(start)
