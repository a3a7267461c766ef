"""Which paths reach a peer: asked for by one connection, known to the next for a moment."""

from __future__ import annotations

import pytest

from mphttp.engine import reach
from mphttp.engine.paths import paths_to_any
from mphttp.engine.reach import Reach, known_paths
from mphttp.kernel.values import SocketAddress
from tests.kernel.namespaces import Net, ip

HERE = SocketAddress("127.0.0.1", 9)


class Asked:
    """For which peers the kernel was asked, in a time that stands still.

    Attributes:
        now: seconds.
        peers: one after the other.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        self.peers: list[SocketAddress] = []

    def monotonic(self) -> float:
        return self.now

    def paths(self, remote: SocketAddress, *others: object) -> object:
        self.peers.append(remote)
        return paths_to_any(remote, *others)


@pytest.fixture
def asked(monkeypatch) -> Asked:
    asked = Asked()
    monkeypatch.setattr(known_paths, "_found", {})
    monkeypatch.setattr(reach, "time", asked)
    monkeypatch.setattr(reach, "paths_to_any", asked.paths)
    return asked


def test_another_connection_of_the_same_moment_doesn_t_ask_again(asked) -> None:
    found, at = Reach(HERE, None).find()
    assert [path.name for path in found or []] == ["lo"]
    assert Reach(HERE, None).find() == (found, at)
    assert len(asked.peers) == 1
    Reach(HERE, ("lo",)).find()  # it may use others
    assert len(asked.peers) == 2


def test_what_was_found_is_known_for_no_longer_than_that() -> None:
    """Neither does a list get older than a second by going from one to another."""
    found, at = Reach(HERE, None).find()
    second = Reach(HERE, None)
    second.take(found, at)
    assert second.known(at + 0.9)
    assert not second.known(at + 1)


def test_what_is_old_is_asked_for_anew(asked) -> None:
    """Else a connection would never see that a path costs money now, which no route tells."""
    Reach(HERE, None).find()
    asked.now += 0.3
    Reach(HERE, None).find()
    assert len(asked.peers) == 2


def test_what_changed_while_the_kernel_was_asked_is_not_kept(net: Net, monkeypatch, asked) -> None:
    """Another connection hears of the change first: what was asked for before is no use to it."""
    peer = SocketAddress("10.0.1.2", 80)

    def meanwhile(*_: object) -> object:
        monkeypatch.setattr(reach, "paths_to_any", asked.paths)
        ip("rule add from 10.0.2.1 table 7")
        Reach(peer, None).find()
        return []

    monkeypatch.setattr(reach, "paths_to_any", meanwhile)
    Reach(peer, None).find()
    assert Reach(peer, None).find()[0]


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
def test_what_was_found_before_a_change_is_found_anew(net: Net, asked, change: str) -> None:
    """Else a connection would begin without an interface that has come back."""
    peer = SocketAddress("10.0.1.2", 80)
    Reach(peer, None).find()
    ip(change)
    Reach(peer, None).find()
    assert len(asked.peers) == 2
