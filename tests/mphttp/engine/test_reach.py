"""Which paths reach a peer: asked for by one connection, known to the next for a moment."""

from __future__ import annotations

import time

from mphttp.engine.reach import Reach
from mphttp.kernel.values import SocketAddress

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
