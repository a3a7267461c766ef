from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mphttp.cli.units import duration, size, words_for_rate, words_for_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10),
        ("500ms", 0.5),
        ("1m", 60),
        ("2min", 120),
        ("1h", 3600),
        ("7.5", 7.5),
        (".5s", 0.5),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("64KiB", 65536),
        ("1MB", 1_000_000),
        ("1MiB", 1 << 20),
        ("4096", 4096),
        ("1.5kB", 1500),
        ("2 GiB", 2 << 30),
        ("10b", 10),
        ("1TB", 10**12),
    ],
)
def test_sizes(text: str, count: int) -> None:
    assert size(text) == count


@pytest.mark.parametrize("text", ["", "s", "-1s", "1e3", "nan", "inf", "10 parsecs", "1_0", "٣s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration, such as 10s"):
        duration(text)


@pytest.mark.parametrize("text", ["", "KiB", "-1", "1ms", "0x10", "nan"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no size, such as 64KiB"):
        size(text)


def test_half_a_byte_is_refused() -> None:
    with pytest.raises(ValueError, match="whole number of bytes"):
        size("0.0005kB")


@given(st.integers(0, 10**15))
def test_plain_numbers_are_bytes_exactly(count: int) -> None:
    """No size loses a byte to floating point."""
    assert size(str(count)) == count
    assert size(f"{count}KiB") == count * 1024
    assert size(f"{count // 1000}.{count % 1000:03}kB") == count


@given(st.text())
def test_any_text_is_a_value_or_a_value_error(text: str) -> None:
    for parse in (duration, size):
        with suppress(ValueError):
            assert parse(text) >= 0


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_960, "1.0 MB"),
        (10**7, "10.0 MB"),
        (10**13, "10.0 TB"),
    ],
)
def test_words_for_sizes(count: int, words: str) -> None:
    assert words_for_size(count) == words


@pytest.mark.parametrize(
    ("rate", "words"),
    [(0, "0.0 kbit/s"), (950_000, "7.6 Mbit/s"), (125_000_000, "1.0 Gbit/s")],
)
def test_words_for_rates(rate: float, words: str) -> None:
    assert words_for_rate(rate) == words
