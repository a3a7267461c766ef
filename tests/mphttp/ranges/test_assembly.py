"""Where reader, workers and engine meet, one step at a time."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from mphttp.ranges.assembly import Assembly
from mphttp.ranges.plan import Source
from mphttp.ranges.resource import Refusal, Resource
from mphttp.ranges.store import MEMORY, Place
from tests.kernel.namespaces import in_child

LENGTH = 40 << 20
BODY = os.urandom(1 << 20) * 40


class Unread:
    """How many bytes of the first response lie in its socket."""

    count = 0

    def __call__(self) -> int:
        return self.count


Make = Callable[..., Assembly]


@pytest.fixture
def assembly() -> Iterator[Make]:
    """Make assemblies that are closed after the test."""
    with contextlib.ExitStack() as stack:

        def make(unread: Unread | None = None, place: Place | None = None) -> Assembly:
            resource = Resource(0, LENGTH, LENGTH, '"a"', "", [])
            made = Assembly(resource, unread or Unread(), place)
            made.start(0)
            stack.callback(made.close)
            return made

        yield make


def helped(made: Assembly, number: int = 1) -> Source:
    source = Source(number)
    made.join(source)
    return source


def bring_all(made: Assembly, source: Source, most: int = LENGTH) -> int:
    """Bring all that a source is asked for, as a worker does, and return how many bytes."""
    count = 0
    while count < most:
        made.assign(source)
        if not source.fetches:
            break
        count += bring_one(made, source)
    return count


def bring_one(made: Assembly, source: Source) -> int:
    """Bring the next of what a source is asked for."""
    fetch = source.fetches[0]
    made.bring(source, BODY[fetch.position : fetch.stop])
    return fetch.stop - fetch.start


def read_all(made: Assembly) -> int:
    """Read what is ready, hold it against the body, and return how many bytes it was."""
    position = made.resource.length - made_left(made)
    count = 0
    while data := made.ready():
        assert data == BODY[position + count : position + count + len(data)]
        count += len(data)
    return count


def made_left(made: Assembly) -> int:
    return made.resource.length - made._position


def test_a_reader_who_is_slow_with_the_first_response_holds_all_back(assembly: Make) -> None:
    unread = Unread()
    made = assembly(unread)
    source = helped(made)
    unread.count = 1_000_000
    made.first.wait(time.monotonic())
    made.from_first(BODY[:1000])
    made.first.rest(time.monotonic())
    assert not made.assign(source)
    made.first.wait(time.monotonic())
    assert made.assign(source)


class Clock:
    """One that goes on when it is told to."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


def test_without_the_first_response_a_slow_reader_holds_all_back(
    assembly: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies ready for him is bounded by the memory, and what was asked for at once before.

    That is the more, the faster it came; here ten megabytes a second.
    """
    clock = Clock()
    monkeypatch.setattr("mphttp.ranges.assembly.time", clock)
    made = assembly()
    source = helped(made)
    made.end_first()
    came = at_once = 0
    while made.assign(source) or source.fetches:
        at_once = max(at_once, source.backlog)
        clock.now += source.fetches[0].left / 10e6
        came += bring_one(made, source)
    assert MEMORY < came <= MEMORY + at_once
    assert read_all(made) > MEMORY
    assert bring_all(made, source) > MEMORY // 2


def test_what_is_at_the_end_keeps_nobody_from_fetching_what_is_wanted(assembly: Make) -> None:
    """However much of it there is."""
    made = assembly()
    source = helped(made)
    made.from_first(BODY[:1000])
    bring_all(made, source, most=3 * MEMORY)
    made.lose_first("cut")
    while not made.done:
        assert bring_all(made, source) + read_all(made)


def test_a_first_response_that_is_ended_meanwhile_brings_nothing_more(
    assembly: Make,
) -> None:
    made = assembly()
    source = helped(made)
    assert made.reads_first()
    made.end_first()  # the engine, while the reader waits
    assert made.from_first(BODY[:1000]) == b""
    assert made.first_is_over
    assert bring_all(made, source)
    assert read_all(made)


def test_what_comes_of_a_connection_that_was_closed_is_passed_over(assembly: Make) -> None:
    made = assembly()
    source = helped(made)
    fetch = made.assign(source)[0]
    made.part_with(source)
    made.bring(source, BODY[fetch.start : fetch.stop])
    assert made.delivered() == 0
    assert not made.assign(source)


def test_both_may_bring_the_same(assembly: Make) -> None:
    """The first to bring a byte wins; nothing is given twice, nor kept."""
    made = assembly()
    source = helped(made)
    made.end_first()
    fetch = made.assign(source)[0]
    made.bring(source, BODY[: fetch.stop // 2])
    assert read_all(made) == fetch.stop // 2
    made.bring(source, BODY[fetch.position : fetch.stop])
    assert read_all(made) == fetch.stop - fetch.stop // 2
    other = assembly()
    source = helped(other)
    other.from_first(BODY[:1000])
    other.first.active = False
    fetch = other.assign(source)[0]
    assert fetch.start == 1000
    other.bring(source, BODY[1000:3000])
    other.first.active = True
    assert other.from_first(BODY[1000:2000]) == b""
    assert other.from_first(BODY[2000:4000]) == b""  # after what lies ready
    assert read_all(other) == 3000


def test_the_first_response_is_not_kept_from_a_reader_by_a_full_disk(assembly: Make) -> None:
    """The others are: it is said why, and no more of them may come."""
    full = os.open("/dev/full", os.O_RDWR)
    made = assembly(place=Place(full, 0))
    source = helped(made)
    fetch = made.assign(source)[0]
    with pytest.raises(OSError, match="what comes early can't be kept: No space left on device"):
        made.bring(source, BODY[fetch.start : fetch.stop])
    assert made.refusals.alone == "what comes early can't be kept: No space left on device"
    made.part_with(source)
    while not made.done:
        position = made._position
        part = BODY[position : position + 100_000]
        assert made.from_first(part) == part
    os.close(full)


def test_a_longer_wish_to_be_left_alone_counts(assembly: Make) -> None:
    made = assembly()
    made.refusals.refused(Refusal("busy", 100.0))
    made.refusals.refused(Refusal("busy", 0.0))
    assert 90 < made.refusals.busy_for <= 100
    assert not made.assign(helped(made))


def test_a_server_that_wants_no_wait_gets_one(assembly: Make) -> None:
    made = assembly()
    made.refusals.refused(Refusal("busy", 0.0))
    assert made.refusals.busy_for > 0.5


def test_nothing_is_kept_after_the_end(assembly: Make) -> None:
    """Not even of what is still on its way."""
    made = assembly()
    source = helped(made)
    made.news.fileno()
    bring_all(made, source, most=MEMORY + (1 << 20))
    made.assign(source)
    before = len(os.listdir("/proc/self/fd"))
    made.close()
    made.bring(source, BODY[: 1 << 20])
    made.close()
    assert len(os.listdir("/proc/self/fd")) == before - 2  # the temporary file, the descriptor


def test_a_child_process_waits_for_no_lock_of_its_parents(assembly: Make) -> None:
    """A thread of the parent's may have held it at the fork, and doesn't exist here."""
    made = assembly()
    made.news.fileno()
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with made.news:
            held.set()
            done.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(20)
    try:
        in_child(made.after_fork)
    finally:
        done.set()
        thread.join()
