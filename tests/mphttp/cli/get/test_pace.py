from hypothesis import given
from hypothesis import strategies as st

from mphttp.cli.get.pace import Pace

CHUNKS = st.lists(st.tuples(st.integers(0, 1_000_000), st.floats(0, 100)), max_size=30)


@given(st.integers(1, 10**9), CHUNKS)
def test_no_second_brings_more_than_the_rate_allows(
    rate: int, chunks: list[tuple[int, float]]
) -> None:
    """From any moment to any later one: the rate, a second's slack, and the chunk at the end."""
    now, total = 0.0, 0
    pace = Pace(rate, now)
    reads = []
    for count, took in chunks:
        now += took
        total += count
        reads.append((now, total, count))
        now += pace.wait(count, now)
    for i, (began, before, _) in enumerate(reads):
        for ended, after, last in reads[i + 1 :]:
            allowed = rate * (ended - began + 1.0)
            assert after - before - last <= allowed * (1 + 1e-9) + 1e-3


@given(st.integers(1, 10**9), st.lists(st.integers(0, 1_000_000), max_size=30))
def test_a_reader_that_never_waits_for_data_gets_the_whole_rate(
    rate: int, counts: list[int]
) -> None:
    now = 0.0
    pace = Pace(rate, now)
    for count in counts:
        now += pace.wait(count, now)
    assert abs(now - sum(counts) / rate) <= 1e-6 * max(1.0, now)


def test_who_is_slower_never_waits() -> None:
    pace = Pace(1000, 0.0)
    assert [pace.wait(100, second) for second in range(1, 5)] == [0.0] * 4
