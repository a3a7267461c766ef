"""The engine's thread: whom it wakes, when, and what it survives."""

from __future__ import annotations

import gc
import os
import socket
import threading
import time
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product

import pytest

from mphttp.engine.loop import Engine, engine
from mphttp.kernel import probe
from mphttp.kernel.errors import KernelError
from mphttp.kernel.events import (
    AddressRemoved,
    ConnectionClosed,
    Event,
    ListenerClosed,
    ListenerCreated,
    Overflow,
)
from mphttp.kernel.mechanism import Control
from mphttp.kernel.values import SocketAddress

PATIENCE = 20.0
"""Seconds after which something that must happen counts as never happening."""

CALLS_OF_THE_LOOP = ["_sleep", "_give_turns", "_ready", "_turn", "_dispatch"]
FAULTS = [RuntimeError, MemoryError, SystemExit, KeyboardInterrupt]


class Woken:
    """What the engine wakes, as its protocol has it: keeps what it was told, in order."""

    def __init__(self, turn: Callable[[float], float | None] = lambda _: None) -> None:
        self.turns: list[float] = []
        self.events: list[Event] = []
        self.failures: list[Exception] = []
        self.threads: set[str] = set()
        self.left_to_parent = False
        self._turn = turn
        self._changed = threading.Condition()

    def turn(self, now: float) -> float | None:
        with self._changed:
            self.turns.append(now)
            self.threads.add(threading.current_thread().name)
            self._changed.notify_all()
        return self._turn(now)

    def on_event(self, event: Event, now: float) -> None:
        self.events.append(event)
        if isinstance(event, AddressRemoved) and event.remote_id == 255:
            raise RuntimeError("in on_event")

    def fail(self, error: Exception) -> None:
        with self._changed:
            self.failures.append(error)
            self._changed.notify_all()

    def after_fork(self) -> None:
        self.left_to_parent = True

    def wait_for(self, condition: Callable[[], object]) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, PATIENCE), f"{self.turns} {self.events}"

    def wait_for_turns(self, number: int) -> None:
        self.wait_for(lambda: len(self.turns) >= number)


class Machine:
    """A mechanism, as its protocol has it, whose events a test sends."""

    name = "test"
    reason: KernelError | None = None

    def __init__(self) -> None:
        self._waiting: deque[Event] = deque()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK)

    def control(self, sock: socket.socket) -> Control:
        raise NotImplementedError

    def fileno(self) -> int:
        return self._bell

    def events(self) -> Sequence[Event]:
        os.eventfd_read(self._bell)
        return [self._waiting.popleft() for _ in range(len(self._waiting))]

    def close(self) -> None: ...

    def send(self, *events: Event) -> None:
        self._waiting.extend(events)
        os.eventfd_write(self._bell, 1)


@pytest.fixture(scope="module")
def machine() -> Machine:
    return Machine()


@pytest.fixture(scope="module")
def own(machine: Machine) -> Iterator[Engine]:
    """An engine beside the process's; its thread lives as long as the process, as any engine's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probe, "best_mechanism", lambda: machine)
        made = Engine()
        assert made.mechanism is machine
    return made


def removed(token: int, remote_id: int = 1) -> Event:
    return AddressRemoved(token, remote_id)


def test_a_wake_is_a_turn_on_the_engine_s_thread(own: Engine) -> None:
    began = time.monotonic()
    one = Woken()
    own.wake(one)
    one.wait_for_turns(1)
    assert one.threads == {"mphttp-engine"}
    assert one.turns[0] >= began


def test_what_a_turn_returns_is_the_time_of_the_next(own: Engine) -> None:
    """Never before it, and not again once a turn returns None."""
    wanted: list[float] = []

    def turn(now: float) -> float | None:
        if len(wanted) == 3:
            return None
        wanted.append(now + 0.01)
        return wanted[-1]

    one = Woken(turn)
    own.wake(one)
    one.wait_for_turns(4)
    assert all(came >= when for came, when in zip(one.turns[1:], wanted, strict=True))
    passed_by(own)
    assert len(one.turns) == 4


@contextmanager
def busy(own: Engine) -> Iterator[None]:
    """Keep the engine in somebody's turn while the block runs."""
    gate = threading.Event()

    def wait(_: float) -> None:
        gate.wait(PATIENCE)

    somebody = Woken(wait)
    own.wake(somebody)
    somebody.wait_for_turns(1)
    yield
    gate.set()


def passed_by(own: Engine) -> None:
    """Return when the engine has gone around once more."""
    other = Woken()
    own.wake(other)
    other.wait_for_turns(1)


def test_an_earlier_timer_wakes_a_sleeping_engine(own: Engine) -> None:
    """It sleeps until the later one otherwise, which would be an hour."""
    one, other = Woken(), Woken()
    own.wake_at(other, time.monotonic() + 3600)
    passed_by(own)
    soon = time.monotonic() + 0.02
    own.wake_at(one, soon)
    one.wait_for_turns(1)
    assert one.turns[0] >= soon
    assert other.turns == []


def test_a_later_timer_does_not_replace_an_earlier_one(own: Engine) -> None:
    one = Woken()
    soon = time.monotonic() + 0.02
    own.wake_at(one, soon)
    own.wake_at(one, soon + 3600)
    one.wait_for_turns(1)
    assert one.turns[0] >= soon


