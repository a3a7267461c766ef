"""The table of subflows, against a kernel that opens and ends them at random."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.core import Cause, State, SubflowRecord, SubflowTable
from mphttp.core.subflow import TRANSITIONS, ImpossibleTransition
from mphttp.kernel.values import ConnectionInfo, FourTuple, SocketAddress, SubflowInfo, TCPState

REMOTE = SocketAddress("192.0.2.80", 443)


def subflow(number: int, state: TCPState = TCPState.ESTABLISHED, received: int = 0) -> SubflowInfo:
    """Make what the kernel tells of a subflow; even numbers are on another address."""
    local = SocketAddress(f"10.0.{number % 2}.1", 40000 + number)
    return SubflowInfo(number, FourTuple(local, REMOTE), state, 0.02, received, 0, 0, 0.0)


def connection(*subflows: SubflowInfo) -> ConnectionInfo:
    return ConnectionInfo(1, None, True, subflows)


def table(initial: int | None = None) -> SubflowTable:
    names = {"10.0.1.1": "wifi", "10.0.0.1": "lte"}
    return SubflowTable(lambda pair: names[pair.local.host], initial)


def test_the_first_one_seen_is_the_initial_one() -> None:
    records = table()
    assert records.observe(connection(subflow(1), subflow(2)), 5.0) == []
    wifi, lte = records.open()
    assert (wifi.path, wifi.initial, wifi.opened_at) == ("wifi", True, 5.0)
    assert (lte.path, lte.initial, lte.opened_at) == ("lte", False, 5.0)


def test_a_known_initial_one_is_not_the_first_one_seen() -> None:
    """It may be gone by the time that a table is begun."""
    records = table(initial=1)
    records.observe(connection(subflow(3), subflow(4)), 5.0)
    assert [record.initial for record in records.open()] == [False, False]


def test_a_ghost_is_no_subflow() -> None:
    """A destroyed first subflow stays in the kernel's list, closed."""
    records = table()
    records.observe(connection(subflow(1, TCPState.CLOSE), subflow(2)), 5.0)
    assert [record.id for record in records.open()] == [2]


def test_what_turns_into_a_ghost_has_ended() -> None:
    records = table()
    records.observe(connection(subflow(1), subflow(2)), 5.0)
    (ended,) = records.observe(connection(subflow(1, TCPState.CLOSE), subflow(2)), 6.0)
    assert (ended.id, ended.closed_at) == (1, 6.0)


def test_one_that_is_not_established_yet_is_open_but_not_alive() -> None:
    records = table()
    record = records.add(subflow(2, TCPState.SYN_SENT), opened_at=None)
    assert (records.open(), records.alive(), records.during(0.0, 9.0)) == ([record], [], [])
    record.opened_at = 7.0
    record.move(Cause.CONFIRMED, 7.0)
    assert records.alive() == records.during(0.0, 9.0) == [record]
    assert records.during(0.0, 6.9) == []


def test_one_that_is_being_closed_is_not_alive() -> None:
    records = table()
    record = records.add(subflow(1), opened_at=1.0)
    record.move(Cause.CLOSE, 2.0)
    assert (records.alive(), records.open(), records.leaving()) == ([], [record], frozenset({1}))


def test_what_ended_before_a_time_was_not_there_then_and_can_be_forgotten() -> None:
    records = table()
    records.observe(connection(subflow(1), subflow(2)), 1.0)
    records.end(records.open()[1], 2.0)
    assert [record.id for record in records.during(2.0, 9.0)] == [1, 2]
    assert [record.id for record in records.during(2.1, 9.0)] == [1]
    records.forget(2.1)
    assert [record.id for record in records.during(0.0, 9.0)] == [1]


def test_the_newest_of_a_port_used_twice() -> None:
    records = table()
    old = records.add(subflow(1), opened_at=1.0)
    records.end(old, 2.0)
    assert records.newest(old.tuple) is old
    new = records.add(replace(subflow(1), id=7), opened_at=3.0)
    assert records.newest(old.tuple) is new
    records.forget(2.1)
    assert records.newest(old.tuple) is new
    assert records.newest(subflow(2).tuple) is None


