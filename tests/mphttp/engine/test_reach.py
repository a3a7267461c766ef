"""Which paths reach a peer: asked for by one connection, known to the next for a moment."""

from __future__ import annotations

import time

import pytest

from mphttp.engine.reach import Reach
from mphttp.kernel.values import SocketAddress
from tests.kernel.namespaces import Net, ip

HERE = SocketAddress("127.0.0.1", 9)


def test_another_connection_of_the_same_moment_doesn_t_ask_again() -> None:
    first, second, other = Reach(HERE, None), Reach(HERE, None), Reach(HERE, ("lo",))
    now = time.monotonic()
    first.take(first.find(), now)
    assert second.recall(now)
    assert second.paths == first.paths
    assert [path.name for path in second.paths] == ["lo"]
    assert not other.recall(now)  # it may use others


def test_what_was_found_is_known_for_no_longer_than_that() -> None:
    """Neither does a list get older than a second by going from one to another."""
    first, second = Reach(HERE, None), Reach(HERE, None)
    first.find()
    now = time.monotonic()
    assert not Reach(HERE, None).recall(now + 1)
    assert second.recall(now)
    assert second.known(now)
    assert not second.known(now + 1)


def test_who_has_a_list_asks_anew() -> None:
    """Else it would never see that a path has gone."""
    first, second = Reach(HERE, None), Reach(HERE, None)
    now = time.monotonic()
    second.take([], now - 10)
    first.find()
    assert not second.known(now)
    assert not second.recall(now)


@pytest.mark.parametrize(
    "change",
    [
        "link set c2 down",
        "link set c2 name lte",
        "address add 10.0.3.1/24 dev c2",
        "route add 192.0.2.0/24 dev c2",
        "rule add from 10.0.2.1 table 7",
        "route add fd77::/64 dev c2",
    ],
)
def test_what_was_found_before_a_change_is_found_anew(net: Net, change: str) -> None:
    """Else a connection would begin without an interface that has come back."""
    peer = SocketAddress("10.0.1.2", 80)
    first = Reach(peer, None)
    first.take(first.find(), time.monotonic())
    ip(change)
    assert not Reach(peer, None).recall(time.monotonic())
    first.find()
    assert Reach(peer, None).recall(time.monotonic())
