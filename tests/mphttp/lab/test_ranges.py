"""Which bytes a Range field asks for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.lab.ranges import UnsatisfiableError, choose


@pytest.mark.parametrize(
    ("field", "chosen"),
    [
        ("bytes=0-9", range(10)),
        ("bytes=90-", range(90, 100)),
        ("bytes=-5", range(95, 100)),
        ("bytes=-500", range(100)),
        ("bytes=50-5000", range(50, 100)),
        ("bytes=99-99", range(99, 100)),
    ],
)
def test_a_single_range_is_chosen(field: str, chosen: range) -> None:
    assert choose(field, 100) == chosen


@pytest.mark.parametrize(
    "field", [None, "bytes=-", "bytes=9-0", "lines=0-9", "bytes=0-1,5-6", "bytes=a-b"]
)
def test_anything_else_counts_as_absent(field: str | None) -> None:
    assert choose(field, 100) is None


@pytest.mark.parametrize("field", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_a_range_without_a_byte_is_refused(field: str) -> None:
    with pytest.raises(UnsatisfiableError):
        choose(field, 100)


@given(st.text(max_size=20), st.integers(0, 1000))
def test_any_text_gives_bytes_that_exist(field: str, size: int) -> None:
    try:
        chosen = choose(f"bytes={field}", size)
    except UnsatisfiableError:
        return
    assert chosen is None or 0 <= chosen.start < chosen.stop <= size