def test_an_earlier_timer_replaces_a_later_one(own: Engine) -> None:
    """There is one turn, at the earlier time."""
    one, clock = Woken(), Woken()
    with busy(own):
        now = time.monotonic()
        own.wake_at(one, now + 0.02)
        own.wake_at(one, now + 0.01)
        own.wake_at(clock, now + 0.03)
    clock.wait_for_turns(1)
    assert len(one.turns) == 1
    assert one.turns[0] >= now + 0.01


def test_timers_come_in_their_order(own: Engine) -> None:
    order: list[int] = []

    def noting(number: int) -> Callable[[float], None]:
        return lambda _: order.append(number)

    connections = [Woken(noting(number)) for number in range(8)]
    with busy(own):
        now = time.monotonic()
        for number in (5, 2, 7, 0, 3, 6, 1, 4):
            own.wake_at(connections[number], now + number * 0.005)
    connections[7].wait_for(lambda: len(order) == 8)
    assert order == list(range(8))


def test_a_turn_that_raises_ends_nobody_else_s(own: Engine) -> None:
    broken, fine = Woken(lambda _: 1 // 0), Woken()  # type: ignore[arg-type,return-value]
    own.wake(broken)
    own.wake(fine)
    broken.wait_for(lambda: broken.failures)
    fine.wait_for_turns(1)
    assert isinstance(broken.failures[0], ZeroDivisionError)


def test_events_go_to_the_connection_with_their_token(own: Engine, machine: Machine) -> None:
    one, other = Woken(), Woken()
    own.add(one, 1)
    own.add(other, 2)
    machine.send(removed(2), removed(3))
    other.wait_for_turns(1)
    assert (one.events, other.events) == ([], [removed(2)])
    assert one.turns == []


def test_a_token_is_free_once_its_connection_closed(own: Engine, machine: Machine) -> None:
    """It is nobody's then, and may be another connection's soon."""
    old, new = Woken(), Woken()
    own.add(old, 11)
    machine.send(ConnectionClosed(11), removed(11))
    old.wait_for_turns(1)
    passed_by(own)
    own.add(new, 11)
    machine.send(removed(11))
    new.wait_for_turns(1)
    assert old.events == [ConnectionClosed(11)]
    assert new.events == [removed(11)]


def test_an_overflow_reaches_all(own: Engine, machine: Machine) -> None:
    """What was lost may have been anybody's, also one's that has no token."""
    connections = [Woken() for _ in range(3)]
    for token, connection in zip((21, 22, None), connections, strict=True):
        own.add(connection, token)
    machine.send(Overflow())
    for connection in connections:
        connection.wait_for_turns(1)
        assert connection.events == [Overflow()]


def test_listeners_concern_nobody(own: Engine, machine: Machine) -> None:
    one = Woken()
    own.add(one, 0)
    local = SocketAddress("127.0.0.1", 80)
    machine.send(ListenerCreated(local), ListenerClosed(local), removed(0))
    one.wait_for_turns(1)
    assert one.events == [removed(0)]


def test_an_event_that_can_t_be_taken_ends_nobody_else_s(own: Engine, machine: Machine) -> None:
    broken, fine = Woken(), Woken()
    own.add(broken, 31)
    own.add(fine, 32)
    machine.send(removed(31, 255), removed(32))
    fine.wait_for_turns(1)
    broken.wait_for(lambda: broken.failures)
    assert fine.events == [removed(32)]


@pytest.mark.parametrize("raised", list(product(CALLS_OF_THE_LOOP, FAULTS)), ids=str)
def test_the_thread_survives_whatever_is_raised_in_it(
    own: Engine,
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    raised: tuple[str, type[BaseException]],
) -> None:
    """It starts again, says so, and gives everybody a turn: some may have lost theirs."""
    where, kind = raised
    one = Woken()
    own.add(one, 41)
    was_raised = threading.Event()

    def raises(*_: object) -> None:
        monkeypatch.undo()
        was_raised.set()
        raise kind("on purpose")

    with caplog.at_level("WARNING", "mphttp.engine"):
        monkeypatch.setattr(own, where, raises)
        own.wake(Woken())
        machine.send(removed(4712))
        assert was_raised.wait(PATIENCE)
        one.wait_for_turns(1)
    assert "starts again" in caplog.text


def test_the_engine_keeps_nobody_alive(own: Engine) -> None:
    """A connection with a timer that nobody else holds is gone."""
    one = Woken()
    own.add(one, 41)
    own.wake_at(one, time.monotonic() + 3600)
    passed_by(own)
    gone = weakref.ref(one)
    del one
    gc.collect()
    assert gone() is None


def test_a_child_process_starts_anew() -> None:
    """Its engine has a thread of its own, and connections that it inherits stay the parent's."""
    inherited = Woken()
    engine.start()
    engine.add(inherited, 4711)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # there are threads, that is the point
        child = os.fork()
    if child == 0:
        try:
            one = Woken()
            engine.wake(one)
            one.wait_for_turns(1)
            worked = inherited.left_to_parent and one.threads == {"mphttp-engine"}
        except BaseException:
            worked = False
        os._exit(0 if worked else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not inherited.left_to_parent
    engine.wake(inherited)
    inherited.wait_for_turns(1)
