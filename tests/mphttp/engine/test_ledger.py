"""The book of subflows, against a kernel that opens and ends them at random."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mphttp.engine.ledger import Entry, Ledger
from mphttp.kernel.values import ConnectionInfo, FourTuple, SocketAddress, SubflowInfo, TCPState

REMOTE = SocketAddress("192.0.2.80", 443)


def subflow(number: int, state: TCPState = TCPState.ESTABLISHED, received: int = 0) -> SubflowInfo:
    """Make what the kernel tells of a subflow; even numbers are on another address."""
    local = SocketAddress(f"10.0.{number % 2}.1", 40000 + number)
    return SubflowInfo(number, FourTuple(local, REMOTE), state, 0.02, received, 0, 0, 0.0)


def connection(*subflows: SubflowInfo) -> ConnectionInfo:
    return ConnectionInfo(1, None, True, subflows)


def ledger(initial: int | None = None) -> Ledger:
    return Ledger({"10.0.1.1": "wifi", "10.0.0.1": "lte"}.__getitem__, initial)


def test_the_first_one_seen_is_the_initial_one() -> None:
    book = ledger()
    assert book.observe(connection(subflow(1), subflow(2)), 5.0) == []
    wifi, lte = book.open()
    assert (wifi.path, wifi.initial, wifi.opened_at) == ("wifi", True, 5.0)
    assert (lte.path, lte.initial, lte.opened_at) == ("lte", False, 5.0)


def test_a_known_initial_one_is_not_the_first_one_seen() -> None:
    """It may be gone by the time that a book is begun."""
    book = ledger(initial=1)
    book.observe(connection(subflow(3), subflow(4)), 5.0)
    assert [entry.initial for entry in book.open()] == [False, False]


def test_a_ghost_is_no_subflow() -> None:
    """A destroyed first subflow stays in the kernel's list, closed."""
    book = ledger()
    book.observe(connection(subflow(1, TCPState.CLOSE), subflow(2)), 5.0)
    assert [entry.id for entry in book.open()] == [2]


def test_what_turns_into_a_ghost_has_ended() -> None:
    book = ledger()
    book.observe(connection(subflow(1), subflow(2)), 5.0)
    (ended,) = book.observe(connection(subflow(1, TCPState.CLOSE), subflow(2)), 6.0)
    assert (ended.id, ended.closed_at) == (1, 6.0)


def test_one_that_is_not_established_yet_is_open_but_not_alive() -> None:
    book = ledger()
    entry = book.add(subflow(2, TCPState.SYN_SENT), opened_at=None)
    assert (book.open(), book.alive(), book.since(0.0)) == ([entry], [], [])
    entry.opened_at = 7.0
    assert book.alive() == book.since(0.0) == [entry]


def test_one_that_is_being_closed_is_not_alive() -> None:
    book = ledger()
    entry = book.add(subflow(1), opened_at=1.0)
    entry.closing = True
    assert (book.alive(), book.open(), book.gone()) == ([], [entry], frozenset({1}))


def test_what_ended_before_a_time_is_not_since_then_and_can_be_forgotten() -> None:
    book = ledger()
    book.observe(connection(subflow(1), subflow(2)), 1.0)
    book.closed(subflow(2).tuple, 2.0)
    assert [entry.id for entry in book.since(2.0)] == [1, 2]
    assert [entry.id for entry in book.since(2.1)] == [1]
    book.forget(2.1)
    assert [entry.id for entry in book.since(0.0)] == [1]


def test_the_newest_of_a_port_used_twice() -> None:
    book = ledger()
    old = book.add(subflow(1), opened_at=1.0)
    assert book.closed(old.tuple, 2.0) is old
    new = book.add(replace(subflow(1), id=7), opened_at=3.0)
    assert book.newest(old.tuple) is new
    assert book.closed(old.tuple, 4.0) is new
    assert book.closed(old.tuple, 5.0) is None
    assert book.newest(subflow(2).tuple) is None


# A random life of one connection. The kernel's rules: an id is never used again; what is gone stays
# gone, or becomes a ghost.
Step = tuple[str, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["open", "appear", "vanish", "ghost", "look", "event", "drop", "forget"]),
        st.integers(0, 7),
    ),
    max_size=60,
)


class Life:
    """A kernel's subflows and the book that is kept of them; checks the book after every step."""

    def __init__(self) -> None:
        self.rows: dict[int, SubflowInfo] = {1: subflow(1)}
        self.book = ledger()
        self.now = 0.0
        self.entries: dict[int, Entry] = {}
        self.ended: dict[int, float] = {}
        self.book.observe(connection(*self.rows.values()), self.now)
        self.next_id = 2

    def do(self, what: str, which: int) -> None:
        self.now += 1.0
        numbers = list(self.rows) or [1]
        getattr(self, what)(numbers[which % len(numbers)])
        self.check()

    def open(self, _: int) -> None:
        """Ask for one, as a strategy does; it is established at once or never."""
        row = subflow(self.next_id, TCPState.SYN_SENT)
        entry = self.book.add(row, opened_at=None)
        if self.next_id % 3:
            self.rows[self.next_id] = subflow(self.next_id)
            entry.opened_at = self.now
        self.next_id += 1

    def appear(self, _: int) -> None:
        """Let the kernel's own path manager open one."""
        self.rows[self.next_id] = subflow(self.next_id)
        self.next_id += 1

    def vanish(self, number: int) -> None:
        self.rows.pop(number, None)

    def ghost(self, number: int) -> None:
        if number in self.rows:
            self.rows[number] = subflow(number, TCPState.CLOSE)

    def look(self, _: int) -> None:
        ended = self.book.observe(connection(*self.rows.values()), self.now)
        assert all(entry.closed_at == self.now for entry in ended)
        established = {row.id for row in self.rows.values() if row.established}
        assert {entry.id for entry in self.book.open()} == established - set(self.ended)

    def event(self, number: int) -> None:
        """Let the kernel tell that one ended, which it may go on to list as a ghost."""
        (self.ghost if number % 2 else self.vanish)(number)
        entry = self.book.closed(subflow(number).tuple, self.now)
        assert entry is None or entry.closed_at == self.now

    def drop(self, number: int) -> None:
        """End one ourselves."""
        self.vanish(number)
        for entry in self.book.open():
            if entry.id == number:
                entry.closing, entry.closed_at = True, self.now

    def forget(self, _: int) -> None:
        self.book.forget(self.now - 5)

    def check(self) -> None:
        everybody = [*self.book.since(-1.0), *self.book.open()]
        by_id = {entry.id: entry for entry in everybody}
        assert all(by_id[entry.id] is entry for entry in everybody), "an id is one entry's"
        for entry in everybody:
            assert self.entries.setdefault(entry.id, entry) is entry, "an entry never comes back"
            if entry.closed_at is not None:
                assert self.ended.setdefault(entry.id, entry.closed_at) == entry.closed_at
                assert entry.opened_at is None or entry.opened_at <= entry.closed_at
        opened = {entry.id for entry in self.book.open()}
        assert {entry.id for entry in self.book.alive()} <= opened
        assert not opened & set(self.ended)
        assert set(self.ended) & set(by_id) <= self.book.gone()


@given(STEPS)
def test_any_life_of_a_connection(steps: list[Step]) -> None:
    """An entry never comes back, ids are unique, what is alive is open, and an end is for good."""
    life = Life()
    for what, which in steps:
        life.do(what, which)
    life.book.all_closed(life.now)
    assert life.book.open() == life.book.alive() == []
