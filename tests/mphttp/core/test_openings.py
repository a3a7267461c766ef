"""What a peer refuses that has no room for one more subflow, and what it refuses otherwise."""

from __future__ import annotations

from mphttp.core import Answer, CloseSubflow, Failure, Note, OpenSubflow, PathManager, SubflowTable
from mphttp.core.effects import Effect
from mphttp.strategies import Close, Open, Path, Subflow

from .model_kernel import PATHS, REMOTE, ModelKernel, path_of

_REFUSED = 104


class _Peer:
    """A connection whose peer has its limit, and a path manager of one transfer."""

    def __init__(self) -> None:
        self.kernel = ModelKernel()
        self.manager = PathManager(SubflowTable(path_of), REMOTE)
        self.now = 0.0
        self.seen: list[Effect] = []
        self.opened: list[OpenSubflow] = []
        self.look()

    def look(self) -> None:
        self.manager.on_snapshot(self.kernel.info(), self.now)
        self.take()

    def take(self) -> None:
        for effect in self.manager.take_effects():
            self.seen.append(effect)
            if isinstance(effect, OpenSubflow):
                self.opened.append(effect)
                self.manager.completed(effect, self.now, self.kernel.carry_out(effect))
                self.take()
            elif isinstance(effect, CloseSubflow) and effect.subflow.id in self.kernel.rows:
                self.manager.completed(effect, self.now, self.kernel.carry_out(effect))

    def answer(self, *, room: bool) -> None:
        """Let the peer say yes or no to the last SYN."""
        newest = max(self.kernel.rows)
        if room:
            event = self.kernel.establish(newest, confirmed=True)
        else:
            event = self.kernel.end(newest, _REFUSED)
        self.manager.on_event(event, self.now)
        self.take()
        self.look()

    def open(self) -> None:
        self.manager.command("transfer", Open(Path("wifi")), self.now, PATHS["wifi"])
        self.take()

    def replace_the_first(self) -> None:
        """Have a second subflow, and close the first."""
        self.open()
        self.answer(room=True)
        self.manager.command("transfer", Close(Subflow(1, Path("wifi"))), self.now)
        self.take()
        self.seen.clear()
        self.opened.clear()

    def until(self, seconds: float) -> None:
        self.now = seconds
        self.manager.on_time(self.now)
        self.take()

    def outcomes(self) -> list[type[Effect]]:
        return [type(e) for e in self.seen if isinstance(e, Answer | Failure)]

    def notes(self) -> list[str]:
        return [effect.kind for effect in self.seen if isinstance(effect, Note)]


def test_a_peer_that_still_counts_what_was_closed_is_asked_again() -> None:
    peer = _Peer()
    peer.replace_the_first()
    peer.open()
    peer.answer(room=False)
    assert peer.outcomes() == []
    peer.until(0.2)
    assert len(peer.opened) == 2
    peer.answer(room=True)
    assert peer.outcomes() == [Answer]
    assert peer.notes()[:3] == ["subflow_opening", "subflow_refused", "subflow_opening"]


def test_a_peer_is_asked_less_and_less_often_and_not_for_ever() -> None:
    peer = _Peer()
    peer.replace_the_first()
    peer.open()
    for tenths in range(60):
        if not peer.outcomes() and len(peer.kernel.rows) > 1:
            peer.answer(room=False)
        peer.until(tenths / 10)
    assert peer.outcomes() == [Failure]
    assert len(peer.opened) in range(3, 6)


def test_a_peer_that_refuses_what_replaces_nothing_is_not_asked_again() -> None:
    peer = _Peer()
    peer.open()
    peer.answer(room=False)
    assert peer.outcomes() == [Failure]
    peer.until(5.0)
    assert len(peer.opened) == 1


def test_a_subflow_that_was_killed_makes_no_room() -> None:
    peer = _Peer()
    peer.open()
    peer.answer(room=True)
    peer.manager.on_event(peer.kernel.end(2, _REFUSED), peer.now)
    peer.seen.clear()
    peer.take()
    peer.until(3.0)
    peer.open()
    peer.answer(room=False)
    assert peer.outcomes() == [Failure]


def test_where_none_is_left_a_refusal_is_told_at_once() -> None:
    """What could open another path, or another way, has no time to lose."""
    peer = _Peer()
    peer.replace_the_first()
    peer.until(1.0)
    for number in sorted(peer.kernel.rows):
        peer.manager.on_event(peer.kernel.end(number, _REFUSED), peer.now)
    peer.take()
    peer.until(1.6)
    peer.open()
    peer.answer(room=False)
    assert peer.outcomes() == [Failure]
