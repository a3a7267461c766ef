"""How long a chunk is, if it says so at all."""

from __future__ import annotations

import pytest

from mphttp.network.framing import size_of_chunk


@pytest.mark.parametrize(
    ("line", "size"),
    [
        (b"0", 0),
        (b"fF", 255),
        (b"0000000000000005", 5),
        (b"7fffffffffffffff", 2**63 - 1),
        (b"5 ", 5),
        (b'5\t;name="value";other', 5),
    ],
)
def test_a_chunk_s_size(line: bytes, size: int) -> None:
    assert size_of_chunk(line) == size


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b";x",
        b" 5",
        b"+5",
        b"-5",
        b"-0",
        b"0x5",
        b"5_0",
        b"5 0",
        b"5\r",
        b"5;\x00",
        b"g",
        b"\xef\xbc\x95",
        b"8000000000000000",
        b"00000000000000005",
        b"f" * 30,
    ],
)
def test_what_is_no_size(line: bytes) -> None:
    """Some of them are numbers to `int`, or a size with something after it to libcurl."""
    with pytest.raises(ValueError, match="illegal chunk header"):
        size_of_chunk(line)
