"""Strategies that don't come back: given up, while their bytes and all other strategies go on."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from mphttp.engine import guard
from mphttp.engine.guard import MOST_ABANDONED, Guard, TooManyAbandoned

PATIENCE = 20.0
"""Seconds after which something that must happen counts as never happening."""


@dataclass
class Thread:
    """A thread that makes guarded calls, and the threads that take its place."""

    replaced: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    given_up: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    ended: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def __post_init__(self) -> None:
        self.guard = Guard(self.replaced.release)
        self.guard.start()

    def call(self, function: Callable[[], object]) -> threading.Thread:
        """Make a call on a thread of its own, as the engine's would."""

        def run() -> None:
            try:
                self.guard.run(function, self.given_up.release)
            except guard.Abandoned:
                self.ended.release()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread


@pytest.fixture
def thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[Thread]:
    monkeypatch.setattr(guard, "PATIENCE", 0.1)
    monkeypatch.setattr(guard, "_LOOK_EVERY", 0.01)
    yield Thread()
    gc.collect()


def test_what_a_call_returns_is_returned(thread: Thread) -> None:
    assert thread.guard.run(lambda: 7, thread.given_up.release) == 7
    with pytest.raises(ZeroDivisionError):
        thread.guard.run(lambda: 1 / 0, thread.given_up.release)
    assert not thread.given_up.acquire(blocking=False)


def test_a_call_that_waits_is_given_up_and_its_thread_ends_when_it_returns(thread: Thread) -> None:
    door = threading.Event()
    stuck = thread.call(lambda: door.wait(PATIENCE))
    assert thread.given_up.acquire(timeout=PATIENCE)
    assert thread.replaced.acquire(timeout=PATIENCE)
    assert stuck.is_alive()
    assert thread.guard.run(lambda: 7, thread.given_up.release) == 7  # another goes on
    door.set()
    assert thread.ended.acquire(timeout=PATIENCE)


def test_what_a_call_calls_back_is_not_ended_in_the_middle(thread: Thread) -> None:
    """It has locks, and whoever waits for one of them would wait for ever."""
    done: list[str] = []
    abandoned = threading.Event()
    thread.guard._replace = abandoned.set

    @guard.unbroken
    def ours() -> None:
        assert abandoned.wait(PATIENCE)
        for _ in range(1000):
            """The exception would be raised here."""
        done.append("ours")

    def theirs() -> None:
        ours()
        done.append("theirs")

    thread.call(theirs)
    assert thread.ended.acquire(timeout=PATIENCE)
    assert done == ["ours"]


def test_a_call_that_loops_for_ever_is_ended(thread: Thread) -> None:
    def loops() -> None:
        while True:
            pass

    stuck = thread.call(loops)
    assert thread.replaced.acquire(timeout=PATIENCE)
    assert thread.ended.acquire(timeout=PATIENCE)
    stuck.join(PATIENCE)
    assert not stuck.is_alive()


@pytest.mark.slow
def test_no_call_is_made_while_many_are_stuck(thread: Thread) -> None:
    door = threading.Event()
    for _ in range(MOST_ABANDONED):
        thread.call(lambda: door.wait(PATIENCE))
        assert thread.replaced.acquire(timeout=PATIENCE)
    with pytest.raises(TooManyAbandoned):
        thread.guard.run(lambda: 7, thread.given_up.release)
    door.set()
    for _ in range(MOST_ABANDONED):
        assert thread.ended.acquire(timeout=PATIENCE)
    end = time.monotonic() + PATIENCE
    while True:  # a thread that has ended still is, for a moment
        try:
            assert thread.guard.run(lambda: 7, thread.given_up.release) == 7
            return
        except TooManyAbandoned:
            assert time.monotonic() < end