def test_the_last_subflow_that_works() -> None:
    records = table()
    one, two = records.add(subflow(1), opened_at=1.0), records.add(subflow(2), opened_at=1.0)
    assert not records.is_last(one)
    two.move(Cause.DRAIN, 2.0)
    assert records.is_last(one)
    two.move(Cause.STAY, 3.0)
    assert not records.is_last(one)


@given(st.sampled_from(State), st.sampled_from(Cause))
def test_a_state_changes_as_the_transitions_say_or_not_at_all(state: State, cause: Cause) -> None:
    record = SubflowRecord(1, "wifi", subflow(1).tuple, subflow(1), state=state)
    after = TRANSITIONS[state].get(cause)
    if after is None:
        with pytest.raises(ImpossibleTransition):
            record.move(cause, 1.0)
        assert record.state is state
    else:
        record.move(cause, 1.0)
        assert record.state is after


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
    """A kernel's subflows and the table that is kept of them; checks the table after every step."""

    def __init__(self) -> None:
        self.rows: dict[int, SubflowInfo] = {1: subflow(1)}
        self.table = table()
        self.now = 0.0
        self.seen: dict[int, SubflowRecord] = {}
        self.ended: dict[int, float] = {}
        self.table.observe(connection(*self.rows.values()), self.now)
        self.next_id = 2

    def do(self, what: str, which: int) -> None:
        self.now += 1.0
        numbers = list(self.rows) or [1]
        getattr(self, what)(numbers[which % len(numbers)])
        self.check()

    def open(self, _: int) -> None:
        """Ask for one, as a strategy does; it is established at once or never."""
        row = subflow(self.next_id, TCPState.SYN_SENT)
        record = self.table.add(row, opened_at=None)
        if self.next_id % 3:
            self.rows[self.next_id] = subflow(self.next_id)
            record.opened_at = self.now
            record.move(Cause.CONFIRMED, self.now)
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
        ended = self.table.observe(connection(*self.rows.values()), self.now)
        assert all(record.closed_at == self.now for record in ended)
        established = {row.id for row in self.rows.values() if row.established}
        assert {record.id for record in self.table.open()} == established - set(self.ended)

    def event(self, number: int) -> None:
        """Let the kernel tell that one ended, which it may go on to list as a ghost."""
        (self.ghost if number % 2 else self.vanish)(number)
        record = self.table.newest(subflow(number).tuple)
        if record is not None and record.closed_at is None:
            self.table.end(record, self.now)

    def drop(self, number: int) -> None:
        """End one ourselves."""
        self.vanish(number)
        for record in self.table.open():
            if record.id == number:
                record.move(Cause.CLOSE, self.now)
                self.table.end(record, self.now)

    def forget(self, _: int) -> None:
        self.table.forget(self.now - 5)

    def check(self) -> None:
        everybody = [*self.table.during(-1.0, 1e9), *self.table.open()]
        by_id = {record.id: record for record in everybody}
        assert all(by_id[record.id] is record for record in everybody), "an id is one record's"
        for record in everybody:
            assert self.seen.setdefault(record.id, record) is record, "an record never comes back"
            if record.closed_at is not None:
                assert self.ended.setdefault(record.id, record.closed_at) == record.closed_at
                assert record.opened_at is None or record.opened_at <= record.closed_at
        opened = {record.id for record in self.table.open()}
        assert {record.id for record in self.table.alive()} <= opened
        assert not opened & set(self.ended)
        assert set(self.ended) & set(by_id) <= self.table.leaving()


@given(STEPS)
def test_any_life_of_a_connection(steps: list[Step]) -> None:
    """An record never comes back, ids are unique, what is alive is open, and an end is for good."""
    life = Life()
    for what, which in steps:
        life.do(what, which)
    life.table.end_all(life.now)
    assert life.table.open() == life.table.alive() == []
