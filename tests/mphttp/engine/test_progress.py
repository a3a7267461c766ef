"""How much of each body has arrived, of several that leave over one connection."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mphttp.engine.progress import Outgoing, Progress


def test_a_body_has_arrived_though_another_still_leaves() -> None:
    outgoing = Outgoing()
    small, large = Progress(None, 0.0), Progress(None, 0.0)
    small.wrote(1000, outgoing)
    large.wrote(5000, outgoing)
    small.wrote(1000, outgoing)
    large.wrote(5000, outgoing)
    for queued, first, second in ((12_000, 0, 0), (6000, 1000, 5000), (5500, 1500, 5000)):
        small.take(10**6, queued, outgoing.given, 1.0)
        large.take(10**6, queued, outgoing.given, 1.0)
        assert (small.acknowledged, large.acknowledged) == (first, second)
    small.take(10**6, 4000, outgoing.given, 2.0)
    assert (small.acknowledged, small.owed_since) == (2000, 2.0)


def test_what_was_acknowledged_bounds_it() -> None:
    """A body that is given as a whole is in no queue yet."""
    outgoing, progress = Outgoing(), Progress(9000, 0.0)
    progress.wrote(9000, outgoing)
    progress.take(4000, 100, outgoing.given, 1.0)
    assert progress.acknowledged == 4000


def test_an_answer_decides_where_that_can_t_be_told() -> None:
    outgoing, progress = Outgoing(), Progress(9000, 0.0)
    progress.wrote(9000, outgoing)
    progress.complete = True
    progress.take(9000, 50, outgoing.given, 1.0)
    progress.accepted(outgoing)
    assert progress.acknowledged == 8950  # nothing else leaves: it can be told
    Progress(None, 0.0).wrote(100, outgoing)
    progress.accepted(outgoing)
    assert progress.acknowledged == 9000


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 100)), max_size=50), st.data())
def test_it_is_those_that_left_first(pieces: list[tuple[int, int]], data: st.DataObject) -> None:
    outgoing = Outgoing()
    bodies = [Progress(None, 0.0) for _ in range(3)]
    order: list[int] = []
    for number, size in pieces:
        bodies[number].wrote(size, outgoing)
        order += [number] * size
        queued = data.draw(st.integers(0, len(order)))
        arrived = order[: len(order) - queued]
        for n, body in enumerate(bodies):
            before = body.acknowledged
            body.take(10**6, queued, outgoing.given, 0.0)
            assert body.acknowledged == max(before, arrived.count(n))
